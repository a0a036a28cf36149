//! What authors of stages need to test them: documents with the usual layers, a way to call a
//! stage without an engine, and a check that the settings' schema file is current.
//!
//! These are for tests; a stage itself needs none of them.

use std::future::Future;
use std::path::Path;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};

use standpoint_document::{Annotation, Document, Span, layers};

use crate::definition::StageDefinition;
use crate::error::StageError;
use crate::stage::{Stage, StageContext};

/// Runs a stage on one document and waits for it.
///
/// # Errors
///
/// What the stage returns.
pub fn process(stage: &dyn Stage, document: &mut Document<'_>) -> Result<(), StageError> {
    let cancelled = AtomicBool::new(false);
    let context = StageContext::new("test", 1, &cancelled);
    wait_for(stage.process(document, &context))
}

/// A document with tokens (runs of letters and digits, and each other mark by itself) and one
/// sentence for each line: enough to test a stage that reads them.
///
/// # Panics
///
/// When the text is longer than a document can be.
#[must_use]
#[expect(clippy::expect_used, reason = "for tests, which want to stop here")]
pub fn tokenised(text: &str) -> Document<'static> {
    let mut document =
        Document::new("test", text.to_owned()).expect("a test's text fits a document");
    let tokens = simple_tokens(text);
    let sentences = lines(text);
    document.set_layer(layers::TOKENS, tokens).expect("tokens come from the text in order");
    document.set_layer(layers::SENTENCES, sentences).expect("lines come from the text in order");
    document
}

fn simple_tokens(text: &str) -> Vec<Annotation> {
    let mut tokens: Vec<Annotation> = Vec::new();
    let mut in_word = false;
    for (at, character) in text.char_indices() {
        let end = (at + character.len_utf8()) as u32;
        match tokens.last_mut() {
            Some(word) if in_word && character.is_alphanumeric() => word.span.end = end,
            _ if character.is_whitespace() => {}
            _ => tokens.push(Annotation::new(Span::new(at as u32, end))),
        }
        in_word = character.is_alphanumeric();
    }
    tokens
}

fn lines(text: &str) -> Vec<Annotation> {
    let mut start = 0;
    let mut sentences = Vec::new();
    for line in text.split_inclusive('\n') {
        let words = line.trim_end();
        if !words.is_empty() {
            let end = start + words.len();
            sentences.push(Annotation::new(Span::new(start as u32, end as u32)));
        }
        start += line.len();
    }
    sentences
}

/// Drives a future to its end on this thread.
pub fn wait_for<F: Future>(future: F) -> F::Output {
    struct Unpark(Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut context = Context::from_waker(&waker);
    let mut future = pin!(future);
    loop {
        match future.as_mut().poll(&mut context) {
            Poll::Ready(output) => return output,
            Poll::Pending => thread::park(),
        }
    }
}

/// Checks that the file with the JSON Schema of a stage's settings, which `export_stage!` puts
/// into the plugin's manifest, says what the settings type says. With `UPDATE_SCHEMA=1` in the
/// environment it writes the file instead.
///
/// ```no_run
/// # use standpoint_stage::{*, document::Document};
/// # struct Hedge;
/// # #[async_trait::async_trait]
/// # impl Stage for Hedge {
/// #     async fn process(&self, _: &mut Document<'_>, _: &StageContext<'_>) -> Result<(), StageError> { Ok(()) }
/// # }
/// # impl StageDefinition for Hedge {
/// #     const NAME: &'static str = "hedge";
/// #     const CONTRACT: Contract = Contract { reads: &[], writes: &[] };
/// #     type Settings = NoSettings;
/// #     fn start(_: NoSettings, _: &StartContext) -> Result<Self, StageError> { Ok(Self) }
/// # }
/// standpoint_stage::testing::check_settings_schema::<Hedge>("settings.schema.json");
/// ```
///
/// # Panics
///
/// When the file differs, with the command that mends it.
#[expect(clippy::panic, reason = "for tests, which fail by panicking")]
pub fn check_settings_schema<S: StageDefinition>(file: impl AsRef<Path>) {
    let file = file.as_ref();
    let schema = schemars::schema_for!(S::Settings);
    let expected = format!("{:#}\n", schema.to_value());
    if std::env::var_os("UPDATE_SCHEMA").is_some() {
        if let Err(error) = std::fs::write(file, &expected) {
            panic!("cannot write {}: {error}", file.display());
        }
        return;
    }
    let found = std::fs::read_to_string(file).unwrap_or_default();
    assert!(
        found == expected,
        "{} is not the schema of the settings of `{}`: run the test with UPDATE_SCHEMA=1 to \
         write it",
        file.display(),
        S::NAME
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokenised_covers_words_marks_and_lines() {
        let document = tokenised("Yes, minister.\n\nNo: 2 cafés");
        let words: Vec<_> = document.tokens().iter().map(|t| document.slice(t.span)).collect();
        assert_eq!(words, ["Yes", ",", "minister", ".", "No", ":", "2", "cafés"]);
        let lines: Vec<_> = document.sentences().iter().map(|s| document.slice(s.span)).collect();
        assert_eq!(lines, ["Yes, minister.", "No: 2 cafés"]);
    }
}
