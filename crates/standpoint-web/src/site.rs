//! The dashboard: a request becomes a reply.

use std::io::{self, Write};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use http::{HeaderMap, Method, StatusCode, header};
use maud::{Markup, html};
use serde_json::{Value, json};
use standpoint_store::feed::{self, Passage};
use standpoint_store::{Place, Store, StoreError, documents, figures, shifts};

use crate::address::{Query, decoded, encoded};
use crate::document::{self, Anchor};
use crate::frame;
use crate::layout::{alone, exports, feed, help, more, navigation, section};
use crate::login::{self, Keys, Visitor};
use crate::overview::Overview;
use crate::parts::{self, Links};
use crate::report::target_name;
use crate::text::{line, many};
use crate::{api, openapi};

/// What the dashboard must know of the daemon around it.
pub trait Daemon: Send + Sync {
    /// What the daemon says of itself, in the form of `/status`.
    fn status(&self) -> Value;

    /// The files in quarantine, the oldest first, in the form of `standpoint quarantine list
    /// --format json`.
    ///
    /// # Errors
    ///
    /// Why they cannot be listed.
    fn quarantine(&self) -> Result<Vec<Value>, String>;

    /// Moves a file back into the inbox that it came from.
    ///
    /// # Errors
    ///
    /// Why it stays.
    fn replay(&self, file: &str) -> Result<(), String>;
}

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

/// What follows the headers.
pub enum Body {
    /// All of it.
    Whole(Vec<u8>),
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
        Self::new(status, "text/html; charset=utf-8", page)
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

/// How many connections to the store wait for the next request.
const KEPT_READERS: usize = 4;

/// Rows of a list on the page of everything, and on a page of its own.
const FEW: usize = 20;
const MANY: usize = 50;

/// A dashboard over one store.
pub struct Site {
    store: Place,
    readers: Mutex<Vec<Store>>,
    writer: Mutex<Option<Store>>,
    keys: Keys,
    daemon: Arc<dyn Daemon>,
}

impl std::fmt::Debug for Site {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Site").field("store", &self.store).finish_non_exhaustive()
    }
}

/// Why a request was not answered.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SiteError {
    /// The store cannot be opened.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The store cannot be read or written.
    #[error("the store cannot be used: {0}")]
    Base(#[from] standpoint_store::Error),
}

impl Site {
    /// A dashboard over the store at this place, which is there.
    #[must_use]
    pub fn new(store: impl Into<Place>, keys: Keys, daemon: Arc<dyn Daemon>) -> Self {
        Self {
            store: store.into(),
            readers: Mutex::default(),
            writer: Mutex::default(),
            keys,
            daemon,
        }
    }

    /// The key of the address that logs a browser in.
    #[must_use]
    pub fn login(&self) -> &str {
        self.keys.login()
    }

    /// A number that is another one once the store has changed, and how many documents it holds.
    ///
    /// - `reader`: kept between the calls, for the number is of one connection.
    ///
    /// # Errors
    ///
    /// When the store cannot be read.
    pub fn pulse(&self, reader: &mut Option<Store>) -> Result<(i64, i64), SiteError> {
        let store = match reader {
            Some(store) => store,
            None => reader.insert(self.store.read()?),
        };
        let pulse = store.data_version().and_then(|version| Ok((version, store.size()?)));
        if pulse.is_err() {
            // The next call makes a new one.
            *reader = None;
        }
        Ok(pulse?)
    }

    /// Answers. Blocks as long as the store takes.
    ///
    /// - `is_owner`: whether the request came through the control socket.
    #[must_use]
    pub fn answer(self: &Arc<Self>, request: &Request, is_owner: bool) -> Reply {
        let visitor = if is_owner {
            Visitor::Owner
        } else {
            self.keys.visitor(&request.headers, SystemTime::now())
        };
        let is_api = request.path.starts_with("/api/");
        let result = if let Some(asset) = asset(&request.path) {
            Ok(asset)
        } else if request.path == "/api/v1/session" {
            Ok(self.session(request))
        } else if request.path == "/login" {
            Ok(self.login_form(request))
        } else if !visitor.may_read() {
            Ok(if is_api { ask_for_token() } else { login_page(StatusCode::UNAUTHORIZED, None) })
        } else if !login::is_reading(&request.method) && !visitor.may_write() {
            let why = "a change needs this page's own request: same origin, and the header \
                       `X-Standpoint`; programs send `Authorization: Bearer TOKEN`";
            Ok(Reply::refusal(StatusCode::FORBIDDEN, why))
        } else if is_api {
            api::answer(self, request)
        } else {
            self.page(request)
        };
        result.unwrap_or_else(|error| {
            let status = StatusCode::SERVICE_UNAVAILABLE;
            if is_api {
                return Reply::refusal(status, &error.to_string());
            }
            let body = html! { main { h1 { "The store cannot be read" } p { (line(&error.to_string())) } } };
            Reply::page(status, "Standpoint", &body)
        })
    }

    /// Lends a connection that reads.
    pub(crate) fn reading<T>(
        &self,
        work: impl FnOnce(&Store) -> Result<T, standpoint_store::Error>,
    ) -> Result<T, SiteError> {
        let kept = self.readers.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let store = match kept {
            Some(store) => store,
            None => self.store.read()?,
        };
        let result = work(&store);
        let mut readers = self.readers.lock().unwrap_or_else(PoisonError::into_inner);
        // One that failed is not used again; where the server went away, the others are lost with it.
        if store.is_lost() {
            readers.clear();
        } else if result.is_ok() && readers.len() < KEPT_READERS {
            readers.push(store);
        }
        Ok(result?)
    }

    /// Lends the connection that writes, to one at a time.
    pub(crate) fn writing<T>(&self, work: impl FnOnce(&mut Store) -> T) -> Result<T, SiteError> {
        let mut writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        let store = match writer.as_mut() {
            Some(store) => store,
            None => writer.insert(self.store.open(true)?),
        };
        let result = work(store);
        if store.is_lost() {
            *writer = None;
        }
        Ok(result)
    }

    pub(crate) fn daemon(&self) -> &dyn Daemon {
        self.daemon.as_ref()
    }

    /// Reads the query; the target is the one with the most stances where it does not say.
    pub(crate) fn query(store: &Store, query: &str) -> Result<Query, standpoint_store::Error> {
        let mut read = Query::read(query, "");
        if read.filter.target.is_empty() {
            let first = figures::targets(store)?.into_iter().next();
            read.filter.target = first.map(|target| target.id).unwrap_or_default();
        }
        read.filter = read.filter.looked_up(store)?.into_owned();
        Ok(read)
    }

    /// Logs in and out, for scripts.
    fn session(&self, request: &Request) -> Reply {
        if !login::is_own_page(&request.headers) {
            let why = "expected a page of this server: same origin, and the header `X-Standpoint`";
            return Reply::refusal(StatusCode::FORBIDDEN, why);
        }
        let done = |cookie: String| {
            Reply::new(StatusCode::NO_CONTENT, "text/plain", "").with(header::SET_COOKIE, cookie)
        };
        match request.method {
            Method::DELETE => done(self.keys.revoke()),
            Method::POST if self.keys.opens(&String::from_utf8_lossy(&request.body)) => {
                done(self.keys.grant(SystemTime::now()))
            }
            Method::POST => Reply::refusal(StatusCode::UNAUTHORIZED, "this key does not open it"),
            _ => Reply::refusal(StatusCode::METHOD_NOT_ALLOWED, "POST logs in, DELETE logs out")
                .with(header::ALLOW, "POST, DELETE"),
        }
    }

    /// Logs in without a script: a form.
    fn login_form(&self, request: &Request) -> Reply {
        if login::is_reading(&request.method) {
            return login_page(StatusCode::OK, None);
        }
        let mut pairs = form_urlencoded::parse(&request.body);
        let key = pairs.find(|(name, _)| name == "key").map(|(_, key)| key.into_owned());
        if !login::is_own_origin(&request.headers) {
            return login_page(
                StatusCode::FORBIDDEN,
                Some("The form was not sent from this page."),
            );
        }
        if key.is_some_and(|key| self.keys.opens(&key)) {
            return Reply::new(StatusCode::SEE_OTHER, "text/plain", "")
                .with(header::LOCATION, "/")
                .with(header::SET_COOKIE, self.keys.grant(SystemTime::now()));
        }
        login_page(StatusCode::UNAUTHORIZED, Some("This key does not open it."))
    }

    fn page(&self, request: &Request) -> Result<Reply, SiteError> {
        if !login::is_reading(&request.method) {
            let refusal = Reply::refusal(StatusCode::METHOD_NOT_ALLOWED, "pages can be read only");
            return Ok(refusal.with(header::ALLOW, "GET, HEAD"));
        }
        let Request { path, query, .. } = request;
        if let Some(id) = path.strip_prefix("/documents/").and_then(decoded) {
            return self.document_page(&id, query);
        }
        if path == "/corrections" {
            return self.corrections_page();
        }
        let view = match path.as_str() {
            "/" => View::All,
            "/evidence" => View::Evidence,
            "/documents" => View::Documents,
            "/shifts" => View::Shifts,
            "/health" => View::Health,
            _ => {
                let body = html! {
                    (navigation("", None))
                    main #main { h1 { "There is no such page" } p { a href="/" { "Who stands where" } } }
                };
                return Ok(Reply::page(StatusCode::NOT_FOUND, "Not found", &body));
            }
        };
        self.view(view, query)
    }

    fn view(&self, view: View, query: &str) -> Result<Reply, SiteError> {
        let health = view
            .shows(View::Health)
            .then(|| crate::health::section(self.daemon(), view == View::Health));
        let address = query;
        let (title, body) = self.reading(|store| {
            let query = Self::query(store, address)?;
            let filter = &query.filter;
            let target = target_name(store, &filter.target)?;
            let links = Served { query: &query };
            let rows = query.limit.unwrap_or(if view == View::All { FEW } else { MANY }).clamp(1, 200);
            let after = query.after.as_deref();
            let title = view.heading(&target);
            let placed = |part: View, id: &str, heading: &str, content: &Markup| {
                // On a page of its own the page's heading is the section's.
                if view == part { alone(id, content) } else { section(id, heading, content) }
            };
            let overview = view == View::All;
            let overview = overview
                .then(|| Ok::<_, standpoint_store::Error>(Overview::of(figures::ranking(store, filter)?, query.actors)))
                .transpose()?;
            let body = html! {
                (navigation(view.path(), Some(&query)))
                main #main {
                    h1 #heading { (title) }
                    @if view != View::Health { (crate::filters::form(store, &query, address, view.path())?) }
                    p #live role="status" aria-live="polite" {}
                    @if let Some(overview) = &overview {
                        (section("ranking", "Who stands where", &html! {
                            (parts::ranking(overview, &target, &links))
                            (exports("/api/v1/figures", &query))
                        }))
                        (section("time", "Over time", &parts::over_time(overview, &links)))
                    }
                    @if view.shows(View::Evidence) {
                        @let passages = feed::passages(store, filter, after, rows)?;
                        (placed(View::Evidence, "evidence", "What shows it", &html! {
                            (feed(&passages, &links))
                            (more("/evidence", &query, passages.last().filter(|_| passages.len() == rows).map(|last| last.cursor.as_str())))
                            (exports("/api/v1/evidence", &query))
                        }))
                    }
                    @if view.shows(View::Documents) {
                        @let listed = documents::documents(store, filter, after, rows)?;
                        (placed(View::Documents, "documents", "What was read", &html! {
                            p.faint { (many(documents::count(store, filter)?, "document")) " let through." }
                            (parts::documents(&listed, &links))
                            (more("/documents", &query, listed.last().filter(|_| listed.len() == rows).map(|last| last.cursor.as_str())))
                            (exports("/api/v1/documents", &query))
                        }))
                    }
                    @if view.shows(View::Shifts) {
                        (placed(View::Shifts, "shifts", "Who moved", &parts::shifts(
                            &shifts::shifts(store, filter, query.window)?, query.window, &links
                        )))
                    }
                    @if let Some(health) = &health { (placed(View::Health, "health", "How the pipeline is", &html! { (health) })) }
                }
                footer.provenance {
                    (parts::makers(&figures::makers(store)?))
                    p {
                        a href="/api/v1" { "All of this for programs" } " (JSON, described by "
                        a href="/api/v1/openapi.json" { "OpenAPI" } "). "
                        a href="/corrections" { "What people corrected" } "."
                    }
                }
                (help())
            };
            Ok((format!("{title} \u{2013} Standpoint"), body))
        })?;
        Ok(Reply::page(StatusCode::OK, &title, &body))
    }

    fn document_page(&self, id: &str, query: &str) -> Result<Reply, SiteError> {
        let found = self.reading(|store| {
            let Some(kept) = documents::document(store, id)? else { return Ok(None) };
            let passages = feed::of_document(store, id)?;
            let query = Self::query(store, query)?;
            let links = Served { query: &query };
            let title = parts::title(kept.title.as_deref(), kept.path.as_deref().unwrap_or(id));
            let anchor = Anchor { prefix: "" };
            let body = html! {
                (navigation("/documents", Some(&query)))
                main #main.document-page {
                    h1 dir="auto" { (title) }
                    (document::facts(&kept))
                    (document::copies(&kept, &links))
                    p #live role="status" aria-live="polite" {}
                    div.columns {
                        div {
                            (document::legend())
                            (document::text(&kept.text, &kept.mentions, &passages, anchor))
                        }
                        aside aria-label="Passages" {
                            section #evidence { h2 { "What shows it" } (feed(&passages, &links)) }
                        }
                    }
                }
                footer.provenance { (document::provenance(&kept)) }
                (help())
            };
            let title = format!("{title} \u{2013} Standpoint");
            Ok(Some(Reply::page(StatusCode::OK, &title, &body)))
        })?;
        Ok(found.unwrap_or_else(|| {
            let body = html! {
                (navigation("", None))
                main #main { h1 { "There is no such document" } p { a href="/documents" { "All documents" } } }
            };
            Reply::page(StatusCode::NOT_FOUND, "Not found", &body)
        }))
    }

    fn corrections_page(&self) -> Result<Reply, SiteError> {
        let kept = self.reading(|store| standpoint_store::corrections::corrections(store, 500))?;
        let body = html! {
            (navigation("/corrections", None))
            main #main {
                h1 { "What people corrected" }
                @if kept.is_empty() { p.empty { "Nothing yet." } }
                @else {
                    div.wide tabindex="0" role="region" aria-label="Corrections" {
                        table {
                            thead { tr {
                                th scope="col" { "Passage" } th scope="col" { "Who, as the pipeline said" }
                                th scope="col" { "What" } th scope="col" { "By whom" } th scope="col" { "When" }
                            } }
                            tbody {
                                @for correction in &kept {
                                    tr {
                                        td.passage-cell dir="auto" {
                                            a href=(format!("/documents/{}", encoded(&correction.document_id))) { (line(&correction.passage)) }
                                        }
                                        td { (line(&correction.who)) " toward " (line(&correction.target_id)) }
                                        td { (correction.field) ": " (line(&correction.value)) }
                                        td { (line(correction.person.as_deref().unwrap_or("\u{2013}"))) }
                                        td.day { (correction.made_at.get(..16).unwrap_or_default()) }
                                    }
                                }
                            }
                        }
                    }
                    p.exports {
                        "As labelled data: " a href="/api/v1/corrections.jsonl" download { "JSONL" }
                    }
                }
            }
        };
        Ok(Reply::page(StatusCode::OK, "What people corrected \u{2013} Standpoint", &body))
    }
}

/// Which part of the dashboard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum View {
    All,
    Evidence,
    Documents,
    Shifts,
    Health,
}

impl View {
    fn shows(self, part: Self) -> bool {
        self == Self::All || self == part
    }

    /// What the page says of itself, so that whoever hears it or has ten of them open tells it from
    /// the others.
    fn heading(self, target: &str) -> String {
        let (what, toward) = match self {
            Self::All => ("Who stands where", "toward"),
            Self::Evidence => ("Passages that show stances", "toward"),
            Self::Shifts => ("Who moved", "in their stance toward"),
            Self::Documents => return "Documents".to_owned(),
            Self::Health => return "How the pipeline is".to_owned(),
        };
        if target.is_empty() { what.to_owned() } else { format!("{what} {toward} {target}") }
    }

    const fn path(self) -> &'static str {
        match self {
            Self::All => "/",
            Self::Evidence => "/evidence",
            Self::Documents => "/documents",
            Self::Shifts => "/shifts",
            Self::Health => "/health",
        }
    }
}

/// Links of the dashboard, which keep the filter.
struct Served<'q> {
    query: &'q Query,
}

impl Links for Served<'_> {
    fn actor(&self, who: &str) -> Option<String> {
        Some(format!("/{}", self.query.address_with(&[("who", Some(who))])))
    }

    fn passage(&self, passage: &Passage) -> Option<String> {
        let address = self.document(&passage.document_id)?;
        Some(format!("{address}#e{}", passage.key))
    }

    fn document(&self, id: &str) -> Option<String> {
        let target = self.query.filter.target.as_str();
        let query = Query::read("", target).address();
        Some(format!("/documents/{}{query}", encoded(id)))
    }
}

fn asset(path: &str) -> Option<Reply> {
    let (media_type, text) = match path {
        "/assets/style.css" => ("text/css; charset=utf-8", frame::STYLE),
        "/assets/app.js" => ("text/javascript; charset=utf-8", frame::SCRIPT),
        "/api/v1/openapi.json" => {
            return Some(Reply::json(StatusCode::OK, &openapi::description()));
        }
        _ => return None,
    };
    Some(Reply::new(StatusCode::OK, media_type, text))
}

fn ask_for_token() -> Reply {
    let why = "send the daemon's token as `Authorization: Bearer TOKEN`; it is in the file of \
               `server.token_file`, else in `server.token` in the data folder";
    Reply::refusal(StatusCode::UNAUTHORIZED, why).with(header::WWW_AUTHENTICATE, "Bearer")
}

/// Asks for the key; the page's script takes it from the address if it is there.
fn login_page(status: StatusCode, complaint: Option<&str>) -> Reply {
    let body = html! {
        main #main.login data-login="" {
            h1 { "Standpoint" }
            p { "Open the address that the daemon printed when it started. It logs this browser in." }
            @if let Some(complaint) = complaint { p.complaint role="alert" { (complaint) } }
            form method="post" action="/login" {
                label for="key" { "Or the key from that address, what stands behind its " code { "#" } }
                input #key name="key" type="password" autocomplete="off" required;
                button { "Log in" }
            }
        }
    };
    // Without a referrer a browser sends no origin either, and a form is known by its origin.
    Reply::page(status, "Log in \u{2013} Standpoint", &body)
        .with(header::REFERRER_POLICY, "same-origin")
}
