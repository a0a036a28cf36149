//! What kind of character a byte begins: a table for ASCII, ranges for the rest.

/// The kind of a character, as far as words care.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// White space and control characters, which no token needs to hold.
    Space,
    /// ASCII letters and the underscore.
    Letter,
    /// ASCII digits.
    Digit,
    /// All other printable ASCII.
    Mark,
    /// The first byte of a longer character.
    Wide,
}

/// The kind of each byte that can begin a character.
pub(crate) static KIND: [Kind; 256] = kinds();

const fn kinds() -> [Kind; 256] {
    let mut kinds = [Kind::Wide; 256];
    let mut byte = 0;
    while byte < 0x80 {
        kinds[byte] = match byte as u8 {
            0..=b' ' | 0x7f => Kind::Space,
            b'a'..=b'z' | b'A'..=b'Z' | b'_' => Kind::Letter,
            b'0'..=b'9' => Kind::Digit,
            _ => Kind::Mark,
        };
        byte += 1;
    }
    kinds
}

/// The kind of a character beyond ASCII.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wide {
    /// White space or a control character.
    Space,
    /// Shows nothing by itself (soft hyphen, joiners, byte order mark): part of a word inside
    /// one, left out elsewhere.
    Invisible,
    /// A letter, number or mark that continues a word.
    Word,
    /// A character of a script that is written without spaces: a token by itself.
    Ideograph,
    /// An apostrophe or a quotation mark that looks like one.
    Apostrophe,
    /// Anything else: a symbol or punctuation.
    Symbol,
}

/// Whether tokens may leave `character` out: white space, control characters, and format characters
/// that show nothing.
#[must_use]
pub fn is_left_out(character: char) -> bool {
    character.is_whitespace() || character.is_control() || is_invisible(character)
}

/// The kind of a character beyond ASCII.
pub(crate) fn wide(character: char) -> Wide {
    match character {
        '\u{2019}' => Wide::Apostrophe,
        // Ordinals and raised digits are cut from the number or word before them.
        'ª' | 'º' | '²' | '³' | '¹' => Wide::Symbol,
        _ if character < '\u{250}' && character.is_alphabetic() => Wide::Word,
        _ if character.is_whitespace() || character.is_control() => Wide::Space,
        _ if is_invisible(character) => Wide::Invisible,
        '\u{3040}'..='\u{30ff}' | '\u{3400}'..='\u{4dbf}' | '\u{4e00}'..='\u{9fff}' => {
            Wide::Ideograph
        }
        '\u{f900}'..='\u{faff}' | '\u{20000}'..='\u{3ffff}' => Wide::Ideograph,
        _ if character.is_alphanumeric() || is_mark(character) => Wide::Word,
        _ => Wide::Symbol,
    }
}

// The format characters of Unicode (general category Cf) that occur in texts.
fn is_invisible(character: char) -> bool {
    matches!(character,
        '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}'
        | '\u{e0001}' | '\u{e0020}'..='\u{e007f}')
}

// Combining marks that `char::is_alphanumeric` does not count, by block.
fn is_mark(character: char) -> bool {
    matches!(character,
        '\u{300}'..='\u{36f}' | '\u{483}'..='\u{489}' | '\u{591}'..='\u{5bd}' | '\u{5bf}'
        | '\u{5c1}'..='\u{5c2}' | '\u{5c4}'..='\u{5c5}' | '\u{5c7}' | '\u{610}'..='\u{61a}'
        | '\u{64b}'..='\u{65f}' | '\u{670}' | '\u{6d6}'..='\u{6dc}' | '\u{6df}'..='\u{6e8}'
        | '\u{6ea}'..='\u{6ed}' | '\u{711}' | '\u{730}'..='\u{74a}' | '\u{7a6}'..='\u{7b0}'
        | '\u{900}'..='\u{963}' | '\u{966}'..='\u{df3}' | '\u{e31}' | '\u{e34}'..='\u{e3a}'
        | '\u{e47}'..='\u{e4e}' | '\u{eb1}' | '\u{eb4}'..='\u{ecd}' | '\u{f18}'..='\u{f84}'
        | '\u{102b}'..='\u{103e}' | '\u{17b4}'..='\u{17d3}' | '\u{1ab0}'..='\u{1aff}'
        | '\u{1dc0}'..='\u{1dff}' | '\u{20d0}'..='\u{20ff}' | '\u{fe00}'..='\u{fe0f}'
        | '\u{fe20}'..='\u{fe2f}' | '\u{e0100}'..='\u{e01ef}')
}

/// Whether `character` joins the picture before it: a variation, a skin tone, a keycap.
pub(crate) fn extends_picture(character: char) -> bool {
    matches!(character, '\u{fe00}'..='\u{fe0f}' | '\u{1f3fb}'..='\u{1f3ff}' | '\u{20e3}')
        || matches!(character, '\u{e0020}'..='\u{e007f}')
}

/// Whether `character` is half of a flag.
pub(crate) fn is_regional(character: char) -> bool {
    matches!(character, '\u{1f1e6}'..='\u{1f1ff}')
}
