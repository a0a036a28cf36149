//! The dashboard: a request becomes a reply.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use http::{Method, StatusCode, header};
use maud::html;
use serde_json::Value;
use standpoint_store::figures::TargetCount;
use standpoint_store::{Place, Store, StoreError, figures, names};

use crate::address::{MOST_DAYS, Query, WINDOW};
use crate::export::MOST_ROWS;
use crate::frame;
use crate::login::{self, Keys, Visitor};
use crate::reply::{Reply, Request};
use crate::text::line;
use crate::{api, correct, openapi};

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

    /// The names of the sources that documents come from; `None` where others may send some, too.
    fn sources(&self) -> Option<Vec<String>>;

    /// Whether somebody has this id or name, be it that no document has named him yet.
    fn knows(&self, name: &str) -> bool;

    /// The id and the name of whom tables of names know by this id, name or alias; nobody where
    /// there are none.
    fn called(&self, _name: &str) -> Option<(String, String)> {
        None
    }
}

/// How many connections to the store wait for the next request.
const KEPT_READERS: usize = 4;

/// A dashboard over one store.
pub struct Site {
    store: Place,
    readers: Mutex<Vec<Store>>,
    writer: Mutex<Option<Store>>,
    keys: Keys,
    daemon: Arc<dyn Daemon>,
    most_rows: usize,
    window: u32,
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
            most_rows: MOST_ROWS,
            window: WINDOW,
        }
    }

    /// The same with other bounds of an export.
    #[must_use]
    pub fn with_most_rows(self, most_rows: usize) -> Self {
        Self { most_rows, ..self }
    }

    /// The same that looks for shifts in other days, as alerts do, unless an address says
    /// otherwise.
    #[must_use]
    pub fn with_window(self, days: u32) -> Self {
        Self { window: days.clamp(1, MOST_DAYS), ..self }
    }

    /// Days that shifts are looked for in unless an address says otherwise.
    pub(crate) const fn usual_window(&self) -> u32 {
        self.window
    }

    /// Days that shifts are looked for in.
    pub(crate) fn window(&self, query: &Query) -> u32 {
        query.window.unwrap_or(self.window)
    }

    pub(crate) const fn most_rows(&self) -> usize {
        self.most_rows
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
        } else if let Some(key) = correct::key_of(&request.path)
            && request.method == Method::POST
        {
            correct::receive(self, request, visitor, key)
        } else if let Some(key) = correct::undone_of(&request.path)
            && request.method == Method::POST
        {
            correct::receive_undo(self, request, visitor, key)
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
        // One that failed is not used again; where the server went away, the others are lost with
        // it.
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

    /// What the forms of a page carry; nothing for whoever needs no form.
    pub(crate) fn form_mark(&self, request: &Request) -> String {
        self.keys.form_mark(&request.headers, SystemTime::now()).unwrap_or_default()
    }

    /// Whether a form was sent from a page of ours.
    pub(crate) fn is_marked(&self, request: &Request, mark: Option<&str>) -> bool {
        let now = SystemTime::now();
        mark.is_some_and(|mark| self.keys.is_own_form(&request.headers, mark, now))
    }

    pub(crate) fn daemon(&self) -> &dyn Daemon {
        self.daemon.as_ref()
    }

    /// Reads the query; the target is the one with the most stances where it does not say. Names of
    /// targets and actors become their ids.
    pub(crate) fn query(
        &self,
        store: &Store,
        query: &str,
    ) -> Result<Query, standpoint_store::Error> {
        let first = || Ok(figures::targets(store)?.into_iter().next().map(|target| target.id));
        self.query_toward(store, query, first)
    }

    /// The same.
    ///
    /// - `first`: finds the target with the most stances.
    pub(crate) fn query_toward(
        &self,
        store: &Store,
        query: &str,
        first: impl FnOnce() -> Result<Option<String>, standpoint_store::Error>,
    ) -> Result<Query, standpoint_store::Error> {
        let mut read = Query::read(query, "");
        // The form sends its days, too, where nobody chose them.
        read.window = read.window.filter(|days| *days != self.window);
        if read.filter.target.is_empty() {
            read.filter.target = first()?.unwrap_or_default();
        } else if let Some(target) = self.target_called(store, &read.filter.target)? {
            read.filter.target = target;
        }
        if let Some(who) = &read.filter.who
            && let Some(found) = self.holder_called(store, who)?
        {
            read.filter.who = Some(found);
        }
        read.filter = read.filter.looked_up(store)?.into_owned();
        Ok(read)
    }

    /// The target of the store that an id or a name means: where the tables of names know it, by
    /// the id that it has in documents that name it, unless the other id was asked for.
    fn target_called(
        &self,
        store: &Store,
        called: &str,
    ) -> Result<Option<String>, standpoint_store::Error> {
        let found = names::target_called(store, called)?;
        let is_other = |id: &String| id.starts_with("name:") && id != called;
        if found.as_ref().is_none_or(is_other)
            && let Some((id, _)) = self.daemon.called(called)
            && let Some(own) = names::target_called(store, &id)?
        {
            return Ok(Some(own));
        }
        Ok(found)
    }

    /// The targets, the one with the most stances first, without the other ids of those that are
    /// there by their own: whom the tables know has another one in documents that do not name him,
    /// and no stance there.
    pub(crate) fn targets(
        &self,
        store: &Store,
    ) -> Result<Vec<TargetCount>, standpoint_store::Error> {
        let mut targets = figures::targets(store)?;
        let ids: BTreeSet<String> = targets.iter().map(|target| target.id.clone()).collect();
        targets.retain(|target| {
            let own = || self.daemon.called(&target.name).map(|(id, _)| id);
            target.stances > 0
                || !target.id.starts_with("name:")
                || !own().is_some_and(|own| ids.contains(&own))
        });
        Ok(targets)
    }

    /// The actor of the store whom an id or a name means, his own or another one that the tables of
    /// names have; behind `author:` an author.
    pub(crate) fn holder_called(
        &self,
        store: &Store,
        called: &str,
    ) -> Result<Option<String>, standpoint_store::Error> {
        if let Some(who) = names::holder_called(store, called)? {
            return Ok(Some(who));
        }
        let (author, name) = match called.strip_prefix("author:") {
            Some(name) => ("author:", name),
            None => ("", called),
        };
        match self.daemon.called(name) {
            Some((id, _)) => names::holder_called(store, &format!("{author}{id}")),
            None => Ok(None),
        }
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
            p {
                "Open the address that the daemon printed when it started, or wrote to "
                code { "dashboard.url" } " in its data folder. It logs this browser in."
            }
            @if let Some(complaint) = complaint { p.complaint role="alert" { (complaint) } }
            form method="post" action="/login" {
                label for="key" { "Or the key from that address, what stands behind its " code { "#" } }
                input #key name="key" type="password" autocomplete="off" required;
                button { "Log in" }
            }
        }
    };
    Reply::page(status, "Log in \u{2013} Standpoint", &body)
}

#[cfg(test)]
mod tests {
    use std::sync::{OnceLock, Weak};

    use super::*;

    /// A daemon that notes how many connections lie idle whenever it is asked how it is.
    #[derive(Default)]
    struct Counting {
        site: OnceLock<Weak<Site>>,
        idle: Mutex<Vec<usize>>,
    }

    impl Daemon for Counting {
        fn status(&self) -> Value {
            let site = self.site.get().and_then(Weak::upgrade).unwrap();
            self.idle.lock().unwrap().push(site.readers.lock().unwrap().len());
            Value::Null
        }

        fn quarantine(&self) -> Result<Vec<Value>, String> {
            Ok(Vec::new())
        }

        fn replay(&self, _: &str) -> Result<(), String> {
            Ok(())
        }

        fn sources(&self) -> Option<Vec<String>> {
            None
        }

        fn knows(&self, _: &str) -> bool {
            false
        }
    }

    #[test]
    fn no_connection_waits_for_the_daemon() {
        let folder = tempfile::tempdir().unwrap();
        let store = folder.path().join("store.db");
        drop(Store::open(&store, false).unwrap());
        let keys = Keys::new([1; 32], [2; 32], "a-token-of-this-test", 8686);
        let daemon = Arc::new(Counting::default());
        let site = Arc::new(Site::new(store, keys, Arc::clone(&daemon) as Arc<dyn Daemon>));
        daemon.site.set(Arc::downgrade(&site)).unwrap();
        for (path, expected) in [("/", "id=\"health\""), ("/health", "Quarantine</h2>")] {
            let request = Request {
                method: Method::GET,
                path: path.to_owned(),
                query: String::new(),
                headers: http::HeaderMap::new(),
                body: Vec::new(),
            };
            let crate::reply::Body::Whole(page) = site.answer(&request, true).whole().body else {
                panic!("{path} was made whole")
            };
            assert!(String::from_utf8_lossy(&page).contains(expected), "{path}");
        }
        assert_eq!(*daemon.idle.lock().unwrap(), [1, 1]);
    }
}
