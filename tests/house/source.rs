//! Rust code as a row of words, without its comments.

use std::fs;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use proc_macro2::{Delimiter, TokenStream, TokenTree};

use crate::workspace::{root, text_files};

/// A file's code.
pub(crate) struct Code {
    /// The path below the workspace.
    pub(crate) name: String,
    words: Vec<Word>,
    tokens: TokenStream,
}

/// An identifier, a mark, a literal, or one side of a pair of brackets.
struct Word {
    text: String,
    line: usize,
}

impl Code {
    pub(crate) fn read(file: &Path) -> Self {
        let text = fs::read_to_string(file).unwrap();
        let name = file.strip_prefix(root()).unwrap().display().to_string();
        let tokens = TokenStream::from_str(&text).unwrap_or_else(|error| {
            panic!("{name} is not Rust: {error}");
        });
        Self::of(name, tokens)
    }

    fn of(name: String, tokens: TokenStream) -> Self {
        let mut words = Vec::new();
        flatten(tokens.clone(), &mut words);
        Self { name, words, tokens }
    }

    /// The code without its modules of tests.
    pub(crate) fn without_tests(self) -> Self {
        let trees: Vec<TokenTree> = self.tokens.into_iter().collect();
        let mut kept = Vec::new();
        let mut index = 0;
        while let Some(tree) = trees.get(index) {
            let is_test = matches!(trees.get(index + 1), Some(TokenTree::Group(group))
                if group.stream().to_string().replace(' ', "") == "cfg(test)");
            if is_test {
                // Over the attribute and to the end of the item that it is on.
                index += 2;
                while let Some(tree) = trees.get(index) {
                    index += 1;
                    match tree {
                        TokenTree::Group(group) if group.delimiter() == Delimiter::Brace => break,
                        TokenTree::Punct(mark) if mark.as_char() == ';' => break,
                        _ => {}
                    }
                }
            } else {
                kept.push(tree.clone());
                index += 1;
            }
        }
        Self::of(self.name, kept.into_iter().collect())
    }

    /// Identifiers and literals with their lines, those of documentation left out.
    pub(crate) fn words(&self) -> impl Iterator<Item = (usize, &str)> {
        self.words.iter().map(|word| (word.line, word.text.as_str()))
    }

    /// Whether an identifier occurs.
    pub(crate) fn names(&self, identifier: &str) -> bool {
        self.words.iter().any(|word| word.text == identifier)
    }

    /// The lines where these words follow each other.
    pub(crate) fn lines_with(&self, sought: &[&str]) -> Vec<usize> {
        let windows = self.words.windows(sought.len());
        let found = windows.filter(|window| window.iter().map(|word| &word.text).eq(sought));
        found.map(|window| window[0].line).collect()
    }

    /// The lines of `unsafe { ... }` and `unsafe impl`.
    pub(crate) fn unsafe_blocks(&self) -> Vec<usize> {
        [self.lines_with(&["unsafe", "{"]), self.lines_with(&["unsafe", "impl"])].concat()
    }

    /// The attributes that silence a lint, with their lines.
    pub(crate) fn silencing(&self) -> Vec<(usize, String)> {
        let starts = self.words.windows(2).enumerate().filter(|(index, pair)| {
            ["allow", "expect"].contains(&pair[0].text.as_str())
                && pair[1].text == "("
                && *index > 0
                && ["[", ","].contains(&self.words[index - 1].text.as_str())
                && self.is_attribute(*index)
        });
        let attribute = |index: usize| {
            let words = self.words[index..].iter().map(|word| word.text.as_str());
            words.take_while(|word| *word != ")").collect::<Vec<_>>().join(" ")
        };
        starts.map(|(index, pair)| (pair[0].line, attribute(index))).collect()
    }

    /// Whether the word at `index` is the first of `#[...]` or `#![...]`.
    fn is_attribute(&self, index: usize) -> bool {
        let before: Vec<&str> = self.words[index.saturating_sub(3)..index]
            .iter()
            .map(|word| word.text.as_str())
            .collect();
        before.ends_with(&["#", "["]) || before.ends_with(&["#", "!", "["])
    }

    /// What the file defines itself, outside of its modules.
    pub(crate) fn top_level_definitions(&self) -> Vec<String> {
        let defining = ["fn", "struct", "enum", "trait", "impl", "static", "const", "type"];
        let words = self.tokens.clone().into_iter().map(|tree| tree.to_string());
        words.filter(|word| defining.contains(&word.as_str())).collect()
    }
}

/// Puts all words into one row; leaves out documentation, which is an attribute to the compiler.
fn flatten(tokens: TokenStream, into: &mut Vec<Word>) {
    for tree in tokens {
        let line = tree.span().start().line;
        match tree {
            TokenTree::Group(group) => {
                let first = group.stream().into_iter().next();
                if first.is_some_and(|tree| tree.to_string() == "doc") {
                    continue;
                }
                let (open, close) = match group.delimiter() {
                    Delimiter::Brace => ("{", "}"),
                    Delimiter::Bracket => ("[", "]"),
                    Delimiter::Parenthesis => ("(", ")"),
                    Delimiter::None => ("", ""),
                };
                into.push(Word { text: open.to_owned(), line });
                flatten(group.stream(), into);
                let line = group.span_close().start().line;
                into.push(Word { text: close.to_owned(), line });
            }
            other => into.push(Word { text: other.to_string(), line }),
        }
    }
}

/// The Rust files of a folder and the folders in it.
pub(crate) fn rust_files(dir: &Path) -> Vec<PathBuf> {
    let is_rust = |path: &PathBuf| path.extension().is_some_and(|extension| extension == "rs");
    text_files().into_iter().filter(|path| path.starts_with(dir)).filter(is_rust).collect()
}
