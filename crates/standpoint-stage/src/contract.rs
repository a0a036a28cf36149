//! What a stage reads and writes, and whether a chain of stages can work.

use thiserror::Error;

/// The layers, records and attributes that a stage reads and writes, by name.
///
/// The standard names are in [`layers`](standpoint_document::layers); a stage's own are any
/// others. Names that begin with [`ASKED`] are questions that whoever runs the pipeline may ask, or
/// help that another stage may give: a stage that reads one finds it or not, and no other stage
/// needs to write it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Contract {
    /// What must be there before the stage runs.
    pub reads: &'static [&'static str],
    /// What the stage may write, and nothing else.
    pub writes: &'static [&'static str],
}

/// How the names of attributes begin that whoever runs a pipeline sets on a document before its
/// first stage, such as `standpoint.pairs`: pairs of spans to judge.
pub const ASKED: &str = "standpoint.";

/// Whether a stage can work without anybody writing `name` before it.
fn is_optional(name: &str) -> bool {
    // The language is metadata, which a source may give.
    name.starts_with(ASKED) || name == standpoint_document::layers::LANGUAGE
}

/// A stage that reads what no stage before it writes.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error(
    "stage `{stage}` reads `{layer}`, which no earlier stage writes{}",
    writer.as_ref().map(|writer| format!("; put `{writer}` before it")).unwrap_or_default()
)]
pub struct ChainError {
    /// The stage's id.
    pub stage: String,
    /// Its place in the chain, from 0.
    pub index: usize,
    /// What it reads.
    pub layer: String,
    /// A stage that writes it: a later one of the chain, or else an installed one.
    pub writer: Option<String>,
}

/// Checks that every stage of a chain finds what it reads.
///
/// - `chain`: for each stage its id, what it reads and what it writes, in order;
/// - `installed`: name and writes of other stages that could be used, for the advice;
/// - returns every mistake, none for a chain that can work.
#[must_use]
pub fn check_chain(
    chain: &[(&str, Vec<String>, Vec<String>)],
    installed: &[(String, Vec<String>)],
) -> Vec<ChainError> {
    let mut mistakes = Vec::new();
    for (index, (stage, reads, _)) in chain.iter().enumerate() {
        let (earlier, later) = chain.split_at(index);
        for layer in reads {
            let is_written = earlier.iter().any(|(_, _, writes)| writes.contains(layer));
            if is_written || is_optional(layer) {
                continue;
            }
            let from_chain = later.iter().skip(1).find(|(_, _, writes)| writes.contains(layer));
            let from_installed = installed.iter().find(|(_, writes)| writes.contains(layer));
            mistakes.push(ChainError {
                stage: (*stage).to_owned(),
                index,
                layer: layer.clone(),
                writer: from_chain
                    .map(|(id, ..)| (*id).to_owned())
                    .or_else(|| from_installed.map(|(name, _)| name.clone())),
            });
        }
    }
    mistakes
}

#[cfg(test)]
mod tests {
    use super::*;

    type Row = (&'static str, Vec<String>, Vec<String>);

    fn row(id: &'static str, reads: &[&str], writes: &[&str]) -> Row {
        let owned = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect();
        (id, owned(reads), owned(writes))
    }

    fn messages(chain: &[Row], installed: &[(String, Vec<String>)]) -> Vec<String> {
        check_chain(chain, installed).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_chain_works_when_all_that_is_read_was_written_before() {
        let tokenise = row("tokenise", &[], &["tokens", "sentences"]);
        let entity = row("entity", &["tokens"], &["entities"]);
        assert_eq!(messages(&[tokenise.clone(), entity.clone()], &[]), [""; 0]);
        assert_eq!(
            messages(&[entity.clone(), tokenise], &[]),
            [
                "stage `entity` reads `tokens`, which no earlier stage writes; put `tokenise` before it"
            ]
        );
        let installed = [("icu".to_owned(), vec!["tokens".to_owned()])];
        assert_eq!(
            messages(std::slice::from_ref(&entity), &installed),
            ["stage `entity` reads `tokens`, which no earlier stage writes; put `icu` before it"]
        );
        assert_eq!(
            messages(&[entity], &[]),
            ["stage `entity` reads `tokens`, which no earlier stage writes"]
        );
    }

    #[test]
    fn questions_and_the_language_need_no_writer() {
        let asked = row("judge", &["standpoint.pairs", "language"], &["x"]);
        assert_eq!(messages(&[asked], &[]), [""; 0]);
    }

    #[test]
    fn a_stage_does_not_feed_itself() {
        let own = row("loop", &["x"], &["x"]);
        assert_eq!(messages(&[own], &[]).len(), 1);
    }
}
