//! The standard stage `stance`: who stands where toward a target, and the sentences that show it.
//!
//! The stage reads tokens, sentences and entities and writes, for each target of its settings,
//! the author's own stance and that of every actor which the text shows to hold one. It knows
//! nobody by name: whoever is a party to a sentence is masked before it is judged.
//!
//! Modules in reading order:
//!
//! - `settings`: toward whom, by which cues;
//! - `lexicon`: the cue lists of the folder `cues/`, which an analyst can read and replace;
//! - `reading`: a sentence as words with a guess of what each does in it;
//! - `clause`: verb groups, their subjects, mood and dependence;
//! - `edge`: attitudes composed from cues, negation, direction and speech, by objects, nouns,
//!   verdicts and whose words they are;
//! - `bystander`: who only stands beside what is said;
//! - `feature` and [`judge`]: the linear model that weighs them, behind the seam [`judge::Judge`];
//! - `opinion`: what the encoder says of a pair, joined with what the linear model says;
//! - `survey`, `sum`: the whole document: who is a candidate in which sentence, what sentences say
//!   that do not name the target, and one stance from many passages;
//! - `pairs`: answers about given pairs, for whoever measures the stage.

mod bystander;
mod clause;
mod edge;
mod feature;
pub mod judge;
mod lexicon;
mod opinion;
mod pairs;
mod reading;
mod settings;
mod sum;
mod survey;

use std::sync::Arc;

use async_trait::async_trait;
use judge::{Judge, RulesAndEncoder, RulesAndWeights};
pub use lexicon::{CueError, Lexicon};
pub use reading::Party;
pub use settings::{DEFAULT_TARGET, JudgeKind, StanceSettings};
use standpoint_abi::export_stage;
use standpoint_document::{Document, layers};
use standpoint_encoder::{Files, Seen, StanceHead, VECTORS};
use standpoint_stage::{Contract, Stage, StageContext, StageDefinition, StageError, StartContext};
use sum::Limits;
use survey::Tools;

/// The weights that the stage carries; MODEL.md describes them.
const WEIGHTS: &[u8] = include_bytes!("../model/stance.bin");

/// The model that comes with the stage.
const SHIPPED: Files<'static> = Files::Compiled(&[
    ("manifest.json", include_bytes!("../../../crates/standpoint-encoder/model/manifest.json")),
    ("stance.onnx", include_bytes!("../../../crates/standpoint-encoder/model/stance.onnx")),
]);

/// Finds stances toward the targets of its settings.
pub struct StanceStage {
    targets: Vec<String>,
    judge: Box<dyn Judge>,
    /// The model whose vectors the judge reads.
    model: Option<String>,
    lexicon: Arc<Lexicon>,
    limits: Limits,
}

impl StageDefinition for StanceStage {
    const NAME: &'static str = "stance";
    const CONTRACT: Contract = Contract {
        reads: &[
            layers::TOKENS,
            layers::SENTENCES,
            layers::ENTITIES,
            layers::LANGUAGE,
            pairs::ASKED,
            VECTORS,
        ],
        writes: &[layers::STANCE, pairs::ANSWERED],
    };
    const MODEL: Option<&'static str> = Some("stance-linear/2");
    type Settings = StanceSettings;

    fn start(settings: StanceSettings, context: &StartContext) -> Result<Self, StageError> {
        let targets = settings.all_targets().map_err(StageError::stage)?;
        if !(0.0..=1.0).contains(&settings.minimum_confidence) {
            return Err(StageError::stage(format!(
                "`minimum_confidence` is {}: expected a number from 0 to 1",
                settings.minimum_confidence
            )));
        }
        let lexicon = match &settings.cues {
            Some(folder) => Lexicon::from_folder(&context.resolve(folder)),
            None => Lexicon::standard(),
        };
        let lexicon = lexicon.map_err(|error| StageError::caused_by(&error))?;
        let lexicon = Arc::new(lexicon);
        let rules = RulesAndWeights::new(Arc::clone(&lexicon), WEIGHTS).map_err(|error| {
            StageError::stage(format!("the stage's weights do not fit it: {error}"))
        })?;
        let (judge, model): (Box<dyn Judge>, _) = match settings.judge {
            JudgeKind::Rules => (Box::new(rules), None),
            JudgeKind::Neural => {
                let folder = settings.model.as_ref().map(|model| context.resolve(model));
                let files = folder.as_deref().map_or(SHIPPED, Files::Folder);
                let head =
                    StanceHead::open(files).map_err(|error| StageError::caused_by(&error))?;
                let id = head.id().to_owned();
                (Box::new(RulesAndEncoder::new(rules, head)), Some(id))
            }
        };
        let limits = Limits {
            minimum_confidence: settings.minimum_confidence,
            max_evidence: settings.max_evidence as usize,
            alone_is_not_enough: false,
            is_stranger: false,
            sentences: 0,
        };
        Ok(Self { targets, judge, model, lexicon, limits })
    }
}

#[async_trait]
impl Stage for StanceStage {
    async fn process(
        &self,
        document: &mut Document<'_>,
        context: &StageContext<'_>,
    ) -> Result<(), StageError> {
        let mut notes = Vec::new();
        let mut stances = Vec::with_capacity(self.targets.len());
        let seen = match &self.model {
            None => None,
            Some(model) => {
                Seen::of(document, model).map_err(|error| StageError::stage(error.to_string()))?
            }
        };
        if self.model.is_some() && seen.is_none() {
            notes.push(
                "stance: judged by rules alone, for no stage `encode` wrote vectors".to_owned(),
            );
        }
        for target in &self.targets {
            if context.is_cancelled() {
                return Err(StageError::cancelled());
            }
            let tools = Tools { judge: &*self.judge, lexicon: &self.lexicon, seen };
            stances.push(survey::survey(document, tools, target, self.limits, &mut notes));
        }
        let answers = pairs::answer(document, &*self.judge, seen);
        document.set_stance(stances)?;
        if let Some(answers) = answers {
            document.set_attribute(pairs::ANSWERED, answers);
        }
        notes.dedup();
        for note in notes {
            document.add_note(note);
        }
        Ok(())
    }
}

export_stage!(StanceStage, settings: "settings.schema.json");

#[cfg(test)]
mod tests;
