//! The stage by which the cost of the boundary is measured: reads every token and name, and marks
//! a hundred spans. The plugin `spans` of `standpoint-abi` does the same in a shared library.

use std::process::ExitCode;

use async_trait::async_trait;
use standpoint_process::{About, serve};
use standpoint_stage::document::{Annotation, Document, layers};
use standpoint_stage::{
    Contract, NoSettings, Stage, StageContext, StageDefinition, StageError, StartContext,
};

/// Adds up what it reads and marks every twelfth token.
pub(crate) struct Spans;

impl StageDefinition for Spans {
    const NAME: &'static str = "spans";
    const CONTRACT: Contract = Contract { reads: &[layers::TOKENS, "names"], writes: &["marks"] };
    type Settings = NoSettings;

    fn start(_: NoSettings, _: &StartContext) -> Result<Self, StageError> {
        Ok(Self)
    }
}

#[async_trait]
impl Stage for Spans {
    async fn process(
        &self,
        document: &mut Document<'_>,
        _: &StageContext<'_>,
    ) -> Result<(), StageError> {
        let length = |annotation: &Annotation| annotation.span.end - annotation.span.start;
        let names = document.layer("names").map_or(&[][..], |layer| &layer.annotations);
        let total: u32 = document.tokens().iter().chain(names).map(length).sum();
        let marks: Vec<_> = document
            .tokens()
            .iter()
            .step_by(12)
            .map(|token| token.with_score(total as f32).with_label(0))
            .collect();
        document.set_layer("marks", marks)?;
        Ok(())
    }
}

fn main() -> ExitCode {
    let about = About { version: "1.0.0", description: "marks every twelfth token" };
    match serve::<Spans>(about) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}
