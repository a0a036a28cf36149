//! A good stage passes all checks, and each fault is found by its own.

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::Deserialize;
use standpoint_document::Span;

use super::*;
use crate::contract::Contract;

/// How the stage below goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Fault {
    None,
    Panics,
    Foreign,
    Counts,
    Miscounts,
    Outside,
}

struct Faulty(Fault, std::sync::atomic::AtomicUsize);

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct FaultySettings {
    /// What to do wrong.
    #[serde(default = "none")]
    fault: Fault,
}

fn none() -> Fault {
    Fault::None
}

impl StageDefinition for Faulty {
    const NAME: &'static str = "faulty";
    const CONTRACT: Contract = Contract { reads: &[layers::TOKENS], writes: &["marks"] };
    type Settings = FaultySettings;

    fn start(settings: FaultySettings, _: &StartContext) -> Result<Self, StageError> {
        Ok(Self(settings.fault, 0.into()))
    }
}

#[async_trait]
impl Stage for Faulty {
    async fn process(
        &self,
        document: &mut Document<'_>,
        _: &StageContext<'_>,
    ) -> Result<(), StageError> {
        let calls = self.1.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let mut marks: Vec<_> = document.tokens().iter().take(3).copied().collect();
        match self.0 {
            Fault::Panics => assert!(document.text() != "a", "no single letters"),
            Fault::Foreign => document.set_attribute("foreign", Value::Null),
            Fault::Counts => document.set_attribute("marks", calls.into()),
            Fault::Outside => {
                document.lend_layer("marks", vec![Annotation::new(Span::new(5, 9999))].into());
                return Ok(());
            }
            Fault::None | Fault::Miscounts => {}
        }
        marks.truncate(2);
        document.set_layer("marks", marks)?;
        Ok(())
    }

    async fn process_batch(
        &self,
        documents: &mut [Document<'_>],
        context: &StageContext<'_>,
    ) -> Vec<Result<(), StageError>> {
        let mut results = Vec::new();
        for document in documents {
            results.push(self.process(document, context).await);
        }
        if self.0 == Fault::Miscounts {
            results.pop();
        }
        results
    }
}

#[test]
fn a_good_stage_conforms() {
    assert_conforms::<Faulty>();
}

#[test]
fn each_fault_is_found_by_its_check() {
    let cases = [
        ("panics", "texts", "no single letters"),
        ("foreign", "contract", "it writes `foreign`"),
        ("counts", "deterministic", "says another thing when asked again"),
        ("miscounts", "batch", "results for"),
        ("outside", "texts", "leaves the text"),
        ("no-such-fault", "defaults", "it does not start"),
    ];
    for (fault, check, expected) in cases {
        let told = std::panic::catch_unwind(|| {
            assert_conforms_with::<Faulty>(&json!({ "fault": fault }));
        });
        let told = *told.unwrap_err().downcast::<String>().unwrap();
        let line = told.lines().find(|line| line.trim_start().starts_with(check));
        let line = line.unwrap_or_else(|| panic!("{fault}: {told}"));
        assert!(line.contains(expected), "{fault}: {line}");
    }
}
