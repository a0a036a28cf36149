//! Reads the text of a pipeline file into a tree with positions, strictly.
//!
//! The syntax is left to `saphyr-parser`. Here are the rules that make a file mean the same to
//! every reader: no duplicate keys, no merge keys, one document, a bound on size, depth and what
//! aliases may grow to.

use std::collections::{HashMap, HashSet};

use saphyr_parser::{Event, Parser, ScalarStyle, ScanError, Span, Tag};

use crate::diagnostic::{Diagnostic, Fault, Origin, Place, quoted};
use crate::tree::{Entry, Kind, Node, Scalar, join};

/// Largest pipeline file that is read.
pub(crate) const MAX_FILE_BYTES: usize = 1 << 20;

/// Most values a file may hold once its aliases are filled in.
const MAX_NODES: usize = 20_000;

/// Deepest nesting of maps and lists.
const MAX_DEPTH: usize = 64;

/// Reads `text`, adding what is wrong with it to `findings`.
///
/// Returns `None` when the text is too broken for anything more to be said about it.
pub(crate) fn read(text: &str, origin: &Origin, findings: &mut Vec<Diagnostic>) -> Option<Node> {
    if text.len() > MAX_FILE_BYTES {
        let fault =
            Fault::new(format!("the file has {} bytes, above the limit of 1MiB", text.len()));
        findings.push(origin.diagnostic(&Place::Nowhere, "", fault));
        return None;
    }
    let mut reader =
        Reader { origin, findings, stack: Vec::new(), anchors: HashMap::new(), nodes: 0, line: 1 };
    match reader.read(text) {
        Ok(root) => root,
        Err((place, fault)) => {
            findings.push(origin.diagnostic(&place, "", fault));
            None
        }
    }
}

/// A mistake after which reading cannot go on.
type Fatal = (Place, Fault);

struct Reader<'a> {
    origin: &'a Origin,
    findings: &'a mut Vec<Diagnostic>,
    /// The maps and lists that are open, the innermost last.
    stack: Vec<Open>,
    /// Finished values that an alias may repeat, with how many nodes each has.
    anchors: HashMap<usize, (Node, usize)>,
    nodes: usize,
    /// Up to which line the text was understood.
    line: usize,
}

/// A map or list whose end has not come yet.
struct Open {
    place: Place,
    anchor: usize,
    /// The count of nodes when it was opened.
    nodes_before: usize,
    content: Content,
}

enum Content {
    List(Vec<Node>),
    Map { entries: Vec<Entry>, seen: HashSet<String>, key: Option<(String, Place)> },
}

impl Reader<'_> {
    fn read(&mut self, text: &str) -> Result<Option<Node>, Fatal> {
        let mut root = None;
        let mut documents = 0;
        for event in Parser::new_from_str(text) {
            let (event, span) = event.map_err(|error| self.explain(&error, text))?;
            self.line = span.start.line();
            let place = place_of(span);
            match event {
                Event::DocumentStart(_) => {
                    documents += 1;
                    if documents > 1 {
                        let fault = Fault::new("a second YAML document starts here")
                            .help("a pipeline file holds one; remove the `---` and what follows");
                        return Err((place, fault));
                    }
                }
                Event::Scalar(text, style, anchor, tag) => {
                    let scalar = self.scalar(&text, style, tag.as_deref(), &place);
                    let node = Node { place, kind: Kind::Scalar(scalar) };
                    self.count(&node.place, 1)?;
                    self.remember(anchor, &node, 1);
                    self.put(node, &mut root)?;
                }
                Event::SequenceStart(anchor, tag) => {
                    self.open(place, anchor, tag.as_deref(), Content::List(Vec::new()))?;
                }
                Event::MappingStart(anchor, tag) => {
                    let content =
                        Content::Map { entries: Vec::new(), seen: HashSet::new(), key: None };
                    self.open(place, anchor, tag.as_deref(), content)?;
                }
                Event::SequenceEnd | Event::MappingEnd => self.close(&mut root)?,
                Event::Alias(anchor) => {
                    let Some((node, nodes)) = self.anchors.get(&anchor).cloned() else {
                        return Err((place, Fault::new("an alias inside the value it repeats")));
                    };
                    self.count(&place, nodes)?;
                    self.put(node, &mut root)?;
                }
                Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentEnd => {}
            }
        }
        Ok(root)
    }

    fn scalar(
        &mut self,
        text: &str,
        style: ScalarStyle,
        tag: Option<&Tag>,
        place: &Place,
    ) -> Scalar {
        let is_text = tag.is_some_and(|tag| tag.is_yaml_core_schema() && tag.suffix == "str");
        if !is_text {
            self.refuse_tag(tag, place);
        }
        let plain = style == ScalarStyle::Plain && !is_text;
        Scalar { text: text.to_owned(), plain, ..Scalar::default() }
    }

    fn refuse_tag(&mut self, tag: Option<&Tag>, place: &Place) {
        let Some(tag) = tag else { return };
        let shown =
            if tag.is_yaml_core_schema() { format!("!!{}", tag.suffix) } else { tag.to_string() };
        let fault = Fault::new(format!("the tag {} is not supported", quoted(&shown)))
            .help("remove it; put a value in quotes to make it text");
        let path = self.path();
        self.findings.push(self.origin.diagnostic(place, &path, fault));
    }

    fn open(
        &mut self,
        place: Place,
        anchor: usize,
        tag: Option<&Tag>,
        content: Content,
    ) -> Result<(), Fatal> {
        self.refuse_tag(tag, &place);
        if self.stack.len() >= MAX_DEPTH {
            let fault = Fault::new(format!("nested more than {MAX_DEPTH} levels deep"));
            return Err((place, fault));
        }
        if let Some(Open { content: Content::Map { key: None, .. }, .. }) = self.stack.last() {
            let fault = Fault::new("a map or a list cannot be a key")
                .help("a value with `{`, `[` or `${` at its start or inside `{ }` needs quotes");
            return Err((place, fault));
        }
        let nodes_before = self.nodes;
        self.count(&place, 1)?;
        self.stack.push(Open { place, anchor, nodes_before, content });
        Ok(())
    }

    fn close(&mut self, root: &mut Option<Node>) -> Result<(), Fatal> {
        let Some(open) = self.stack.pop() else { return Ok(()) };
        let kind = match open.content {
            Content::List(items) => Kind::List(items),
            Content::Map { entries, .. } => Kind::Map(entries),
        };
        let node = Node { place: open.place, kind };
        self.remember(open.anchor, &node, self.nodes - open.nodes_before);
        self.put(node, root)
    }

    /// Puts a finished value where it belongs: in the innermost open map or list.
    fn put(&mut self, node: Node, root: &mut Option<Node>) -> Result<(), Fatal> {
        let path = self.path();
        match self.stack.last_mut().map(|open| &mut open.content) {
            None => *root = Some(node),
            Some(Content::List(items)) => items.push(node),
            Some(Content::Map { entries, seen, key }) => match key.take() {
                None => {
                    let Kind::Scalar(scalar) = node.kind else {
                        return Err((node.place, Fault::new("a map or a list cannot be a key")));
                    };
                    *key = Some((scalar.text, node.place));
                }
                Some((key, place)) if key == "<<" => {
                    let fault = Fault::new("merge keys (`<<`) are not part of YAML 1.2")
                        .help("write the keys out, or set them once under `defaults`");
                    self.findings.push(self.origin.diagnostic(&place, &path, fault));
                }
                Some((key, place)) if !seen.insert(key.clone()) => {
                    let fault = Fault::new(format!("the key {} is here twice", quoted(&key)))
                        .help(first_place(entries, &key));
                    self.findings.push(self.origin.diagnostic(&place, &path, fault));
                }
                Some((key, place)) => {
                    let mut value = node;
                    if !matches!(value.kind, Kind::Scalar(_)) {
                        value.place = place.clone();
                    }
                    entries.push(Entry { key, place, value });
                }
            },
        }
        Ok(())
    }

    /// The path of the value that comes next.
    fn path(&self) -> String {
        self.stack.iter().fold(String::new(), |path, open| match &open.content {
            Content::List(items) => format!("{path}[{}]", items.len()),
            Content::Map { key: Some((key, _)), .. } => join(&path, key),
            Content::Map { key: None, .. } => path,
        })
    }

    /// What a scanner's complaint means for someone who writes pipeline files. The scanner names
    /// the place where it noticed; what is wrong may stand lines before.
    fn explain(&self, error: &ScanError, text: &str) -> Fatal {
        let marker = error.marker();
        let (line, column) = (marker.line().max(1), marker.col() + 1);
        let lines: Vec<&str> = text.lines().collect();
        let line_at = |number: usize| lines.get(number - 1).copied().unwrap_or_default();
        let here = Place::File { line, column, width: 1 };
        let outermost = self.brackets(&line_at).next().map(|(line, column, _)| (line, column));
        // The scanner is ahead of what it says of brackets.
        let outermost = outermost.or_else(|| {
            (self.line..=line).find_map(|line| Some((line, first_bracket(line_at(line))?)))
        });
        let unclosed = outermost.and_then(|(line, column)| wrongly_closed(&lines, line, column));
        if let Some((line, column, bracket)) = unclosed {
            return not_closed(line, column, bracket);
        }
        if let Some((opened, at, bracket)) = self.outside_of(line, &line_at) {
            if !is_closed(&lines[opened - 1..], at - 1, bracket, closing(bracket)) {
                return not_closed(opened, at, bracket);
            }
            if error.info().starts_with("invalid indentation") {
                let fault = Fault::new(format!(
                    "not valid YAML: this line is inside the `{bracket}` of line {opened} and not indented"
                ));
                return (here, fault.help(format!("indent it further than line {opened}")));
            }
        }
        // Of a tab behind a word the scanner names the word, which may stand on the line before.
        let last = if error.info().contains("found a tab") { line + 1 } else { line };
        let tab = (self.line.max(1)..=last).find_map(|number| {
            // A blank line may hold tabs.
            let text = Some(line_at(number)).filter(|text| !text.trim().is_empty())?;
            let column = indent_of(text).chars().position(|c| c == '\t')?;
            Some(Place::File { line: number, column: column + 1, width: 1 })
        });
        if let Some(place) = tab {
            let fault = Fault::new("not valid YAML: this line is indented with a tab")
                .help("YAML is indented with spaces, never with tabs");
            return (place, fault);
        }
        // Only the line behind it shows that a word was to be a key.
        if error.info().starts_with("simple key") {
            let is_word = |number: &usize| {
                let line = line_at(*number).trim_start();
                !line.is_empty() && !line.starts_with('#')
            };
            let line = (1..line).rev().find(is_word).unwrap_or(line);
            let column = indent_of(line_at(line)).chars().count() + 1;
            let fault = Fault::new("not valid YAML: a key and a value need `: ` between them");
            return (Place::File { line, column, width: 1 }, fault);
        }
        let mut fault = Fault::new(format!("not valid YAML: {}", error.info()));
        if error.info().contains("did not find expected key") {
            fault = fault.help("keys and items of one map or list begin in the same column");
        }
        let noticed = line_at(line);
        if noticed.contains("${") && noticed.contains(['{', '[']) {
            fault = fault.help("inside `{ }` or `[ ]`, a value with `${` needs quotes");
        }
        (here, fault)
    }

    /// The innermost bracket, with its line and column, that is open where a line begins that is
    /// not indented as what stands in the bracket would be, or where the text ends.
    fn outside_of<'t>(
        &self,
        line: usize,
        line_at: &impl Fn(usize) -> &'t str,
    ) -> Option<(usize, usize, char)> {
        self.brackets(line_at).rev().find(|(opened, ..)| {
            let indent = indent_of(line_at(*opened)).len();
            *opened < line && indent_of(line_at(line)).len() <= indent
        })
    }

    /// The brackets that are open, each with its line and column, the innermost last.
    fn brackets<'t>(
        &self,
        line_at: &impl Fn(usize) -> &'t str,
    ) -> impl DoubleEndedIterator<Item = (usize, usize, char)> {
        self.stack.iter().filter_map(|open| {
            let Place::File { line, column, .. } = open.place else { return None };
            let bracket = line_at(line).chars().nth(column - 1)?;
            matches!(bracket, '[' | '{').then_some((line, column, bracket))
        })
    }

    fn remember(&mut self, anchor: usize, node: &Node, nodes: usize) {
        // Anchors are numbered from 1; 0 is none.
        if anchor > 0 {
            self.anchors.insert(anchor, (node.clone(), nodes));
        }
    }

    fn count(&mut self, place: &Place, nodes: usize) -> Result<(), Fatal> {
        self.nodes += nodes;
        if self.nodes > MAX_NODES {
            let fault = Fault::new(format!("more than {MAX_NODES} values, aliases filled in"));
            return Err((place.clone(), fault));
        }
        Ok(())
    }
}

fn first_place(entries: &[Entry], key: &str) -> String {
    match entries.iter().find(|entry| entry.key == key).map(|entry| &entry.place) {
        Some(Place::File { line, .. }) => {
            format!("it was first on line {line}; remove one of them")
        }
        _ => "remove one of them".to_owned(),
    }
}

fn place_of(span: Span) -> Place {
    let one_line = span.start.line() == span.end.line();
    let width = if one_line { span.end.col().saturating_sub(span.start.col()) } else { 1 };
    Place::File { line: span.start.line(), column: span.start.col() + 1, width: width.max(1) }
}

fn not_closed(line: usize, column: usize, bracket: char) -> Fatal {
    let fault = Fault::new(format!("not valid YAML: this `{bracket}` is not closed"))
        .help(format!("put `{}` behind its last item", closing(bracket)));
    (Place::File { line, column, width: 1 }, fault)
}

const fn closing(bracket: char) -> char {
    if bracket == '[' { ']' } else { '}' }
}

/// The column of the first bracket of a line that begins a value.
fn first_bracket(line: &str) -> Option<usize> {
    let mut starts = line.char_indices().filter(|(at, c)| {
        matches!(c, '[' | '{') && line[..*at].trim_end_matches(' ').ends_with([':', '-'])
    });
    let (at, _) = starts.next()?;
    Some(line[..at].chars().count() + 1)
}

/// The bracket inside the one at `line` and `column` that another kind of bracket closes.
fn wrongly_closed(lines: &[&str], line: usize, column: usize) -> Option<(usize, usize, char)> {
    let mut open: Vec<(usize, usize, char)> = Vec::new();
    let mut quote = None;
    for (number, text) in (line..).zip(&lines[line - 1..]) {
        let mut before = ' ';
        for (at, c) in (1..).zip(text.chars()).skip(if number == line { column - 1 } else { 0 }) {
            let begins_value = matches!(before, ' ' | '\t' | '[' | '{' | ',' | ':');
            match c {
                _ if quote.is_some() => quote = quote.filter(|quote| *quote != c || before == '\\'),
                '\'' | '"' if begins_value => quote = Some(c),
                '#' if matches!(before, ' ' | '\t') => break,
                '[' | '{' => open.push((number, at, c)),
                ']' | '}' => match open.pop() {
                    Some((.., bracket)) if closing(bracket) == c && open.is_empty() => return None,
                    Some((.., bracket)) if closing(bracket) == c => {}
                    wrong => return wrong,
                },
                _ => {}
            }
            before = c;
        }
    }
    None
}

/// Whether the bracket that stands in the first of `lines`, behind `before` characters, is closed.
fn is_closed(lines: &[&str], before: usize, bracket: char, closing: char) -> bool {
    let mut depth = 0_usize;
    for (index, line) in lines.iter().enumerate() {
        for c in line.chars().skip(if index == 0 { before } else { 0 }) {
            if c == bracket {
                depth += 1;
            } else if c == closing {
                depth -= 1;
            }
            if depth == 0 {
                return true;
            }
        }
    }
    false
}

fn indent_of(line: &str) -> &str {
    &line[..line.len() - line.trim_start().len()]
}
