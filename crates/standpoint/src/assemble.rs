//! From a pipeline file to a pipeline: the one place that knows settings, connectors, plugins and
//! the engine all at once.

mod revision;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result, anyhow};
use standpoint_abi::LoadPolicy;
use standpoint_config::{
    Concurrency, Dedupe, Diagnostics, Draft, Durability, Environment, Kept, OnError, Ordering,
    Override, PipelineFile, SinkSettings, SourceSettings, StageSettings,
};
use standpoint_connectors::files::{
    FilesSettings, FilesSource, Input, LinesSettings, Listener, with_causes,
};
use standpoint_connectors::inbox::{InboxSettings, InboxSource, OnSuccess, Places, Recognise};
use standpoint_connectors::jsonl::{JsonlSettings, JsonlSink, Maker};
use standpoint_connectors::ledger::Ledger;
use standpoint_connectors::ledger::memory::Memory;
use standpoint_connectors::limits::ReadLimits;
use standpoint_connectors::postgres::{PostgresSettings, PostgresSink};
use standpoint_connectors::retention::{Holding, Keep};
use standpoint_connectors::sqlite::{SqliteSettings, SqliteSink};
use standpoint_connectors::stream::StreamSink;
use standpoint_connectors::webhook::{WebhookSettings, WebhookSink};
use standpoint_document::StanceTarget;
use standpoint_engine::{
    Backoff, Condition as When, Group, Limits, Retry, SinkStep, SourceStep, StageStep,
};
use standpoint_stage::StartContext;
use standpoint_store::Place;

use crate::bounded::Bounded;
use crate::cli::PipelineChoice;
use crate::cluster;
use crate::condition::Condition;
use crate::exit;
use crate::kinds::{blind_judges, catalogue, check_conditions, check_plugins};
use crate::objects;
use crate::pipeline_file::{
    GROWTH, cluster_mistakes, cluster_settings, inboxes_of, ledger_of, object_mistakes, overrides,
    pattern_mistakes, read_limits, sink_settings, source_settings,
};
use crate::places;
use crate::plugins::{Installed, Wanted, is_refused_by_the_cache};
use crate::routes::Routes;
use crate::targets;

/// The pipeline that the program carries.
pub(crate) const EMBEDDED: &str = include_str!("../../../config/default.yaml");

/// What sources and sinks need to know of the program that opens them.
#[derive(Clone)]
pub(crate) struct Opening {
    /// The name of this instance of the program.
    pub(crate) instance: String,
    /// What they had before.
    pub(crate) ledger: Ledger,
    /// Whether sources end once they have delivered what is there now.
    pub(crate) until_drained: bool,
    /// Hears of files that are passed over.
    pub(crate) listener: Listener,
}

/// A pipeline file with the plugins that it can use.
pub(crate) struct Assembly {
    pub(crate) file: PipelineFile,
    installed: Installed,
    /// Where copies of plugins are kept that are loaded instead of the files.
    plugin_cache: Option<PathBuf>,
}

impl Assembly {
    /// Reads and checks the chosen pipeline.
    ///
    /// # Errors
    ///
    /// Every mistake in it, drawn with its place; exit code 2.
    pub(crate) fn of(choice: &PipelineChoice) -> Result<Self> {
        let overrides = overrides(&choice.set)?;
        Self::check(choice.config.as_deref(), &overrides)
            .map(|(assembly, _)| assembly)
            .map_err(|findings| exit::usage(findings.render(false)))
    }

    /// Reads and checks a pipeline file, or the pipeline that the program carries; gives warnings
    /// beside it.
    ///
    /// # Errors
    ///
    /// Every mistake in it.
    pub(crate) fn check(
        path: Option<&Path>,
        overrides: &[Override],
    ) -> Result<(Self, Diagnostics), Diagnostics> {
        let environment = Environment::of_process();
        let mut draft = if let Some(path) = path {
            Draft::load(path, &environment, overrides)
        } else {
            let name = "the embedded pipeline";
            Draft::parse(EMBEDDED, name, Path::new("."), &environment, overrides)
        };
        let stages = draft.stages();
        let installed = Installed::look(&draft.plugin_paths()).strictly(draft.is_strict());
        let folder = draft.folder().to_owned();
        let wanted = stages.iter().map(|stage| Wanted {
            plugin: &stage.plugin,
            runtime: &stage.runtime,
            folder: &folder,
        });
        if let Some(file) = draft.so_far() {
            draft.extend(cluster_mistakes(&file));
            draft.extend(targets::mistakes(&file, &installed));
            draft.extend(object_mistakes(&file));
            draft.extend(pattern_mistakes(&file));
            draft.extend(places::mistakes(&file));
            draft.extend(places::warnings(&file));
            draft.extend(targets::warnings(&file, &installed));
            draft.extend(blind_judges(&file, &installed));
            // Whom a pipeline's own tables of names know is not looked up.
            if !draft.has_own_names() {
                draft.extend(targets::warnings_of_tests(&file));
            }
        }
        draft.check_settings(&catalogue(wanted, &installed));
        check_plugins(&mut draft, &stages, &installed);
        check_conditions(&mut draft);
        let (file, warnings) = draft.finish()?;
        Ok((Self { file, installed, plugin_cache: None }, warnings))
    }

    /// Loads plugins from private copies in the data folder from now on, so that what was checked
    /// is what runs, and a plugin that is rebuilt does not change under a running daemon.
    pub(crate) fn cache_plugins(&mut self) {
        self.plugin_cache = Some(self.file.data_dir.join("plugins"));
    }

    /// Name and hash of the pipeline and the program's version, for the provenance of results.
    pub(crate) fn maker(&self) -> Maker {
        Maker {
            pipeline: format!("{}@{}", self.file.name, self.file.hash()),
            version: env!("CARGO_PKG_VERSION").to_owned(),
        }
    }

    /// The targets of all stages.
    pub(crate) fn targets(&self) -> Vec<StanceTarget> {
        targets::all(&self.file, &self.installed)
    }

    /// Loads the plugins and makes the chain.
    ///
    /// - `targets`: in place of the targets of each stage that has such a setting, if not empty.
    ///
    /// # Errors
    ///
    /// Why a plugin cannot be loaded or refuses its settings, exit code 2; or why no copy of one
    /// can be kept.
    pub(crate) fn stages(&self, targets: &[String]) -> Result<Vec<StageStep>> {
        let steps = self.file.stages.iter().map(|stage| {
            self.stage(stage, targets)
                .with_context(|| format!("cannot start stage `{}`", stage.id))
                // No room for a copy of a plugin is no mistake in the file, and may pass.
                .map_err(|error| {
                    if is_refused_by_the_cache(&error) {
                        error
                    } else {
                        exit::usage(format!("{error:#}"))
                    }
                })
        });
        steps.collect()
    }

    fn stage(&self, stage: &StageSettings, targets: &[String]) -> Result<StageStep> {
        let folder = self.file.resolve(Path::new(""));
        let wanted = Wanted { plugin: &stage.plugin, runtime: &stage.runtime, folder: &folder };
        let plugin = self.installed.find(wanted).map_err(|error| anyhow!(error))?;
        let mut settings = stage
            .settings
            .conform(plugin.settings_schema())
            .map_err(|findings| anyhow!("{}", findings.render(false)))?;
        if plugin.name() == "entity" && targets::are_set_for(&plugin) {
            targets::hand_on(&self.file, &self.installed, targets, &mut settings);
        } else if !targets.is_empty() && targets::are_set_for(&plugin) {
            targets::set(&mut settings, targets);
        }
        targets::settle(&plugin, &mut settings);
        let context = StartContext { stage: stage.id.clone(), pipeline_dir: folder.clone() };
        let policy =
            LoadPolicy { sha256: stage.sha256.clone(), cache_dir: self.plugin_cache.clone() };
        let loaded = plugin.load(&policy, &settings, &context)?;
        let most = self.file.limits.max_entities.get() as usize;
        let mut step = StageStep::new(&stage.id, Arc::new(Bounded::new(loaded.stage, most)));
        step.version = loaded.version;
        step.model = loaded.model;
        // A plugin's own failure leaves a document as it was; one that found too much does not.
        step.restores = stage.on_error != OnError::Continue;
        step.when = stage.when.as_deref().map(when).transpose()?;
        step.concurrency = match (stage.concurrency, loaded.most_calls) {
            (Concurrency::Auto, most) => most,
            (Concurrency::Fixed(count), Some(most)) => Some(count.min(most)),
            (Concurrency::Fixed(count), None) => Some(count),
        };
        step.timeout = Some(stage.timeout);
        step.retry =
            Retry { max_attempts: stage.retry.max_attempts, backoff: backoff(stage.retry.backoff) };
        step.batch = stage
            .batch
            .as_ref()
            .map(|batch| Group { max_documents: batch.max_documents, max_delay: batch.max_delay });
        step.on_error = match stage.on_error {
            OnError::Quarantine => standpoint_engine::OnError::Quarantine,
            OnError::Continue => standpoint_engine::OnError::Continue,
            OnError::Stop => standpoint_engine::OnError::Stop,
        };
        Ok(step)
    }

    /// Makes the sources of the file.
    ///
    /// # Errors
    ///
    /// Why one cannot start.
    pub(crate) fn sources(&self, opening: &Opening) -> Result<Vec<SourceStep>> {
        if let Some((kind, settings)) = cluster_settings(&self.file)? {
            let (limits, name) = (read_limits(&self.file), &opening.instance);
            let (source, keeps_order) =
                cluster::source(&kind, settings, limits, name, opening.until_drained)?;
            let step = SourceStep::new(cluster::SOURCE, source);
            return Ok(vec![SourceStep { keeps_order, ..step }]);
        }
        self.file.sources.iter().map(|source| self.source(source, opening)).collect()
    }

    /// A sink that puts documents into the stream that the file's cluster shares.
    ///
    /// # Errors
    ///
    /// When the file has none, or its server does not answer.
    pub(crate) fn feed(&self) -> Result<Box<dyn standpoint_engine::Sink>> {
        let (kind, settings) = cluster_settings(&self.file)?.ok_or_else(|| {
            exit::usage(
                "the pipeline file has no `cluster`: write how its daemons share their work, such \
                 as `cluster: { nats: { url: nats://127.0.0.1:4222 } }`",
            )
        })?;
        cluster::feed(&kind, settings)
    }

    fn source(&self, source: &SourceSettings, opening: &Opening) -> Result<SourceStep> {
        let settings = source_settings(source)?;
        let name = &source.name;
        let remembers = matches!(source.kind.as_str(), "inbox" | "objects");
        if source.dedupe == Dedupe::Content && !remembers {
            return Err(exit::usage(format!(
                "source `{name}`: `dedupe: content` is for an inbox; a source of type \
                 `{}` remembers nothing",
                source.kind
            )));
        }
        let limits = read_limits(&self.file);
        let files = |inputs| -> Result<Box<dyn standpoint_engine::Source>> {
            let listener = Arc::clone(&opening.listener);
            Ok(Box::new(FilesSource::start(name, inputs, limits.clone(), listener)?))
        };
        let made: Box<dyn standpoint_engine::Source> = match source.kind.as_str() {
            "files" => {
                let settings: FilesSettings = serde_json::from_value(settings)?;
                files(vec![Input::Path(settings.path)])?
            }
            "jsonl" => {
                let settings: LinesSettings = serde_json::from_value(settings)?;
                files(vec![Input::Lines(settings.path)])?
            }
            "stdin" => files(vec![Input::Stdin])?,
            "inbox" => {
                let settings: InboxSettings = serde_json::from_value(settings)?;
                let places = self.places(source, opening);
                let until_drained = opening.until_drained;
                let inbox = InboxSource::open(name, &settings, &places, limits, until_drained)
                    .with_context(|| format!("cannot start source `{name}`"))?;
                Box::new(inbox)
            }
            "objects" => {
                let (places, data_dir) = (self.places(source, opening), &self.file.data_dir);
                objects::source(name, settings, &places, limits, data_dir, opening.until_drained)
                    .with_context(|| format!("cannot start source `{name}`"))?
            }
            other => return Err(anyhow!("source type `{other}` has no implementation")),
        };
        Ok(SourceStep {
            keeps_order: source.ordering == Ordering::PerSource,
            ..SourceStep::new(name, made)
        })
    }

    fn places(&self, source: &SourceSettings, opening: &Opening) -> Places {
        Places {
            instance: opening.instance.clone(),
            quarantine: self.file.quarantine.path.clone(),
            max_attempts: source.max_attempts,
            sync: self.file.commit.durability != Durability::Os,
            ledger: opening.ledger.clone(),
            recognise: match source.dedupe {
                Dedupe::Id => Recognise::Id,
                Dedupe::Content => Recognise::Content,
                Dedupe::Off => Recognise::Nothing,
            },
        }
    }

    /// The ledger in the file's data folder; for whoever holds the folder.
    pub(crate) fn ledger(&self) -> Ledger {
        ledger_of(&self.file)
    }

    /// Whether documents come from somewhere and go somewhere.
    pub(crate) fn is_fit_for_a_daemon(&self) -> bool {
        let has_source = !self.file.sources.is_empty() || self.file.cluster.is_some();
        has_source && !self.file.sinks.is_empty()
    }

    /// The folders from which old files are deleted, and how much of each is kept.
    pub(crate) fn holdings(&self) -> Vec<Holding> {
        let retention = &self.file.retention;
        let keep = |kept: &Kept| Keep { max_age: kept.max_age, max_bytes: kept.max_bytes };
        let holding = |folder: &Path, kept: &Kept, is_quarantine| Holding {
            folder: folder.to_owned(),
            keep: keep(kept),
            is_quarantine,
        };
        let inboxes = inboxes_of(&self.file);
        let archives = inboxes.iter().filter_map(|(_, settings)| match &settings.on_success {
            OnSuccess::Archive(archive) => Some(holding(archive, &retention.archive, false)),
            OnSuccess::Delete | OnSuccess::Keep => None,
        });
        let quarantine = holding(&self.file.quarantine.path, &retention.quarantine, true);
        archives.chain([quarantine]).collect()
    }

    /// Makes the sinks of the file.
    ///
    /// - `ledger`: what they wrote before; without it an output is looked through.
    ///
    /// # Errors
    ///
    /// Why one cannot be opened.
    pub(crate) fn sinks(&self, ledger: Option<&Ledger>) -> Result<Vec<SinkStep>> {
        let routes = self.routes()?;
        let step = |sink: &SinkSettings| {
            let mut step = self.sink(sink, ledger)?;
            step.when = routes.condition(&sink.name);
            Ok(step)
        };
        self.file.sinks.iter().map(step).collect()
    }

    fn routes(&self) -> Result<Routes> {
        let routes = self.file.routes.iter();
        let routes = routes.map(|route| (route.when.as_deref(), route.to.as_slice()));
        Routes::compile(routes).map_err(exit::usage)
    }

    /// A sink without the condition of its routes.
    fn sink(&self, sink: &SinkSettings, ledger: Option<&Ledger>) -> Result<SinkStep> {
        let settings = sink_settings(sink)?;
        let fail = || format!("cannot open sink `{}`", sink.name);
        let sync = self.file.commit.durability != Durability::Os;
        let made: Box<dyn standpoint_engine::Sink> = match sink.kind.as_str() {
            "jsonl" => {
                let settings: JsonlSettings = serde_json::from_value(settings)?;
                let written = match ledger {
                    Some(ledger) => ledger.of_sink(&sink.name).with_context(fail)?,
                    None => Memory::without_disk(),
                };
                let file = JsonlSink::append(&settings, self.maker(), sync, written);
                Box::new(file.with_context(fail)?)
            }
            "sqlite" => {
                let settings: SqliteSettings = serde_json::from_value(settings)?;
                let store = SqliteSink::open(&settings.path, self.maker(), sync);
                Box::new(store.with_context(fail)?)
            }
            "postgres" => {
                let settings: PostgresSettings = serde_json::from_value(settings)?;
                let store = PostgresSink::open(settings, self.maker(), sync);
                Box::new(
                    store.map_err(|error| exit::usage(with_causes(&error))).with_context(fail)?,
                )
            }
            "stdout" => {
                Box::new(StreamSink::new(self.maker(), std::io::stdout(), "standard output"))
            }
            "webhook" => {
                let settings: WebhookSettings = serde_json::from_value(settings)?;
                let webhook = WebhookSink::open(&settings, self.maker());
                Box::new(
                    webhook.map_err(|error| exit::usage(with_causes(&error))).with_context(fail)?,
                )
            }
            "objects" => {
                let data_dir = &self.file.data_dir;
                objects::sink(&sink.name, settings, self.maker(), sync, ledger, data_dir)
                    .with_context(fail)?
            }
            kind if cluster::SINKS.contains(&kind) => {
                let keeps_order = if let Some((kind, settings)) = cluster_settings(&self.file)? {
                    cluster::keeps_order(&kind, settings)?
                } else {
                    let mut sources = self.file.sources.iter();
                    sources.any(|source| source.ordering == Ordering::PerSource)
                };
                cluster::sink(kind, settings, self.maker(), &self.file.name, keeps_order)
                    .with_context(fail)?
            }
            other => return Err(anyhow!("sink type `{other}` has no implementation")),
        };
        let mut step = self.sink_step(&sink.name, made);
        step.is_required = sink.required;
        Ok(step)
    }

    /// The libraries of the stages.
    pub(crate) fn libraries(&self) -> Vec<PathBuf> {
        let folder = self.file.resolve(Path::new(""));
        let path = |stage: &StageSettings| {
            let wanted = Wanted { plugin: &stage.plugin, runtime: &stage.runtime, folder: &folder };
            Some(self.installed.find(wanted).ok()?.path)
        };
        self.file.stages.iter().filter_map(path).collect()
    }

    /// The store of the first sink that keeps one.
    ///
    /// # Errors
    ///
    /// When its settings are none.
    pub(crate) fn store(&self) -> Result<Option<Place>> {
        for sink in &self.file.sinks {
            if sink.kind == "sqlite" {
                let settings: SqliteSettings = serde_json::from_value(sink_settings(sink)?)?;
                return Ok(Some(Place::File(settings.path)));
            }
            if sink.kind == "postgres" {
                let settings: PostgresSettings = serde_json::from_value(sink_settings(sink)?)?;
                let place = settings.place().map_err(|error| exit::usage(with_causes(&error)))?;
                return Ok(Some(place));
            }
        }
        Ok(None)
    }

    /// A sink with the file's `commit` settings.
    pub(crate) fn sink_step(&self, name: &str, sink: Box<dyn standpoint_engine::Sink>) -> SinkStep {
        let mut step = SinkStep::new(name, sink);
        let commit = &self.file.commit;
        step.group = Group { max_documents: commit.max_documents, max_delay: commit.max_delay };
        if commit.durability == Durability::Strict {
            step.group.max_documents = std::num::NonZeroUsize::MIN;
        }
        step.backoff = backoff(self.file.defaults.retry.backoff);
        step
    }

    /// How much may be under way.
    pub(crate) fn limits(&self) -> Limits {
        let bytes = usize::try_from(self.file.limits.max_bytes_in_flight).unwrap_or(usize::MAX);
        let usual = Limits::default();
        Limits {
            bytes_in_flight: std::num::NonZeroUsize::new(bytes).unwrap_or(usual.bytes_in_flight),
            growth: GROWTH,
            shutdown_timeout: self.file.shutdown_timeout,
            ..usual
        }
    }

    /// How much a file may hold.
    pub(crate) fn read_limits(&self) -> ReadLimits {
        read_limits(&self.file)
    }
}

fn backoff(range: standpoint_config::DurationRange) -> Backoff {
    Backoff { first: range.low(), longest: range.high() }
}

fn when(source: &str) -> Result<When> {
    let condition = Condition::compile(source).map_err(|error| anyhow!("{error}"))?;
    Ok(Arc::new(move |document: &standpoint_document::Document<'_>| condition.holds(document)))
}
