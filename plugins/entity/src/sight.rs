//! What the tables see in a text: atoms with their cues, names, and a hint for each token.

use standpoint_document::{Annotation, sentence};

use crate::atom::{self, Atom, atoms};
use crate::cues;
use crate::fold::{Look, fold};
use crate::gazetteer::{Form, Gazetteer, Match, Sense};
use crate::tagger::Hint;

/// What the tables see in a text.
#[derive(Debug)]
pub struct Sight {
    /// The text in atoms.
    pub atoms: Vec<Atom>,
    /// Names from the tables, in order.
    pub matches: Vec<Match>,
    /// One for each token, for the tagger.
    pub hints: Vec<Hint>,
    /// One for each token: how it is written.
    pub looks: Vec<Look>,
    /// For each token, its first atom; one more than there are tokens.
    pub atom_of_token: Vec<u32>,
}

impl Sight {
    /// Looks at a text.
    ///
    /// - `tokens`, `sentences`: inside `text` and in order; without sentences the text is one.
    #[must_use]
    pub fn new(
        gazetteer: &Gazetteer,
        text: &str,
        tokens: &[Annotation],
        sentences: &[Annotation],
    ) -> Self {
        let mut looks = Vec::with_capacity(tokens.len());
        let mut atoms = atoms(text, tokens, &mut looks);
        mark_sentences(&mut atoms, sentences);
        for atom in &mut atoms {
            if atom.is(atom::WORD) {
                let known = gazetteer.beginning(atom.hash);
                (atom.cues, atom.node) = (known.cues, known.node);
            }
        }
        let matches = gazetteer.matches(&atoms);
        let mut atom_of_token = vec![atoms.len() as u32; tokens.len() + 1];
        let mut hints = vec![0; tokens.len()];
        for (index, atom) in atoms.iter().enumerate().rev() {
            atom_of_token[atom.token as usize] = index as u32;
            if atom.is(atom::CAPITAL) && atom.cues(cues::FIRST_NAME) {
                hints[atom.token as usize] = FIRST_NAME;
            }
        }
        // A token without an atom, such as a hyphen, begins where the next one does.
        for token in (0..tokens.len()).rev() {
            atom_of_token[token] = atom_of_token[token].min(atom_of_token[token + 1]);
        }
        for &found in &matches {
            let hint = hint(gazetteer, gazetteer.best_sense(found));
            let mut previous = None;
            for atom in &atoms[found.first as usize..found.end as usize] {
                if previous == Some(atom.token) {
                    continue;
                }
                hints[atom.token as usize] = hint + u8::from(previous.is_some());
                previous = Some(atom.token);
            }
        }
        Self { atoms, matches, hints, looks, atom_of_token }
    }
}

const FIRST_NAME: Hint = 30;

fn hint(gazetteer: &Gazetteer, sense: &Sense) -> Hint {
    let kind = match sense.form {
        Form::Nothing => 1,
        Form::Adjective => 2,
        Form::People => 3,
        Form::Capital => 4,
        Form::Seat => 5,
        Form::Name => 6 + gazetteer.record(sense.record).kind.code() as u8,
    };
    // Even, so that the hint of a further token is one more.
    kind * 2 + if sense.ambiguous { 64 } else { 0 }
}

/// Marks where sentences begin, which are shouted, and which are furniture.
fn mark_sentences(atoms: &mut [Atom], sentences: &[Annotation]) {
    let mut rest = atoms;
    if sentences.is_empty() {
        mark(rest, 0);
        return;
    }
    for sentence in sentences {
        let skipped = rest.partition_point(|atom| atom.span.start < sentence.span.start);
        rest = &mut std::mem::take(&mut rest)[skipped..];
        let count = rest.partition_point(|atom| atom.span.start < sentence.span.end);
        let (inside, after) = std::mem::take(&mut rest).split_at_mut(count);
        mark(inside, sentence.flags);
        rest = after;
    }
}

fn mark(atoms: &mut [Atom], flags: u32) {
    let capitals = atoms.iter().filter(|atom| atom.is(atom::CAPITAL)).count();
    let upper = atoms.iter().filter(|atom| atom.is(atom::UPPER)).count();
    let words = atoms.iter().filter(|atom| atom.is(atom::WORD)).count();
    // Numbers and a stray small word do not make a headline quiet.
    let shouted = 3 <= upper && capitals == upper && words * 3 <= upper * 4;
    // "I went to france".
    let i = fold("i");
    let whispered =
        3 <= words && !atoms.iter().any(|atom| atom.is(atom::CAPITAL) && atom.hash != i);
    let passed_over = flags & (sentence::BOILERPLATE | sentence::FOREIGN) != 0;
    for (index, atom) in atoms.iter_mut().enumerate() {
        if index == 0 {
            atom.flags |= atom::FIRST;
        }
        if shouted {
            atom.flags |= atom::SHOUTED;
        }
        if whispered {
            atom.flags |= atom::WHISPERED;
        }
        if passed_over {
            atom.flags |= atom::PASSED_OVER;
        }
    }
}
