//! A small tokeniser for training and tests.
//!
//! It cuts as the stage `tokenise` does in all that the features see: clitics and hyphens apart,
//! marks by themselves, abbreviations with their stops. A plugin cannot link another plugin.

use standpoint_document::Span;

/// Cuts a sentence into tokens.
#[must_use]
#[cfg_attr(
    not(feature = "train"),
    expect(unreachable_pub, reason = "public for the training program, private to tests")
)]
pub fn tokens(text: &str) -> Vec<Span> {
    let mut tokens = Vec::new();
    let mut rest = text.char_indices().peekable();
    while let Some((start, character)) = rest.next() {
        if character.is_whitespace() || character.is_control() {
            continue;
        }
        let mut end = start + character.len_utf8();
        if character.is_alphanumeric() {
            let mut previous = character;
            while let Some(&(at, next)) = rest.peek() {
                let after = text[at + next.len_utf8()..].chars().next();
                let joins = match next {
                    '\'' | '’' => previous == 'n' && matches!(after, Some('t' | 'T')),
                    // Inside "U.S." and "3.5", and after a single letter.
                    '.' => {
                        after.is_some_and(char::is_alphanumeric)
                            || (previous.is_uppercase() && text[start..at].chars().count() <= 3)
                    }
                    ',' => previous.is_ascii_digit() && after.is_some_and(|c| c.is_ascii_digit()),
                    _ => next.is_alphanumeric(),
                };
                if !joins {
                    break;
                }
                previous = next;
                end = at + next.len_utf8();
                rest.next();
            }
        } else if matches!(character, '\'' | '’') {
            // A clitic: "'s", "'re".
            while let Some((at, next)) = rest.next_if(|(_, next)| next.is_alphabetic()) {
                end = at + next.len_utf8();
            }
        }
        push_word(text, start, end, &mut tokens);
    }
    tokens
}

fn push_word(text: &str, start: usize, end: usize, tokens: &mut Vec<Span>) {
    let word = &text[start..end];
    let negation = ["n't", "n’t", "N'T", "N’T"].into_iter().find(|n| word.ends_with(n));
    let cut = negation.map_or(end, |negation| end - negation.len());
    if start < cut && cut < end {
        tokens.push(Span::new(start as u32, cut as u32));
        tokens.push(Span::new(cut as u32, end as u32));
    } else {
        tokens.push(Span::new(start as u32, end as u32));
    }
}
