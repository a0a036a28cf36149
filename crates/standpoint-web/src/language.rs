//! The language that a text was taken for, said where it is why nobody's stance was looked for.

/// The languages that news is read in, by their ISO 639-1 codes.
const NAMES: [(&str, &str); 36] = [
    ("ar", "Arabic"),
    ("bg", "Bulgarian"),
    ("ca", "Catalan"),
    ("cs", "Czech"),
    ("da", "Danish"),
    ("de", "German"),
    ("el", "Greek"),
    ("en", "English"),
    ("es", "Spanish"),
    ("et", "Estonian"),
    ("fa", "Persian"),
    ("fi", "Finnish"),
    ("fr", "French"),
    ("he", "Hebrew"),
    ("hi", "Hindi"),
    ("hr", "Croatian"),
    ("hu", "Hungarian"),
    ("id", "Indonesian"),
    ("it", "Italian"),
    ("ja", "Japanese"),
    ("ka", "Georgian"),
    ("ko", "Korean"),
    ("lt", "Lithuanian"),
    ("lv", "Latvian"),
    ("nb", "Norwegian"),
    ("nl", "Dutch"),
    ("pl", "Polish"),
    ("pt", "Portuguese"),
    ("ro", "Romanian"),
    ("ru", "Russian"),
    ("sr", "Serbian"),
    ("sv", "Swedish"),
    ("tr", "Turkish"),
    ("uk", "Ukrainian"),
    ("vi", "Vietnamese"),
    ("zh", "Chinese"),
];

/// What to say of a text in which no stance was looked for, and whose language may be why: it is
/// known, and conditions kept stages from the text. `None` where nothing points there.
///
/// - `language`: the document's, an ISO 639-1 code;
/// - `notes`: the document's.
#[must_use]
pub fn why_unread(language: Option<&str>, notes: &[String]) -> Option<String> {
    let language = language?;
    let skipped: Vec<&str> = notes
        .iter()
        .filter_map(|note| note.strip_prefix("stage ")?.strip_suffix(" skipped by `when`"))
        .collect();
    let (last, first) = skipped.split_last()?;
    let stages = if first.is_empty() {
        format!("the stage {last}")
    } else {
        format!("the stages {} and {last}", first.join(", "))
    };
    let name = NAMES.iter().find(|(code, _)| *code == language).map(|(_, name)| *name);
    let called = name.map_or_else(
        || format!("to be of the language `{language}`"),
        |name| format!("for {name} (`{language}`)"),
    );
    let its = if first.is_empty() { "its" } else { "their" };
    Some(format!(
        "the text was taken {called}, and {stages} did not read it, by {its} `when`. Where that is \
         wrong, say `language` in the document's record or in the settings of `tokenise`"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_language_is_told_where_it_may_be_why_and_nowhere_else() {
        let skipped = |stages: &[&str]| -> Vec<String> {
            stages.iter().map(|stage| format!("stage {stage} skipped by `when`")).collect()
        };
        let tail = "Where that is wrong, say `language` in the document's record or in the settings of \
                    `tokenise`";
        let cases = [
            (
                Some("it"),
                skipped(&["encode", "sentiment", "stance"]),
                Some(
                    "the text was taken for Italian (`it`), and the stages encode, sentiment and stance \
                     did not read it, by their `when`. ",
                ),
            ),
            (
                Some("eo"),
                skipped(&["stance"]),
                Some(
                    "the text was taken to be of the language `eo`, and the stage stance did not read \
                     it, by its `when`. ",
                ),
            ),
            (Some("it"), vec!["stage stance failed: slow".to_owned()], None),
            (Some("it"), Vec::new(), None),
            (None, skipped(&["stance"]), None),
        ];
        for (language, notes, expected) in cases {
            let expected = expected.map(|told| format!("{told}{tail}"));
            assert_eq!(why_unread(language, &notes), expected, "{language:?} {notes:?}");
        }
    }
}
