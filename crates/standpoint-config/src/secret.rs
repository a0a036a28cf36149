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
}
