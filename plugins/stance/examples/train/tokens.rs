//! Words as Universal Dependencies cuts them, near enough for training from plain sentences.

use standpoint_document::{Annotation, Span};

/// Cuts `text` into words, marks and clitics.
pub(crate) fn tokens(text: &str) -> Vec<Annotation> {
    let mut list: Vec<Span> = Vec::new();
    let characters: Vec<(usize, char)> = text.char_indices().collect();
    let mut index = 0;
    while index < characters.len() {
        let (start, character) = characters[index];
        if character.is_whitespace() {
            index += 1;
            continue;
        }
        let mut next = index + 1;
        if character.is_alphanumeric() {
            while let Some(&(_, following)) = characters.get(next) {
                let inside = matches!(following, '.' | ',')
                    && characters[next - 1].1.is_ascii_digit()
                    && characters.get(next + 1).is_some_and(|&(_, c)| c.is_ascii_digit())
                    || following == '.'
                        && characters[next - 1].1.is_uppercase()
                        && (next - index == 1 || characters[next - 2].1 == '.');
                if !following.is_alphanumeric() && !inside {
                    break;
                }
                next += 1;
            }
        } else if matches!(character, '\'' | '’') {
            while next < characters.len() && next - index < 3 && characters[next].1.is_alphabetic()
            {
                next += 1;
            }
            let letters: String = characters[index + 1..next].iter().map(|&(_, c)| c).collect();
            let clitic = matches!(letters.as_str(), "s" | "re" | "ve" | "ll" | "d" | "m" | "t");
            if !clitic || characters.get(next).is_some_and(|&(_, c)| c.is_alphanumeric()) {
                next = index + 1;
            }
        }
        let end = characters.get(next).map_or(text.len(), |&(at, _)| at);
        list.push(Span::new(start as u32, end as u32));
        index = next;
    }
    join_negations(text, &mut list);
    list.into_iter().map(Annotation::new).collect()
}

/// "don" + "'t" becomes "do" + "n't".
fn join_negations(text: &str, list: &mut [Span]) {
    for index in 1..list.len() {
        let (left, right) = (list[index - 1], list[index]);
        let word = &text[left.range()];
        if left.end == right.start
            && matches!(&text[right.range()], "'t" | "’t")
            && word.ends_with('n')
            && word.len() > 1
        {
            list[index - 1].end -= 1;
            list[index].start -= 1;
        }
    }
}
