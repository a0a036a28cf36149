//! The stage: reads sentences and mentions, and writes their vectors.

use async_trait::async_trait;
use standpoint_document::{Document, layers};
use standpoint_encoder::{Encoder, Files, MAX_PIECES, VECTORS, VectorLayer, parts};
use standpoint_stage::{Contract, Stage, StageContext, StageDefinition, StageError, StartContext};

use crate::choice::{Choice, PAIRS, TARGETS, choose};
use crate::settings::{EncodeSettings, Sentences};

/// The attribute that says which model made the vectors: its name, version and hash.
const MODEL: &str = "standpoint.encoder";

/// The model that comes with the stage.
const SHIPPED: Files<'static> = Files::Compiled(&[
    ("manifest.json", include_bytes!("../../../crates/standpoint-encoder/model/manifest.json")),
    ("vocab.txt", include_bytes!("../../../crates/standpoint-encoder/model/vocab.txt")),
    ("encoder.onnx", include_bytes!("../../../crates/standpoint-encoder/model/encoder.onnx")),
    ("encoder.data", include_bytes!("../../../crates/standpoint-encoder/model/encoder.data")),
]);

/// How many sentences run together at most. More would find no more of like length, and take
/// memory.
const TOGETHER: usize = 128;

/// The stage `encode`.
#[derive(Debug)]
pub struct EncodeStage {
    encoder: Encoder,
    targets: Vec<String>,
    sentences: Sentences,
    max_words: u32,
}

impl StageDefinition for EncodeStage {
    const NAME: &'static str = "encode";
    const CONTRACT: Contract = Contract {
        reads: &[layers::TOKENS, layers::SENTENCES, layers::ENTITIES, TARGETS, PAIRS],
        writes: &[VECTORS, MODEL],
    };
    const MODEL: Option<&'static str> = Some("standpoint-encoder/7");
    type Settings = EncodeSettings;

    fn start(settings: EncodeSettings, context: &StartContext) -> Result<Self, StageError> {
        let targets = settings.all_targets().map_err(StageError::stage)?;
        let folder = settings.model.as_ref().map(|model| context.resolve(model));
        let files = folder.as_deref().map_or(SHIPPED, Files::Folder);
        let encoder = Encoder::open(files).map_err(|error| StageError::caused_by(&error))?;
        let EncodeSettings { sentences, max_words, .. } = settings;
        Ok(Self { encoder, targets, sentences, max_words })
    }
}

#[async_trait]
impl Stage for EncodeStage {
    async fn process(
        &self,
        document: &mut Document<'_>,
        context: &StageContext<'_>,
    ) -> Result<(), StageError> {
        self.encode(std::slice::from_mut(document), context)
    }

    async fn process_batch(
        &self,
        documents: &mut [Document<'_>],
        context: &StageContext<'_>,
    ) -> Vec<Result<(), StageError>> {
        // What fails here fails whoever is in company, so each gets the same answer.
        let result = self.encode(documents, context);
        documents.iter().map(|_| result.clone()).collect()
    }
}

impl EncodeStage {
    /// Encodes what is chosen of all documents together, so that sentences of like length find
    /// each other.
    fn encode(
        &self,
        documents: &mut [Document<'_>],
        context: &StageContext<'_>,
    ) -> Result<(), StageError> {
        let choose = |document: &Document<'_>| {
            choose(document, &self.targets, self.sentences, self.max_words)
        };
        let choices: Vec<Choice> = documents.iter().map(choose).collect();
        let mut made: Vec<Made> = documents.iter().map(|_| Made::default()).collect();
        // The document and the number of each sentence.
        let order: Vec<(usize, usize)> = choices
            .iter()
            .enumerate()
            .flat_map(|(document, choice)| {
                (0..choice.sentences.len()).map(move |sentence| (document, sentence))
            })
            .collect();
        let length = |&(document, sentence): &(usize, usize)| {
            choices[document].sentences[sentence].span.len() as usize
        };
        for part in parts(&order, TOGETHER, length) {
            if context.is_cancelled() {
                return Err(StageError::cancelled());
            }
            let texts: Vec<&str> = part
                .iter()
                .map(|&(document, sentence)| {
                    documents[document].slice(choices[document].sentences[sentence].span)
                })
                .collect();
            let encoded =
                self.encoder.encode(&texts).map_err(|error| StageError::caused_by(&error))?;
            for (&(document, sentence), encoded) in part.iter().zip(&encoded) {
                let chosen = &choices[document].sentences[sentence];
                made[document].layer.push(chosen.span, encoded, &chosen.places);
                made[document].cut += usize::from(!encoded.is_whole());
            }
        }
        for ((document, choice), made) in documents.iter_mut().zip(choices).zip(made) {
            document.set_layer(VECTORS, made.layer.finish(&self.encoder))?;
            document.set_attribute(MODEL, self.encoder.id().into());
            if choice.left_out > 0 {
                document.add_note(format!(
                    "encode: {} sentences behind the first {} words were left to the rules \
                     (`max_words`)",
                    choice.left_out, self.max_words
                ));
            }
            if made.cut > 0 {
                document.add_note(format!(
                    "encode: {} sentences were read to their word piece {MAX_PIECES}",
                    made.cut
                ));
            }
        }
        Ok(())
    }
}

/// What becomes of one document.
#[derive(Default)]
struct Made {
    layer: VectorLayer,
    /// Sentences that were not read to their end.
    cut: usize,
}
