//! Which stages did not read a text, and the language that it was taken for: why it may lack
//! stances.

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

/// Why a text may lack stances: which stages their conditions kept from it, and what it was taken
/// for, since conditions often ask for the language. What a condition asks for is not kept with a
/// document, so nothing is said of that. `None` where no stage was kept from it.
///
/// - `language`: the document's, an ISO 639-1 code;
/// - `notes`: the document's.
#[must_use]
pub fn why_unread(language: Option<&str>, notes: &[String]) -> Option<String> {
    let skipped: Vec<&str> = notes.iter().filter_map(|note| skipped_stage(note)).collect();
    let (last, first) = skipped.split_last()?;
    let unread = if first.is_empty() {
        format!("the stage {last} did not read it, by its `when`")
    } else {
        format!("the stages {} and {last} did not read it, by their `when`", first.join(", "))
    };
    let Some(language) = language else { return Some(unread) };
    let name = NAMES.iter().find(|(code, _)| *code == language).map(|(_, name)| *name);
    let called = name.map_or_else(
        || format!("to be of the language `{language}`"),
        |name| format!("for {name} (`{language}`)"),
    );
    Some(format!(
        "{unread}. The text was taken {called}; where that is wrong and a `when` asks for the \
         language, say `language` in the document's record or in the settings of `tokenise`"
    ))
}

/// The stage that a note says was skipped by its condition.
fn skipped_stage(note: &str) -> Option<&str> {
    note.strip_prefix("stage ")?.strip_suffix(" skipped by `when`")
}

/// The notes that say more than [`why_unread`] does, if that was told.
pub fn other_notes(notes: &[String], is_told: bool) -> impl Iterator<Item = &String> {
    notes.iter().filter(move |note| !is_told || skipped_stage(note).is_none())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_told_which_stages_did_not_read_it_and_what_it_was_taken_for() {
        let skipped = |stages: &[&str]| -> Vec<String> {
            stages.iter().map(|stage| format!("stage {stage} skipped by `when`")).collect()
        };
        let tail = "; where that is wrong and a `when` asks for the language, say `language` in the \
                    document's record or in the settings of `tokenise`";
        let stance = "the stage stance did not read it, by its `when`";
        let cases = [
            (
                Some("it"),
                skipped(&["encode", "sentiment", "stance"]),
                Some(format!(
                    "the stages encode, sentiment and stance did not read it, by their `when`. The \
                     text was taken for Italian (`it`){tail}"
                )),
            ),
            (
                Some("eo"),
                skipped(&["stance"]),
                Some(format!("{stance}. The text was taken to be of the language `eo`{tail}")),
            ),
            (None, skipped(&["stance"]), Some(stance.to_owned())),
            (Some("it"), vec!["stage stance failed: slow".to_owned()], None),
            (Some("it"), Vec::new(), None),
        ];
        for (language, notes, expected) in cases {
            assert_eq!(why_unread(language, &notes), expected, "{language:?} {notes:?}");
        }
    }
}
