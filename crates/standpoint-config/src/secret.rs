//! What must not be shown: tokens, passwords and the like.

use crate::tree::{Kind, Node, Scalar};

/// What stands in place of a secret.
pub(crate) const HIDDEN: &str = "***";

/// Whether the values of a key are secret by its name: `token`, `smtp_password`, `apiKey`.
///
/// A key that ends in `_file` holds a path, not the secret.
pub(crate) fn is_secret_key(key: &str) -> bool {
    const SECRETS: [&str; 8] = [
        "token",
        "password",
        "passwd",
        "secret",
        "credential",
        "apikey",
        "privatekey",
        "accesskey",
    ];
    let key = key.to_lowercase().replace(['_', '-'], "");
    let is_path = ["file", "path", "dir"].iter().any(|end| key.ends_with(end));
    // `max_tokens` and the layer `tokens` count words.
    let is_count = key == "tokens" || (key.starts_with("max") && key.ends_with("tokens"));
    !is_path && !is_count && SECRETS.iter().any(|secret| key.contains(secret))
}

/// A line of a pipeline file without the values of its secret keys, as an excerpt may show it.
///
/// Each character of a value becomes `*`, so that columns stay where they are. It goes by the text
/// alone: the line may be one that could not be read.
pub(crate) fn without_secrets(line: &str) -> String {
    let mut shown = String::with_capacity(line.len());
    let mut rest = line;
    while let Some(colon) = rest.find(':') {
        let (before, after) = rest.split_at(colon + 1);
        shown.push_str(before);
        let is_key_character = |c: char| c.is_alphanumeric() || c == '_' || c == '-';
        let key = before[..colon].trim_end().trim_end_matches(['"', '\'']);
        let key = key.rsplit(|c| !is_key_character(c)).next().unwrap_or_default();
        rest = after;
        if is_secret_key(key) {
            let end = end_of_value(after, shown.contains('{'));
            let hidden = after[..end].chars().map(|c| if c.is_whitespace() { c } else { '*' });
            shown.extend(hidden);
            rest = &after[end..];
        }
    }
    shown.push_str(rest);
    without_credentials(&shown).unwrap_or(shown)
}

/// Where the value at the start of `text` ends: at its closing quote; in `{ ... }` at the next
/// comma or bracket; else with the line. Rather too late than too early.
fn end_of_value(text: &str, in_braces: bool) -> usize {
    let start = text.len() - text.trim_start().len();
    match text[start..].chars().next() {
        Some(quote @ ('"' | '\'')) => {
            let inside = start + 1;
            text[inside..].rfind(quote).map_or(text.len(), |end| inside + end + 1)
        }
        _ if in_braces => text.find([',', '}']).unwrap_or(text.len()),
        _ => text.len(),
    }
}

/// Hides every secret below `node`.
pub(crate) fn hide(node: &mut Node) {
    hide_below(node, false);
}

/// `all`: whether a key above is a secret's, so that everything below it is one.
fn hide_below(node: &mut Node, all: bool) {
    match &mut node.kind {
        Kind::Scalar(scalar) if all || scalar.secret => hide_all(scalar),
        Kind::Scalar(scalar) => {
            if let Some(text) = without_credentials(&scalar.text) {
                scalar.text = text;
            }
        }
        Kind::List(items) => items.iter_mut().for_each(|item| hide_below(item, all)),
        Kind::Map(entries) => {
            for entry in entries {
                hide_below(&mut entry.value, all || is_secret_key(&entry.key));
            }
        }
    }
}

fn hide_all(scalar: &mut Scalar) {
    let nothing = scalar.plain && scalar.text.is_empty();
    if !nothing {
        *scalar = Scalar { text: HIDDEN.to_owned(), ..Scalar::default() };
    }
}

/// `scheme://user:password@host` with the password hidden; `None` when there is none.
fn without_credentials(text: &str) -> Option<String> {
    let (scheme, rest) = text.split_once("://")?;
    let authority = &rest[..rest.find(['/', '?', '#']).unwrap_or(rest.len())];
    let (credentials, _) = authority.rsplit_once('@')?;
    let shown = match credentials.split_once(':') {
        Some((user, _)) => format!("{user}:{HIDDEN}"),
        // A lone word before the `@` may be a token.
        None => HIDDEN.to_owned(),
    };
    Some(format!("{scheme}://{shown}{}", &rest[credentials.len()..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_of_secrets_are_known_by_their_names() {
        let cases = [
            ("token", true),
            ("smtp_password", true),
            ("apiKey", true),
            ("api-key", true),
            ("client_secret", true),
            ("token_file", false),
            ("password_path", false),
            ("max_tokens", false),
            ("tokens", false),
            ("path", false),
            ("key", false),
        ];
        for (key, expected) in cases {
            assert_eq!(is_secret_key(key), expected, "{key}");
        }
    }

    #[test]
    fn credentials_in_addresses_are_hidden() {
        let cases = [
            ("https://ann:pw@example.org/a", Some("https://ann:***@example.org/a")),
            ("nats://s3cr3t@host:4222", Some("nats://***@host:4222")),
            ("https://ann:p@w@example.org", Some("https://ann:***@example.org")),
            ("https://example.org/a@b", None),
            ("ann@example.org", None),
            ("plain text", None),
        ];
        for (text, expected) in cases {
            assert_eq!(without_credentials(text).as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn excerpts_hide_the_values_of_secret_keys() {
        let cases = [
            ("  token: hunter2", "  token: *******"),
            ("out: { tpye: x, password: a b, url: y }", "out: { tpye: x, password: * *, url: y }"),
            ("  \"api_key\": \"a, b\" # mine", "  \"api_key\": *** ** # mine"),
            ("  password: a,b", "  password: ***"),
            ("  token_file: ./token", "  token_file: ./token"),
            ("  url: https://ann:pw@host/", "  url: https://ann:***@host/"),
            ("no colon", "no colon"),
        ];
        for (line, expected) in cases {
            assert_eq!(without_secrets(line), expected, "{line}");
        }
    }
}
