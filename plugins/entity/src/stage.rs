//! The stage: names of a document, and whom they mean.

use std::path::PathBuf;

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::Deserialize;
use standpoint_abi::export_stage;
use standpoint_document::{Annotation, Document, Entity, Span, layers, sentence, within};
use standpoint_encoder::{Files, parts};
use standpoint_stage::{Contract, Stage, StageContext, StageDefinition, StageError, StartContext};

use crate::anaphora;
use crate::bodies::with_bodies;
use crate::date::Month;
use crate::events::with_events;
use crate::gazetteer::{BUILT_IN, Gazetteer};
use crate::learned::{self, Learned, worth_reading};
use crate::names::{Reader, Sought};
use crate::sight::Sight;
use crate::tagger::{Line, Memories, Memory, Scores, Tagged, Tagger};
use crate::voices;

/// The tagger's weights; see `model/CARD.md`.
pub const MODEL: &[u8] = include_bytes!("../model/tagger.bin");

/// The model that comes with the stage.
const SHIPPED: Files<'static> = Files::Compiled(&[
    ("manifest.json", include_bytes!("../../../crates/standpoint-encoder/model/manifest.json")),
    ("vocab.txt", include_bytes!("../../../crates/standpoint-encoder/model/vocab.txt")),
    ("names.onnx", include_bytes!("../../../crates/standpoint-encoder/model/names.onnx")),
    ("names.data", include_bytes!("../../../crates/standpoint-encoder/model/names.data")),
]);

/// How many sentences the neural tagger reads before it looks whether it should stop.
const TOGETHER: usize = 64;

/// No document keeps more mentions than this, whatever the setting.
const MAX_MENTIONS: usize = 1_000_000;

/// Settings of `entity`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct EntitySettings {
    /// More tables of names, each a file named as one of those compiled in (`states.tsv`,
    /// `people.tsv`, `organisations.tsv`, `places.tsv`, `events.tsv`, `words.tsv`, `cues.tsv`),
    /// relative to the pipeline file. A row whose id is known replaces that entry.
    pub gazetteer: Vec<PathBuf>,

    /// Whether the tables that are compiled in count. Without them, `gazetteer` says everything.
    pub built_in: bool,

    /// Whether names that no table knows are found by the trained tagger.
    pub unknown_names: bool,

    /// Whether a tagger of the neural model finds them, in sentences with a capital letter that no
    /// table explains. It is more often right, and some hundred times as slow. The other tagger, where
    /// `unknown_names` allows it, is heard beside it.
    pub neural: bool,

    /// How many words of a document the neural tagger reads at most; about 3 milliseconds for 30 of
    /// them. Behind them the other one goes on.
    #[schemars(range(min = 1))]
    pub max_words: u32,

    /// The folder of another neural model, relative to the pipeline file.
    pub model: Option<PathBuf>,

    /// The most mentions of one document; the rest is left out with a note.
    pub max_mentions: usize,

    /// Names that are found wherever they are written, though no table has them: "Orinda Mining",
    /// "carbon tax". The targets of the pipeline's stages are found without it.
    pub targets: Vec<String>,
}

impl Default for EntitySettings {
    fn default() -> Self {
        Self {
            gazetteer: Vec::new(),
            built_in: true,
            unknown_names: true,
            neural: false,
            max_words: 60_000,
            model: None,
            max_mentions: 20_000,
            targets: Vec::new(),
        }
    }
}

/// The stage `entity`.
#[derive(Debug)]
pub struct EntityStage {
    gazetteer: Gazetteer,
    tagger: Option<Tagger<'static>>,
    memories: Memories,
    neural: Option<standpoint_encoder::Tagger>,
    max_words: usize,
    max_mentions: usize,
    /// The targets that no table knows.
    sought: Sought,
}

export_stage!(EntityStage, settings: "settings.schema.json");

impl StageDefinition for EntityStage {
    const NAME: &'static str = "entity";
    const CONTRACT: Contract =
        Contract { reads: &[layers::TOKENS, layers::SENTENCES], writes: &[layers::ENTITIES] };
    const MODEL: Option<&'static str> = Some("names/3");
    type Settings = EntitySettings;

    fn start(settings: EntitySettings, context: &StartContext) -> Result<Self, StageError> {
        let mut own = Vec::new();
        for path in &settings.gazetteer {
            let path = context.resolve(path);
            let text = std::fs::read_to_string(&path).map_err(|error| {
                StageError::stage(format!("cannot read the gazetteer {}: {error}", path.display()))
            })?;
            own.push((path.display().to_string(), text));
        }
        let built_in = if settings.built_in { &BUILT_IN[..] } else { &[] };
        let tables = built_in.iter().copied();
        let own = own.iter().map(|(file, text)| (file.as_str(), text.as_str()));
        let gazetteer = Gazetteer::from_tables(tables.chain(own))
            .map_err(|error| StageError::stage(error.to_string()))?;
        let tagger = if settings.unknown_names {
            let tagger = Tagger::from_bytes(MODEL).ok_or_else(|| {
                StageError::stage("the tagger's weights are not of this version: build again")
            })?;
            Some(tagger)
        } else {
            None
        };
        let neural = if settings.neural {
            let folder = settings.model.as_ref().map(|model| context.resolve(model));
            let files = folder.as_deref().map_or(SHIPPED, Files::Folder);
            let opened = standpoint_encoder::Tagger::open(files);
            Some(opened.map_err(|error| StageError::caused_by(&error))?)
        } else {
            None
        };
        let sought = Sought::new(settings.targets.iter().map(String::as_str), &gazetteer);
        Ok(Self {
            gazetteer,
            tagger,
            memories: Memories::default(),
            neural,
            max_words: settings.max_words as usize,
            max_mentions: settings.max_mentions.min(MAX_MENTIONS),
            sought,
        })
    }
}

impl EntityStage {
    /// The names of a document, without the neural tagger: mentions in the order of the text, and
    /// the entities they link to.
    #[must_use]
    pub fn find(&self, document: &Document<'_>) -> (Vec<Annotation>, Vec<Entity>) {
        self.read(document, &self.look(document), &Learned::default())
    }

    fn look(&self, document: &Document<'_>) -> Sight {
        let (text, tokens) = (document.text(), document.tokens());
        Sight::new(&self.gazetteer, text, tokens, document.sentences())
    }

    /// What the neural tagger finds, where there is one.
    fn learn(
        &self,
        document: &Document<'_>,
        sight: &Sight,
        context: &StageContext<'_>,
    ) -> Result<Learned, StageError> {
        let Some(tagger) = &self.neural else { return Ok(Learned::default()) };
        let sentences = worth_reading(document, sight, self.max_words);
        let opinions = self.opinions(document, sight, &sentences);
        let mut names = Vec::new();
        for part in parts(&sentences, TOGETHER, |sentence| sentence.len() as usize) {
            if context.is_cancelled() {
                return Err(StageError::cancelled());
            }
            let found = learned::names(tagger, document, part, &opinions);
            names.extend(found.map_err(|error| StageError::caused_by(&error))?);
        }
        Ok(Learned { sentences, names })
    }

    /// What the linear chain says of each token of some sentences; nothing of all others.
    fn opinions(
        &self,
        document: &Document<'_>,
        sight: &Sight,
        sentences: &[Span],
    ) -> Vec<Option<Scores>> {
        let (text, tokens) = (document.text(), document.tokens());
        let mut opinions = vec![None; tokens.len()];
        let Some(tagger) = &self.tagger else { return opinions };
        self.memories.with(|memory| {
            for &sentence in sentences {
                let first = tokens.partition_point(|token| token.span.start < sentence.start);
                let inside = within(&tokens[first..], sentence);
                let end = first + inside.len();
                let (looks, hints) = (&sight.looks[first..end], &sight.hints[first..end]);
                let line = Line { text, tokens: inside, looks, hints };
                opinions[first..end].copy_from_slice(&tagger.opinions(line, memory));
            }
        });
        opinions
    }

    fn read(
        &self,
        document: &Document<'_>,
        sight: &Sight,
        learned: &Learned,
    ) -> (Vec<Annotation>, Vec<Entity>) {
        let text = document.text();
        let tagged = self.memories.with(|memory| self.tag(document, sight, learned, memory));
        let tagged = with_events(tagged, text, sight, &self.gazetteer);
        let tagged = with_bodies(tagged, sight);
        let published = document.metadata().published.as_deref();
        let mut reader =
            Reader::new(&self.gazetteer, text, sight, published.and_then(Month::parse));
        reader.read(&tagged, &self.sought);
        voices::appoint(&mut reader);
        anaphora::resolve(&mut reader);
        let entities = std::mem::take(&mut reader.table).into_entities(&mut reader.named);
        let mut mentions: Vec<Annotation> = reader
            .named
            .iter()
            .map(|named| {
                Annotation::new(reader.span(named.first, named.end))
                    .with_label(named.kind.code())
                    .with_flags(named.flags)
                    .with_score(named.confidence)
                    .with_link(named.entity)
            })
            .collect();
        mentions.sort_by_key(|mention| (mention.span.start, std::cmp::Reverse(mention.span.end)));
        (mentions, entities)
    }

    /// The names that no table knows: the neural tagger's, and the other's where it has not read.
    fn tag(
        &self,
        document: &Document<'_>,
        sight: &Sight,
        learned: &Learned,
        memory: &mut Memory,
    ) -> Vec<Tagged> {
        let (text, tokens) = (document.text(), document.tokens());
        let mut names = learned.names.clone();
        let Some(tagger) = &self.tagger else { return names };
        let mut first = 0;
        for line in document.sentences() {
            if line.flags & (sentence::BOILERPLATE | sentence::FOREIGN) != 0 {
                continue;
            }
            let inside = within(&tokens[first..], line.span);
            first += tokens[first..].partition_point(|token| token.span.start < line.span.start);
            let end = first + inside.len();
            if learned.has_read(line.span) {
                first = end;
                continue;
            }
            let (looks, hints) = (&sight.looks[first..end], &sight.hints[first..end]);
            for mut found in tagger.tag(Line { text, tokens: inside, looks, hints }, memory) {
                found.first += first as u32;
                found.end += first as u32;
                names.push(found);
            }
            first = end;
        }
        names.sort_by_key(|name| name.first);
        names
    }
}

#[async_trait]
impl Stage for EntityStage {
    async fn process(
        &self,
        document: &mut Document<'_>,
        context: &StageContext<'_>,
    ) -> Result<(), StageError> {
        let sight = self.look(document);
        let learned = self.learn(document, &sight, context)?;
        let (mut mentions, entities) = self.read(document, &sight, &learned);
        if self.max_mentions < mentions.len() {
            document.add_note(format!(
                "entity: {} mentions found, of which the first {} are kept (`max_mentions`)",
                mentions.len(),
                self.max_mentions
            ));
            mentions.truncate(self.max_mentions);
        }
        document.set_entities(mentions, entities)?;
        Ok(())
    }
}
