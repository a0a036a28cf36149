//! The frame of every page: its head, its policy, its skip links.

use maud::{DOCTYPE, Markup, PreEscaped, html};

/// How pages look; the dashboard serves it as a file, reports carry it.
pub const STYLE: &str = include_str!("../assets/style.css");

/// What the dashboard does beyond showing.
pub const SCRIPT: &str = include_str!("../assets/app.js");

/// The policy of a page that carries its own style and fetches nothing.
const ALONE: &str =
    "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'";

/// A page that stands alone: one file without a script, which can be mailed.
#[must_use]
pub fn alone(title: &str, body: &Markup) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta http-equiv="Content-Security-Policy" content=(ALONE);
                meta name="referrer" content="no-referrer";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { (title) }
                style { (PreEscaped(STYLE)) }
            }
            body.alone { (body) }
        }
    }
}

/// The policy of the dashboard's pages, sent as a header.
pub const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; \
    connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'";

/// What closes a page.
const END: &str = "</body></html>";

/// A page of the dashboard up to where its body begins, and what closes it.
pub(crate) fn begun(title: &str) -> (String, &'static str) {
    let mut page = served(title, &Markup::default()).into_string();
    page.truncate(page.len() - END.len());
    (page, END)
}

/// A page of the dashboard.
#[must_use]
pub fn served(title: &str, body: &Markup) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (title) }
                link rel="stylesheet" href="/assets/style.css";
                script src="/assets/app.js" defer {}
            }
            body { (body) }
        }
    }
}
