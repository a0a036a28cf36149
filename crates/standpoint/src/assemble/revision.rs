//! What a daemon becomes when its pipeline file has changed.

use std::sync::Arc;

use anyhow::Result;
use serde_json::Value;
use standpoint_config::{PipelineFile, SinkSettings, SourceSettings};
use standpoint_engine::{Open, Revision, SinkPart, SinkStep, SourceChange, SourcePart, SourceStep};

use super::{Assembly, Opening};
use crate::cluster;
use crate::exit;
use crate::pipeline_file::{cluster_settings, read_limits, sink_settings, source_settings};

impl Assembly {
    /// What a daemon becomes that runs `before`, its new stages made already.
    ///
    /// # Errors
    ///
    /// Why it cannot, without a restart or at all.
    pub(crate) fn revision(
        self: &Arc<Self>,
        before: &Arc<Self>,
        opening: &Opening,
    ) -> Result<Revision> {
        self.check_reload(before)?;
        let stages = self.stages(&[])?;
        let mut sources = Vec::new();
        for source in &self.file.sources {
            let earlier = before.file.sources.iter().find(|earlier| earlier.name == source.name);
            let is_kept = match earlier {
                Some(earlier) => self.source_print(source)? == before.source_print(earlier)?,
                None => false,
            };
            let change = (!is_kept).then(|| SourceChange {
                open: self.source_opener(&source.name, opening),
                back: earlier.map(|earlier| before.source_opener(&earlier.name, opening)),
            });
            sources.push(SourcePart { name: source.name.clone(), change });
        }
        if self.file.cluster.is_some() {
            // It is as it was, or a restart was asked for.
            sources = vec![SourcePart { name: cluster::SOURCE.to_owned(), change: None }];
        }
        let routes = self.routes()?;
        let mut sinks = Vec::new();
        for sink in &self.file.sinks {
            let earlier = before.file.sinks.iter().find(|earlier| earlier.name == sink.name);
            let is_kept = match earlier {
                Some(earlier) => self.sink_print(sink)? == before.sink_print(earlier)?,
                None => false,
            };
            sinks.push(SinkPart {
                name: sink.name.clone(),
                when: routes.condition(&sink.name),
                is_required: sink.required,
                open: (!is_kept).then(|| self.sink_opener(&sink.name, opening)),
            });
        }
        Ok(Revision { name: Some(self.maker().pipeline.into()), sources, stages, sinks })
    }

    /// Whether a daemon can go from `before` to this without a restart.
    fn check_reload(&self, before: &Self) -> Result<()> {
        if !self.is_fit_for_a_daemon() {
            return Err(exit::usage("a daemon needs at least one source and one sink"));
        }
        let (new, old) = (&self.file, &before.file);
        let fixed = [
            ("data_dir", new.data_dir == old.data_dir),
            ("server", new.server == old.server),
            ("cluster", cluster_settings(new)? == cluster_settings(old)?),
            ("shutdown_timeout", new.shutdown_timeout == old.shutdown_timeout),
            (
                "limits.max_bytes_in_flight",
                new.limits.max_bytes_in_flight == old.limits.max_bytes_in_flight,
            ),
        ];
        if let Some((key, _)) = fixed.iter().find(|(_, is_same)| !is_same) {
            return Err(exit::usage(format!("`{key}` is other than before: restart the daemon")));
        }
        // Two writers would spoil a file, and the old sink writes what is on its way to it.
        let paths = |file: &PipelineFile| -> Result<Vec<(String, Value)>> {
            let path = |sink: &SinkSettings| {
                let settings = sink_settings(sink)?;
                Ok(settings.get("path").map(|path| (sink.name.clone(), path.clone())))
            };
            file.sinks.iter().filter_map(|sink| path(sink).transpose()).collect()
        };
        let (now, then) = (paths(new)?, paths(old)?);
        for (name, path) in &now {
            if let Some((other, _)) =
                then.iter().find(|(other, taken)| other != name && taken == path)
            {
                return Err(exit::usage(format!(
                    "sink `{name}` would write to {path}, where sink `{other}` is not done yet: \
                     keep its name, or restart the daemon"
                )));
            }
        }
        Ok(())
    }

    /// What a source is made of: it goes on as it is while this stays the same.
    fn source_print(&self, source: &SourceSettings) -> Result<String> {
        let SourceSettings { kind, dedupe, ordering, max_attempts, .. } = source;
        let settings = source_settings(source)?;
        let limits = read_limits(&self.file);
        let (quarantine, commit) = (&self.file.quarantine, self.file.commit.durability);
        Ok(format!(
            "{kind} {settings} {dedupe:?} {ordering:?} {max_attempts} {limits:?} {quarantine:?} \
             {commit:?}"
        ))
    }

    /// The same for a sink.
    fn sink_print(&self, sink: &SinkSettings) -> Result<String> {
        let settings = sink_settings(sink)?;
        let (commit, backoff) = (&self.file.commit, &self.file.defaults.retry.backoff);
        Ok(format!("{} {settings} {commit:?} {backoff:?}", sink.kind))
    }

    fn source_opener(self: &Arc<Self>, name: &str, opening: &Opening) -> Open<SourceStep> {
        let (assembly, name, opening) = (Arc::clone(self), name.to_owned(), opening.clone());
        Box::new(move || {
            let source = assembly.file.sources.iter().find(|source| source.name == name);
            let source = source.ok_or_else(|| format!("there is no source `{name}`"))?;
            assembly.source(source, &opening).map_err(|error| format!("{error:#}"))
        })
    }

    fn sink_opener(self: &Arc<Self>, name: &str, opening: &Opening) -> Open<SinkStep> {
        let (assembly, name, opening) = (Arc::clone(self), name.to_owned(), opening.clone());
        Box::new(move || {
            let sink = assembly.file.sinks.iter().find(|sink| sink.name == name);
            let sink = sink.ok_or_else(|| format!("there is no sink `{name}`"))?;
            assembly.sink(sink, Some(&opening.ledger)).map_err(|error| format!("{error:#}"))
        })
    }
}
