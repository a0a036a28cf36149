//! Names like another: what may have been meant.

use crate::correct::MOST_NAME;

/// The most names that may have been meant.
pub(crate) const MOST_NEAR: usize = 5;

/// How alike a name must be to another, 0 to 1, to be shown as one that may have been meant.
const ALIKE: f64 = 0.6;

/// The most names that one is compared with.
pub(crate) const MOST_NAMES: usize = 1000;

/// The end of a refusal, where something may have been meant.
pub(crate) fn suggestion(near: Option<String>) -> String {
    near.map(|near| format!("; did you mean `{near}`?")).unwrap_or_default()
}

/// The names most like another; no one's name is as long as an address may be.
///
/// - `known`: each what is likened, and a name of it.
pub(crate) fn nearest(called: &str, known: Vec<(String, String)>) -> Vec<(String, String)> {
    if MOST_NAME < called.len() {
        return Vec::new();
    }
    let called = called.to_lowercase();
    let likeness = |(_, name): &(String, String)| {
        strsim::normalized_damerau_levenshtein(&called, &name.to_lowercase())
    };
    let mut near: Vec<_> =
        known.into_iter().take(MOST_NAMES).map(|one| (likeness(&one), one)).collect();
    near.retain(|(likeness, _)| ALIKE <= *likeness);
    near.sort_by(|one, other| other.0.total_cmp(&one.0));
    near.into_iter().take(MOST_NEAR).map(|(_, one)| one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_compared_with_so_many_and_not_at_any_length() {
        let known =
            |names: &[&str]| names.iter().map(|name| ((*name).into(), (*name).into())).collect();
        let (long, longer) = ("x".repeat(MOST_NAME), "x".repeat(MOST_NAME + 1));
        assert_eq!(nearest(&long, known(&[&longer])).len(), 1);
        assert!(nearest(&longer, known(&[&long])).is_empty());
        let mut names = vec!["else"; MOST_NAMES];
        names.push("wire");
        assert!(nearest("wyre", known(&names)).is_empty());
        assert_eq!(nearest("wyre", known(&names[1..])).len(), 1);
    }
}
