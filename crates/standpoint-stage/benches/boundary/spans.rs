//! The stage by which the cost of the boundaries is measured, the same behind each of them.

use async_trait::async_trait;
use standpoint_stage::document::{Annotation, Document, layers};
use standpoint_stage::{
    Contract, NoSettings, Stage, StageContext, StageDefinition, StageError, StartContext,
};

/// Adds up all spans that it reads and marks every twelfth token.
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
        let names = document.layer("names").map_or(&[][..], |layer| &layer.annotations);
        let tokens = document.tokens();
        let sum = |spans: &[Annotation]| {
            spans.iter().fold(0_u32, |sum, a| sum.wrapping_add(a.span.end ^ a.label))
        };
        let total = sum(tokens).wrapping_add(sum(names));
        let marks: Vec<_> = tokens.iter().step_by(12).map(|t| t.with_flags(total)).collect();
        document.set_layer("marks", marks)?;
        Ok(())
    }
}
