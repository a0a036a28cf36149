//! A request to the dashboard, and what is answered.

use std::io::{self, Write};

use http::{HeaderMap, Method, StatusCode, header};
use maud::Markup;
use serde_json::json;

use crate::frame;

/// A request, read whole.
#[derive(Debug)]
pub struct Request {
    /// Its method.
    pub method: Method,
    /// Its path, still encoded.
    pub path: String,
    /// What stands behind the question mark.
    pub query: String,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body; whoever read it kept to a limit.
    pub body: Vec<u8>,
}

/// What is answered.
pub struct Reply {
    /// The code.
    pub status: StatusCode,
    /// Headers beside those that every reply has.
    pub headers: Vec<(header::HeaderName, String)>,
    /// What follows.
    pub body: Body,
}

/// What writes itself into a reply, piece by piece.
pub type Writing = Box<dyn FnOnce(&mut dyn Write) -> io::Result<()> + Send>;

/// What makes the rest of a page, and gives it part by part to what says whether more is wanted.
pub type Rest = Box<dyn FnOnce(&mut dyn FnMut(Vec<u8>) -> bool) + Send>;

/// What follows the headers.
pub enum Body {
    /// All of it.
    Whole(Vec<u8>),
    /// What a page begins with, which a browser reads while the rest is made.
    Begun(Vec<u8>, Rest),
    /// Rows that are written while they are sent.
    Written(Writing),
    /// An event whenever the store has changed, until the reader goes away.
    Events,
}

impl std::fmt::Debug for Reply {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Reply").field("status", &self.status).finish_non_exhaustive()
    }
}

impl Reply {
    pub(crate) fn new(status: StatusCode, media_type: &str, body: impl Into<Vec<u8>>) -> Self {
        let headers = vec![(header::CONTENT_TYPE, media_type.to_owned())];
        Self { status, headers, body: Body::Whole(body.into()) }
    }

    pub(crate) fn page(status: StatusCode, title: &str, body: &Markup) -> Self {
        let page = frame::served(title, body).into_string();
        // Without a referrer a browser sends no origin either, and a form is known by its origin.
        // Other servers get neither.
        Self::new(status, "text/html; charset=utf-8", page)
            .with(header::REFERRER_POLICY, "same-origin")
    }

    /// A page whose head is sent while its body is made.
    ///
    /// - `rest`: gives the body, part by part, to what says whether somebody still reads.
    pub(crate) fn begun(
        title: &str,
        rest: impl FnOnce(&mut dyn FnMut(Markup) -> bool) + Send + 'static,
    ) -> Self {
        let (head, end) = frame::begun(title);
        let rest = move |send: &mut dyn FnMut(Vec<u8>) -> bool| {
            rest(&mut |part| send(part.into_string().into_bytes()));
            send(end.into());
        };
        let page = Self::page(StatusCode::OK, title, &Markup::default());
        Self { body: Body::Begun(head.into_bytes(), Box::new(rest)), ..page }
    }

    /// The same, made to its end before it is sent.
    #[must_use]
    pub fn whole(self) -> Self {
        let body = match self.body {
            Body::Begun(mut page, rest) => {
                rest(&mut |part| {
                    page.extend(part);
                    true
                });
                Body::Whole(page)
            }
            body => body,
        };
        Self { body, ..self }
    }

    /// A part of a page, for a script of ours that puts it there.
    pub(crate) fn part(part: &Markup) -> Self {
        Self::new(StatusCode::OK, "text/html; charset=utf-8", part.0.as_str())
    }

    pub(crate) fn json(status: StatusCode, value: &impl serde::Serialize) -> Self {
        match serde_json::to_vec(value) {
            Ok(body) => Self::new(status, "application/json", body),
            Err(error) => Self::refusal(StatusCode::INTERNAL_SERVER_ERROR, &error.to_string()),
        }
    }

    /// A refusal for programs.
    pub(crate) fn refusal(status: StatusCode, why: &str) -> Self {
        Self::json(status, &json!({ "error": why }))
    }

    pub(crate) fn with(mut self, name: header::HeaderName, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// The headers that every reply has, of pages and of all else.
    #[must_use]
    pub fn usual_headers() -> [(header::HeaderName, &'static str); 4] {
        [
            (header::CACHE_CONTROL, "no-store"),
            (header::CONTENT_SECURITY_POLICY, frame::POLICY),
            (header::REFERRER_POLICY, "no-referrer"),
            (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        ]
    }
}
