//! A file with credentials: lines as an environment has them, such as `AWS_ACCESS_KEY_ID=...`.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use super::ObjectsError;

/// A name, in lower case, and its value.
pub(super) type Given = (String, String);

/// More is no file of credentials, in bytes.
const MOST_BYTES: u64 = 64 << 10;

/// Reads the file. Empty lines and those that begin with `#` say nothing.
///
/// # Errors
///
/// [`ObjectsError::Credentials`], which says of a bad line where it is and not what.
pub(super) fn read(path: &Path) -> Result<Vec<Given>, ObjectsError> {
    let fail = |source| ObjectsError::Credentials { path: path.to_owned(), source };
    let mut text = String::new();
    let file = File::open(path).map_err(fail)?;
    file.take(MOST_BYTES + 1).read_to_string(&mut text).map_err(fail)?;
    if text.len() as u64 > MOST_BYTES {
        return Err(fail(io::Error::other("it has more than 64 KiB")));
    }
    lines(&text).map_err(|line| {
        fail(io::Error::other(format!(
            "line {line} is none: expected `NAME=value` with a name that begins with `AWS_`, \
             `GOOGLE_` or `AZURE_`"
        )))
    })
}

/// The lines of a file, or the number of one that is none.
fn lines(text: &str) -> Result<Vec<Given>, usize> {
    let mut given = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let (name, value) = line.split_once('=').ok_or(index + 1)?;
        let name = name.trim();
        if !["AWS_", "GOOGLE_", "AZURE_"].iter().any(|begin| name.starts_with(begin)) {
            return Err(index + 1);
        }
        let value = value.trim();
        let bare = value.strip_prefix('"').and_then(|value| value.strip_suffix('"'));
        given.push((name.to_ascii_lowercase(), bare.unwrap_or(value).to_owned()));
    }
    Ok(given)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::files::with_causes;

    #[test]
    fn a_file_gives_what_an_environment_would_and_a_bad_line_is_not_shown() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("keys");
        let told = |text: &str| {
            std::fs::write(&path, text).unwrap();
            read(&path).map_err(|error| with_causes(&error))
        };
        let given = told("# ours\n\nAWS_ACCESS_KEY_ID=a\n AWS_SECRET_ACCESS_KEY = \"b=c\" \n");
        let expected = [("aws_access_key_id", "a"), ("aws_secret_access_key", "b=c")];
        let expected = expected.map(|(name, value)| (name.to_owned(), value.to_owned()));
        assert_eq!(given.unwrap(), expected);
        for text in ["AWS_REGION=x\nhush", "\nSECRET=hush"] {
            let told = told(text).unwrap_err();
            assert!(told.contains("line 2") && !told.contains("hush"), "{told}");
        }
        assert!(told(&"#".repeat(70_000)).unwrap_err().contains("64 KiB"));
        std::fs::remove_file(&path).unwrap();
        assert!(read(&path).is_err());
    }
}
