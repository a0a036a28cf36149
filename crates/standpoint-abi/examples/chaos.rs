//! A plugin that does on demand what no plugin should: the text of the document says what.

#![allow(clippy::panic, reason = "it panics when asked to, to test what follows")]

use std::borrow::Cow;
use std::future::{pending, poll_fn};
use std::sync::atomic::{AtomicU32, Ordering};
use std::task::Poll;
use std::thread;

use schemars::JsonSchema;
use serde::Deserialize;
use standpoint_abi::document::{Aliases, Confidence, Entity, EntityKind, Polarity};
use standpoint_abi::document::{Sentiment, SentimentRecord, Vectors};
use standpoint_abi::prelude::*;
use standpoint_abi::stage::StageErrorKind;

export_stage!(Chaos, settings: "examples/chaos.schema.json");

/// Counts futures that were dropped before they were done.
static DROPPED: AtomicU32 = AtomicU32::new(0);

/// Misbehaves as the text says.
pub struct Chaos {
    settings: ChaosSettings,
    stage: String,
}

/// Settings of `chaos`.
#[derive(Deserialize, JsonSchema, Default)]
#[serde(deny_unknown_fields, default)]
pub struct ChaosSettings {
    /// Panic when made.
    panic_at_start: bool,
    /// Panic when dropped.
    panic_at_end: bool,
}

impl StageDefinition for Chaos {
    const NAME: &'static str = "chaos";
    const CONTRACT: Contract = Contract {
        reads: &[layers::TOKENS, layers::ENTITIES, layers::SENTIMENT, "colour", "vectors"],
        writes: &[
            layers::TOKENS,
            layers::ENTITIES,
            layers::SENTIMENT,
            layers::LANGUAGE,
            "report",
            "rows",
        ],
    };
    type Settings = ChaosSettings;

    fn start(settings: ChaosSettings, context: &StartContext) -> Result<Self, StageError> {
        assert!(!settings.panic_at_start, "asked to panic at start");
        Ok(Self { settings, stage: context.stage.clone() })
    }
}

impl Drop for Chaos {
    fn drop(&mut self) {
        assert!(!self.settings.panic_at_end, "asked to panic at the end");
    }
}

#[async_trait]
impl Stage for Chaos {
    async fn process(
        &self,
        document: &mut Document<'_>,
        context: &StageContext<'_>,
    ) -> Result<(), StageError> {
        let text = document.text().to_owned();
        match text.split_once(' ').map_or(text.as_str(), |(order, _)| order) {
            "panic" => panic!("asked to panic"),
            "panic-later" => {
                from_another_thread(1).await;
                panic!("asked to panic later");
            }
            "error" => Err(StageError::new(StageErrorKind::Transient, "asked to fail")),
            "hang" => {
                let _counted = Counted { panics: false };
                pending().await
            }
            "hang-and-panic-on-drop" => {
                let _counted = Counted { panics: true };
                pending().await
            }
            "wait" => {
                from_another_thread(3).await;
                document.set_attribute("report", "waited".into());
                Ok(())
            }
            "cancelled" if context.is_cancelled() => Err(StageError::cancelled()),
            "undeclared" => {
                document.set_attribute("report", "kept?".into());
                document.set_layer("secrets", Vec::new())?;
                Ok(())
            }
            "beyond" => {
                document.set_attribute("report", "kept?".into());
                // Whatever the stage makes of it, the host finds out.
                let beyond = Annotation::new(Span::new(0, 4_000));
                let _ = document.set_layer("rows", vec![beyond]);
                Ok(())
            }
            "log" => {
                tracing::info!(words = 3, odd = true, who = "chaos", "counted");
                tracing::trace!("too quiet");
                Ok(())
            }
            "where" => {
                self.report(document, context);
                Ok(())
            }
            "rich" => rich(document),
            "dropped" => {
                document.set_attribute("report", DROPPED.load(Ordering::SeqCst).into());
                Ok(())
            }
            _ => Ok(()),
        }
    }
}

impl Chaos {
    /// Tells what the plugin sees, and where in memory it sees it.
    fn report(&self, document: &mut Document<'_>, context: &StageContext<'_>) {
        let layer_names: Vec<&str> = document.layers().map(|(name, _)| name).collect();
        let vectors = document.layer("vectors").and_then(|layer| layer.vectors.as_ref());
        let labels = document.layer("vectors").map(|layer| layer.labels.clone());
        let report = serde_json::json!({
            "text_at": document.text().as_ptr() as usize,
            "tokens_at": document.tokens().as_ptr() as usize,
            "vectors_at": vectors.map(|vectors| vectors.values.as_ptr() as usize),
            "labels": labels,
            "layers": layer_names,
            "id": document.id(),
            "metadata": document.metadata(),
            "entities": document.entities(),
            "sentiment": document.sentiment(),
            "colour": document.attribute("colour"),
            "shape": document.attribute("shape"),
            "attempt": context.attempt,
            "stage": context.stage,
            "made_for": self.stage,
        });
        document.set_attribute("report", report);
    }
}

/// Writes one of everything.
fn rich(document: &mut Document<'_>) -> Result<(), StageError> {
    let whole = Span::new(0, 4);
    let entity = Entity {
        id: "name:rich".into(),
        name: "Rich".into(),
        kind: EntityKind::Person,
        country: None,
        speaks_for_country: false,
        aliases: Aliases::from_lines("Richard"),
    };
    document.set_entities(vec![Annotation::new(whole).with_link(0)], vec![entity])?;
    let mood =
        Sentiment { score: Polarity::saturating(0.5), confidence: Confidence::saturating(0.25) };
    document.set_sentiment(SentimentRecord {
        document: Some(mood),
        sentences: Vec::new(),
        mentions: vec![None],
    })?;
    document.set_layer(
        "rows",
        Layer {
            annotations: Cow::Owned(vec![Annotation::new(whole).with_label(1)]),
            labels: vec!["low".into(), "high".into()],
            vectors: Some(Vectors { width: 2, values: Cow::Owned(vec![1.0, 2.0]) }),
        },
    )?;
    document.set_language("fr");
    document.add_note("left the rest out");
    Ok(())
}

struct Counted {
    panics: bool,
}

impl Drop for Counted {
    fn drop(&mut self) {
        DROPPED.fetch_add(1, Ordering::SeqCst);
        assert!(!self.panics, "asked to panic on drop");
    }
}

/// Waits to be woken by another thread, as often as `times`.
async fn from_another_thread(mut times: u32) {
    poll_fn(move |context| {
        if times == 0 {
            return Poll::Ready(());
        }
        times -= 1;
        let waker = context.waker().clone();
        thread::spawn(move || waker.wake());
        Poll::Pending
    })
    .await;
}
