//! CoNLL-U: documents with the spans of their tokens, sentences and named entities.
//!
//! The raw document is made of the `# text` lines, joined by a space, with a blank line where
//! `# newpar` says that a paragraph starts. Documents are cut at `# newdoc`.
//!
//! A *token* here is a surface token, or a part of one where its multiword range is spelt as its
//! parts one after another: "don't" is `do` and `n't`, but "du" (`de` + `le`) stays one token.
//! So every token is a slice of the text.

use anyhow::{bail, ensure};
use standpoint_document::Span;

use super::input::{DataFile, Place};

/// A document of a treebank.
#[derive(Debug, Default)]
pub(super) struct Treebank {
    /// The id that `# newdoc` gives, or the place of the first sentence.
    pub(super) id: String,
    /// The raw text.
    pub(super) text: String,
    /// Tokens, in order.
    pub(super) tokens: Vec<Span>,
    /// Sentences, in order.
    pub(super) sentences: Vec<Span>,
    /// Named entities with the name of their type.
    pub(super) entities: Vec<(Span, String)>,
}

/// A line of a sentence that is a token of the raw text.
struct Word<'l> {
    form: &'l str,
    proper_noun: bool,
    determiner: bool,
    /// The value of `Entity=`.
    entity: &'l str,
    place: Place<'l>,
}

/// Reads the documents of a file.
///
/// # Errors
///
/// Names the first line that is not CoNLL-U, or whose token does not stand in the `# text`.
pub(super) fn read(file: &DataFile) -> anyhow::Result<Vec<Treebank>> {
    let mut reader = Reader::default();
    for (place, line) in file.lines() {
        reader.line(place, line)?;
    }
    reader.end_sentence(file.place(file.text.lines().count().max(1)))?;
    Ok(reader.documents)
}

#[derive(Default)]
struct Reader<'l> {
    documents: Vec<Treebank>,
    new_document: Option<String>,
    new_paragraph: bool,
    text: Option<(&'l str, Place<'l>)>,
    words: Vec<Word<'l>>,
    /// A multiword token whose parts are still to come: its form, and its last part's number.
    multiword: Option<Multiword<'l>>,
    /// How many fields an entity has when it has all of them.
    entity_fields: usize,
}

struct Multiword<'l> {
    form: &'l str,
    last: u32,
    place: Place<'l>,
    parts: Vec<Word<'l>>,
}

/// A mention of an entity that has begun.
struct Mention {
    group: String,
    kind: String,
    named: bool,
    first: usize,
}

impl<'l> Reader<'l> {
    fn line(&mut self, place: Place<'l>, line: &'l str) -> anyhow::Result<()> {
        if line.trim().is_empty() {
            return self.end_sentence(place);
        }
        let Some(comment) = line.strip_prefix('#') else {
            return self.word(place, line);
        };
        let (key, value) = comment.split_once('=').unwrap_or((comment, ""));
        match key.trim() {
            "newdoc" | "newdoc id" => {
                let id =
                    if value.trim().is_empty() { place.to_string() } else { value.trim().into() };
                self.new_document = Some(id);
            }
            "newpar" | "newpar id" => self.new_paragraph = true,
            "text" => self.text = Some((value.strip_prefix(' ').unwrap_or(value), place)),
            "global.Entity" => self.entity_fields = value.trim().split('-').count(),
            _ => {}
        }
        Ok(())
    }

    fn word(&mut self, place: Place<'l>, line: &'l str) -> anyhow::Result<()> {
        let columns: Vec<&str> = line.split('\t').collect();
        let [id, form, _, upos, .., misc] = columns[..] else {
            bail!("{place}: expected ten columns divided by tabs, found {}", columns.len());
        };
        ensure!(columns.len() == 10, "{place}: expected ten columns, found {}", columns.len());
        // Words that are understood but not written.
        if id.contains('.') {
            return Ok(());
        }
        let entity = misc.split('|').find_map(|part| part.strip_prefix("Entity=")).unwrap_or("");
        let word =
            Word { form, proper_noun: upos == "PROPN", determiner: upos == "DET", entity, place };
        if let Some((_, last)) = id.split_once('-') {
            let Ok(last) = last.parse() else { bail!("{place}: {id:?} is no range of words") };
            self.multiword = Some(Multiword { form, last, place, parts: Vec::new() });
            return Ok(());
        }
        let Ok(number) = id.parse::<u32>() else { bail!("{place}: {id:?} is no number of a word") };
        match self.multiword.take() {
            None => self.words.push(word),
            Some(mut multiword) => {
                multiword.parts.push(word);
                if multiword.last <= number {
                    self.end_multiword(multiword);
                } else {
                    self.multiword = Some(multiword);
                }
            }
        }
        Ok(())
    }

    fn end_multiword(&mut self, multiword: Multiword<'l>) {
        let spelt: String = multiword.parts.iter().map(|part| part.form).collect();
        if spelt == multiword.form {
            self.words.extend(multiword.parts);
            return;
        }
        let has = |test: fn(&Word<'_>) -> bool| multiword.parts.iter().any(test);
        self.words.push(Word {
            form: multiword.form,
            proper_noun: has(|part| part.proper_noun),
            determiner: false,
            entity: multiword
                .parts
                .iter()
                .map(|part| part.entity)
                .find(|e| !e.is_empty())
                .unwrap_or(""),
            place: multiword.place,
        });
    }

    fn end_sentence(&mut self, place: Place<'l>) -> anyhow::Result<()> {
        if let Some(multiword) = self.multiword.take() {
            bail!("{}: the words of {:?} are missing", multiword.place, multiword.form);
        }
        let words = std::mem::take(&mut self.words);
        let Some((text, text_place)) = self.text.take() else {
            ensure!(words.is_empty(), "{place}: the sentence that ends here has no `# text` line");
            return Ok(());
        };
        if self.new_document.is_some() || self.documents.is_empty() {
            let id = self.new_document.take().unwrap_or_else(|| text_place.to_string());
            self.documents.push(Treebank { id, ..Treebank::default() });
        }
        let new_paragraph = std::mem::take(&mut self.new_paragraph);
        let Some(document) = self.documents.last_mut() else { return Ok(()) };
        if !document.text.is_empty() {
            document.text.push_str(if new_paragraph { "\n\n" } else { " " });
        }
        let start = document.text.len();
        document.text.push_str(text);
        let first_token = document.tokens.len();
        document.push_tokens(start, &words)?;
        if let (Some(first), Some(last)) =
            (document.tokens.get(first_token), document.tokens.last())
        {
            document.sentences.push(Span::new(first.start, last.end));
        }
        document.push_entities(first_token, &words, self.entity_fields)
    }
}

impl Treebank {
    /// Finds the words of a sentence in the text, which ends with it, from byte `at` on.
    fn push_tokens(&mut self, mut at: usize, words: &[Word<'_>]) -> anyhow::Result<()> {
        for word in words {
            let rest = &self.text[at..];
            let from = at + rest.len() - rest.trim_start().len();
            ensure!(
                self.text[from..].starts_with(word.form),
                "{}: the token {:?} does not follow in the `# text` of its sentence",
                word.place,
                word.form
            );
            at = from + word.form.len();
            self.tokens.push(Span::new(from as u32, at as u32));
        }
        Ok(())
    }

    /// Reads the mentions of a sentence, whose tokens start at index `first_token`. A mention
    /// does not cross the end of a sentence.
    fn push_entities(
        &mut self,
        first_token: usize,
        words: &[Word<'_>],
        entity_fields: usize,
    ) -> anyhow::Result<()> {
        // From the outermost in.
        let mut open: Vec<Mention> = Vec::new();
        for (index, word) in words.iter().enumerate() {
            for piece in brackets(word.entity) {
                let group = match piece {
                    Bracket::Open(fields) => {
                        open.push(Mention::new(fields, index, entity_fields));
                        continue;
                    }
                    Bracket::Close(group) => group,
                };
                let is_meant = |mention: &Mention| group.is_empty() || mention.group == group;
                let Some(position) = open.iter().rposition(is_meant) else {
                    bail!("{}: the mention {group:?} ends but never began", word.place);
                };
                let mention = open.remove(position);
                let inside = &words[mention.first..=index];
                if !mention.named || !inside.iter().any(|word| word.proper_noun) {
                    continue;
                }
                let article = usize::from(inside.len() > 1 && inside[0].determiner);
                let first = self.tokens[first_token + mention.first + article];
                let last = self.tokens[first_token + index];
                self.entities.push((Span::new(first.start, last.end), mention.kind));
            }
        }
        Ok(())
    }
}

impl Mention {
    fn new(fields: &str, first: usize, all: usize) -> Self {
        let count = fields.split('-').count();
        let mut parts = fields.splitn(3, '-');
        Self {
            group: parts.next().unwrap_or_default().to_owned(),
            kind: parts.next().unwrap_or_default().to_owned(),
            // The last field, the title of an article, is only there for what has a name.
            named: 2 < all && all <= count,
            first,
        }
    }
}

enum Bracket<'e> {
    /// A mention begins; its fields.
    Open(&'e str),
    /// A mention ends; its group, empty for the one that began last.
    Close(&'e str),
}

/// Splits the value of `Entity=` into mentions that begin and end, in order: `(3-place)4)(5-org`.
fn brackets(entity: &str) -> Vec<Bracket<'_>> {
    let mut pieces = Vec::new();
    let mut rest = entity;
    while !rest.is_empty() {
        if let Some(opened) = rest.strip_prefix('(') {
            let end = opened.find(['(', ')']).unwrap_or(opened.len());
            pieces.push(Bracket::Open(&opened[..end]));
            rest = &opened[end..];
            // A mention of one word ends where it began.
            if let Some(closed) = rest.strip_prefix(')') {
                pieces.push(Bracket::Close(""));
                rest = closed;
            }
        } else {
            let end = rest.find(['(', ')']).unwrap_or(rest.len());
            pieces.push(Bracket::Close(&rest[..end]));
            rest = rest[end..].strip_prefix(')').unwrap_or(&rest[end..]);
        }
    }
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evaluate::input::FileKind;

    fn file(text: &str) -> DataFile {
        // Written with spaces, so that the columns can be read here.
        let text = text.lines().map(|line| {
            let line = line.trim();
            if line.starts_with('#') { line.to_owned() } else { line.replace(' ', "\t") }
        });
        let text = text.collect::<Vec<_>>().join("\n");
        DataFile { path: "own.conllu".into(), kind: FileKind::Conllu, text }
    }

    const OWN: &str = "\
        # newdoc id = first
        # global.Entity = GRP-etype-infstat-identity
        # newpar
        # text = The Hague doesn't wait.
        1 The the DET _ _ _ _ _ Entity=(1-place-new-The_Hague
        2 Hague hague PROPN _ _ _ _ _ Entity=1)
        3-4 doesn't _ _ _ _ _ _ _ _
        3 does do AUX _ _ _ _ _ _
        4 n't not PART _ _ _ _ _ _
        5 wait wait VERB _ _ _ _ _ SpaceAfter=No
        6 . . PUNCT _ _ _ _ _ _

        # text = Au revoir
        1-2 Au _ _ _ _ _ _ _ _
        1 à à ADP _ _ _ _ _ _
        2 le le DET _ _ _ _ _ _
        3 revoir revoir NOUN _ _ _ _ _ Entity=(2-abstract-new)

        # newpar
        # text = Oslo
        1 Oslo oslo PROPN _ _ _ _ _ Entity=(3-place-new-Oslo)

        # newdoc id = second
        # text = Yes
        1 Yes yes INTJ _ _ _ _ _ _
        ";

    #[test]
    fn documents_are_joined_and_multiword_tokens_cut_where_they_can_be() {
        let documents = read(&file(OWN)).unwrap();
        assert_eq!(documents.len(), 2);
        let first = &documents[0];
        assert_eq!(first.id, "first");
        assert_eq!(first.text, "The Hague doesn't wait. Au revoir\n\nOslo");
        let slices = |spans: &[Span]| -> Vec<String> {
            spans.iter().map(|span| first.text[span.range()].to_owned()).collect()
        };
        assert_eq!(
            slices(&first.tokens),
            ["The", "Hague", "does", "n't", "wait", ".", "Au", "revoir", "Oslo"]
        );
        assert_eq!(slices(&first.sentences), ["The Hague doesn't wait.", "Au revoir", "Oslo"]);
        assert_eq!(documents[1].text, "Yes");
    }

    #[test]
    fn only_names_are_entities_and_they_go_without_their_article() {
        let documents = read(&file(OWN)).unwrap();
        let entities: Vec<_> = documents[0]
            .entities
            .iter()
            .map(|(span, kind)| (&documents[0].text[span.range()], kind.as_str()))
            .collect();
        assert_eq!(entities, [("Hague", "place"), ("Oslo", "place")]);
    }

    #[test]
    fn faults_are_named_with_their_line() {
        let problem = |text: &str| read(&file(text)).unwrap_err().to_string();
        insta::assert_snapshot!(
            problem("# text = Yes\n1 No no INTJ _ _ _ _ _ _\n"),
            @r#"own.conllu:2: the token "No" does not follow in the `# text` of its sentence"#
        );
        insta::assert_snapshot!(problem("# text = Yes\n1 Yes yes\n"), @"own.conllu:2: expected ten columns divided by tabs, found 3");
        insta::assert_snapshot!(
            problem("1 Yes yes INTJ _ _ _ _ _ _\n"),
            @"own.conllu:1: the sentence that ends here has no `# text` line"
        );
        insta::assert_snapshot!(
            problem("# text = Yes\n1 Yes yes INTJ _ _ _ _ _ Entity=4)\n"),
            @r#"own.conllu:2: the mention "4" ends but never began"#
        );
    }
}
