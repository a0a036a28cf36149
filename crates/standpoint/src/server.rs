//! The daemon's window: liveness, readiness, status and metrics over HTTP/1.1, orders of the
//! daemon's own user, and the dashboard.
//!
//! It listens on the address of `server.listen` and, for the program's own commands, on a socket in
//! the data folder. Its own pages show the engine's counters and names from the pipeline file,
//! nothing of a document; what else is asked for goes to the dashboard, where there is one.

mod body;

use std::collections::VecDeque;
use std::convert::Infallible;
use std::fs::{self, Permissions};
use std::io;
use std::net::IpAddr;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener as StdUnixListener;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context, Result};
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use hyper::header::{self, HeaderMap, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use standpoint_config::ServerSettings;
use standpoint_web::reply::{Reply, Request as Asked};
use standpoint_web::site::Site;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, UnixListener};
use tokio::task::{AbortHandle, JoinSet, spawn_blocking};
use tokio::time::{Instant, sleep, timeout};
use tracing::{debug, info, warn};

use self::body::{Sending, Streams};
use crate::exit;
use crate::metrics;
use crate::orders::Orders;
use crate::status::View;

/// The name of the socket in the data folder.
pub(crate) const CONTROL_SOCKET: &str = "control.sock";

/// How many connections a listener serves at a time.
const CONNECTIONS: usize = 64;

/// How long a connection may take, from its first byte to its last.
const PATIENCE: Duration = Duration::from_secs(10);

/// The same for the daemon's own user, who may wait for a reload.
const LONG_PATIENCE: Duration = Duration::from_mins(5);

/// The same where rows or events are sent, which takes as long as there are any; a page that still
/// wants events then asks again.
const STREAM_PATIENCE: Duration = Duration::from_hours(1);

/// The most bytes of a request's body.
const MAX_BODY_BYTES: usize = 64 * 1024;

/// The most bytes of a request's line and headers.
const MAX_REQUEST_BYTES: usize = 16 * 1024;

/// How long to wait after the system refused a connection, as when no file can be opened.
const AFTER_REFUSAL: Duration = Duration::from_millis(200);

/// The fewest characters of a token.
const MIN_TOKEN: usize = 16;

/// Listeners that are bound but do not answer yet.
pub(crate) struct Server {
    web: Option<(std::net::TcpListener, Guard)>,
    control: Option<(StdUnixListener, SocketFile)>,
}

/// Answers until it is dropped.
pub(crate) struct Answering {
    _tasks: JoinSet<()>,
    _socket: Option<SocketFile>,
}

/// The control socket's file, removed when dropped.
struct SocketFile(PathBuf);

impl Drop for SocketFile {
    fn drop(&mut self) {
        // A file that stays is replaced at the next start.
        let _ = fs::remove_file(&self.0);
    }
}

impl Server {
    /// Binds the listeners.
    ///
    /// - `data_dir`: the data folder, which this process holds.
    ///
    /// # Errors
    ///
    /// When the address cannot be bound, or the token not read. A data folder that cannot hold a
    /// socket is only warned of: documents matter more than `standpoint status`.
    pub(crate) fn bind(settings: Option<&ServerSettings>, data_dir: &Path) -> Result<Self> {
        let web = settings.map(web).transpose()?;
        let path = data_dir.join(CONTROL_SOCKET);
        let control = control(&path).inspect_err(|error| {
            warn!(path = %path.display(), %error, "no control socket: `standpoint status` cannot reach this daemon");
        });
        Ok(Self { web, control: control.ok() })
    }

    /// The address that browsers use, if the server listens on one.
    pub(crate) fn address(&self) -> Option<std::net::SocketAddr> {
        self.web.as_ref().and_then(|(listener, _)| listener.local_addr().ok())
    }

    /// Begins to show `view`, on the runtime that this is called in.
    ///
    /// - `site`: the dashboard.
    ///
    /// # Errors
    ///
    /// When the runtime cannot watch a listener.
    pub(crate) fn answer(
        self,
        view: Arc<View>,
        orders: Orders,
        site: Option<Arc<Site>>,
    ) -> Result<Answering> {
        let view = Arc::new(Window { view, orders, site, streams: Streams::default() });
        let mut tasks = JoinSet::new();
        if let Some((listener, guard)) = self.web {
            let address = listener.local_addr().context("cannot name the server's address")?;
            let door =
                Door::Web(TcpListener::from_std(listener).context("cannot start the server")?);
            tasks.spawn(receive(door, Arc::new(guard), Arc::clone(&view)));
            info!(%address, "listening");
        }
        let mut socket = None;
        if let Some((listener, file)) = self.control {
            let listener =
                UnixListener::from_std(listener).context("cannot start the control socket")?;
            tasks.spawn(receive(Door::Control(listener), Arc::new(Guard::Owner), view));
            socket = Some(file);
        }
        Ok(Answering { _tasks: tasks, _socket: socket })
    }
}

fn web(settings: &ServerSettings) -> Result<(std::net::TcpListener, Guard)> {
    let address = settings.listen;
    let guard = match &settings.token_file {
        Some(path) => Guard::Token(blake3::hash(token(path)?.as_bytes())),
        None => Guard::Hosts(address.ip()),
    };
    let listener = std::net::TcpListener::bind(address)
        .and_then(|listener| listener.set_nonblocking(true).map(|()| listener))
        .with_context(|| format!("cannot listen on {address} (`server.listen`)"))?;
    Ok((listener, guard))
}

/// Reads a token from its file.
///
/// # Errors
///
/// When it cannot be read or is none; exit code 2.
pub(crate) fn token(path: &Path) -> Result<String> {
    let name = path.display();
    let text = fs::read_to_string(path)
        .map_err(|error| exit::usage(format!("{name}: cannot read the server's token: {error}")))?;
    let token = text.trim();
    if token.len() < MIN_TOKEN || token.contains(char::is_whitespace) {
        return Err(exit::usage(format!(
            "{name}: found a token of {} bytes, expected one word of at least {MIN_TOKEN}; \
             `head -c 24 /dev/urandom | base64` makes one",
            token.len()
        )));
    }
    Ok(token.to_owned())
}

/// Makes the control socket, open to this user alone.
fn control(path: &Path) -> io::Result<(StdUnixListener, SocketFile)> {
    // Whoever left it there is gone, for its data folder is ours.
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let listener = StdUnixListener::bind(path)?;
    let file = SocketFile(path.to_owned());
    fs::set_permissions(path, Permissions::from_mode(0o600))?;
    listener.set_nonblocking(true)?;
    Ok((listener, file))
}

/// Where connections come in.
enum Door {
    Web(TcpListener),
    Control(UnixListener),
}

trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

impl Door {
    async fn accept(&self) -> io::Result<Box<dyn Stream>> {
        Ok(match self {
            Self::Web(listener) => Box::new(listener.accept().await?.0),
            Self::Control(listener) => Box::new(listener.accept().await?.0),
        })
    }
}

/// Takes connections in, for ever.
async fn receive(door: Door, guard: Arc<Guard>, view: Arc<Window>) {
    let mut connections = JoinSet::new();
    let mut visitors = VecDeque::new();
    loop {
        match door.accept().await {
            Ok(stream) => {
                while connections.try_join_next().is_some() {}
                make_room(&mut visitors, &mut connections).await;
                let (guard, view) = (Arc::clone(&guard), Arc::clone(&view));
                let has_asked = Arc::new(AtomicBool::new(false));
                let asks = Arc::clone(&has_asked);
                let task = connections.spawn(async move {
                    converse(stream, &guard, &view, &asks).await;
                });
                visitors.push_back(Visitor { task, has_asked });
            }
            Err(error) => {
                warn!(%error, "cannot accept a connection");
                sleep(AFTER_REFUSAL).await;
            }
        }
    }
}

/// A connection that is open.
struct Visitor {
    task: AbortHandle,
    /// Whether its request has come.
    has_asked: Arc<AtomicBool>,
}

/// Makes room for one more connection: whoever has kept silent for longest goes, so that those who
/// say nothing, however many, keep nobody from asking.
async fn make_room(visitors: &mut VecDeque<Visitor>, connections: &mut JoinSet<()>) {
    visitors.retain(|visitor| !visitor.task.is_finished());
    while visitors.len() >= CONNECTIONS {
        let silent = visitors.iter().position(|one| !one.has_asked.load(Ordering::Relaxed));
        if let Some(visitor) = silent.and_then(|index| visitors.remove(index)) {
            visitor.task.abort();
        } else {
            connections.join_next().await;
            visitors.retain(|visitor| !visitor.task.is_finished());
        }
    }
}

/// Answers the one request of a connection.
async fn converse(stream: Box<dyn Stream>, guard: &Guard, window: &Window, has_asked: &AtomicBool) {
    let is_stream = &AtomicBool::new(false);
    let service = service_fn(|request: Request<Incoming>| async move {
        has_asked.store(true, Ordering::Relaxed);
        let answer = answer(request, guard, window).await;
        is_stream.store(answer.body().is_stream(), Ordering::Relaxed);
        Ok::<_, Infallible>(answer)
    });
    let connection = http1::Builder::new()
        .keep_alive(false)
        .max_buf_size(MAX_REQUEST_BYTES)
        .serve_connection(TokioIo::new(stream), service);
    let patience = if matches!(guard, Guard::Owner) { LONG_PATIENCE } else { PATIENCE };
    let mut connection = std::pin::pin!(connection);
    let start = Instant::now();
    loop {
        match timeout(patience, connection.as_mut()).await {
            Ok(Ok(())) => break,
            Ok(Err(error)) => break debug!(%error, "a connection broke off"),
            Err(_) if is_stream.load(Ordering::Relaxed) && start.elapsed() < STREAM_PATIENCE => {}
            Err(_) => break debug!("a connection took too long"),
        }
    }
}

/// Who may ask.
enum Guard {
    /// Whoever could open the control socket.
    Owner,
    /// Programs on this machine. A page in a browser here can be led to this address under a name
    /// of its own (DNS rebinding), so that the host it asks for must be this one.
    Hosts(IpAddr),
    /// Whoever shows the token with this hash; health may be asked without.
    Token(blake3::Hash),
}

impl Guard {
    /// - `is_own`: whether the page is one of the server's own; the dashboard has a door of its
    ///   own.
    fn admit(&self, path: &str, is_own: bool, headers: &HeaderMap) -> Result<(), Page> {
        let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
        match self {
            Self::Owner => Ok(()),
            Self::Hosts(own) => {
                let host = text(header::HOST).map(host_of).unwrap_or_default();
                let is_own = host.eq_ignore_ascii_case("localhost")
                    || host.parse().is_ok_and(|ip: IpAddr| ip == *own || ip.is_loopback());
                let refusal = "this server answers to its own address and `localhost` only\n";
                is_own
                    .then_some(())
                    .ok_or_else(|| Page::text(StatusCode::MISDIRECTED_REQUEST, refusal))
            }
            Self::Token(_) if !is_own || path == "/livez" || path == "/readyz" => Ok(()),
            Self::Token(token) => {
                let shown = text(header::AUTHORIZATION)
                    .and_then(|value| value.split_once(' '))
                    .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
                    .map(|(_, shown)| blake3::hash(shown.trim().as_bytes()));
                // Hashes compare in constant time.
                (shown == Some(*token)).then_some(()).ok_or_else(|| {
                    let refusal =
                        "send the token of `server.token_file`, as `Authorization: Bearer TOKEN`\n";
                    let page = Page::text(StatusCode::UNAUTHORIZED, refusal);
                    page.with(header::WWW_AUTHENTICATE, "Bearer")
                })
            }
        }
    }
}

/// The host of a `Host` header, without its port and without the brackets of an IPv6 address.
fn host_of(value: &str) -> &str {
    match value.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => value.split(':').next().unwrap_or_default(),
    }
}

type Answer = Response<Sending>;

/// What is shown, and what obeys.
struct Window {
    view: Arc<View>,
    orders: Orders,
    site: Option<Arc<Site>>,
    streams: Streams,
}

/// The pages that are the server's own.
const OWN: [&str; 4] = ["/livez", "/readyz", "/status", "/metrics"];

async fn answer(request: Request<Incoming>, guard: &Guard, window: &Window) -> Answer {
    let path = request.uri().path();
    let is_own = window.site.is_none() || OWN.contains(&path);
    if let Err(refusal) = guard.admit(path, is_own, request.headers()) {
        return refusal.into_answer();
    }
    let is_owner = matches!(guard, Guard::Owner);
    if is_owner && let Some((status, kind, body)) = window.orders.obey(&request, &window.view).await
    {
        return Page { kind, ..Page::text(status, body) }.into_answer();
    }
    match &window.site {
        Some(site) if !is_own => from_site(request, site, &window.streams, is_owner).await,
        _ => own(request.method(), request.uri().path(), &window.view).await,
    }
}

/// What the dashboard answers, off the runtime: it reads from the disk.
async fn from_site(
    request: Request<Incoming>,
    site: &Arc<Site>,
    streams: &Streams,
    is_owner: bool,
) -> Answer {
    let (head, body) = request.into_parts();
    let body = match Limited::new(body, MAX_BODY_BYTES).collect().await {
        Ok(body) => body.to_bytes().to_vec(),
        Err(error) => {
            let refusal = format!("expected a body of at most {MAX_BODY_BYTES} bytes: {error}\n");
            return Page::text(StatusCode::PAYLOAD_TOO_LARGE, refusal).into_answer();
        }
    };
    let asked = Asked {
        method: head.method,
        path: head.uri.path().to_owned(),
        query: head.uri.query().unwrap_or_default().to_owned(),
        headers: head.headers,
        body,
    };
    let asking = Arc::clone(site);
    let reply = spawn_blocking(move || asking.answer(&asked, is_owner)).await;
    let Ok(Reply { status, headers, body }) = reply else {
        let refusal = "this page cannot be shown; the log says why\n";
        return Page::text(StatusCode::INTERNAL_SERVER_ERROR, refusal).into_answer();
    };
    let Some(sending) = streams.send(body, site) else {
        let refusal = "too many are sent rows or events now; try again later\n";
        return Page::text(StatusCode::SERVICE_UNAVAILABLE, refusal).into_answer();
    };
    let mut answer = Response::new(sending);
    *answer.status_mut() = status;
    for (name, value) in headers {
        // What cannot stand in a header is nothing that the dashboard sends.
        if let Ok(value) = HeaderValue::from_str(&value) {
            answer.headers_mut().append(name, value);
        }
    }
    for (name, value) in Reply::usual_headers() {
        answer.headers_mut().entry(name).or_insert(HeaderValue::from_static(value));
    }
    answer
}

/// The server's own pages.
async fn own(method: &Method, path: &str, view: &View) -> Answer {
    if method != Method::GET && method != Method::HEAD {
        let refusal = "this server can be read only\n";
        let page = Page::text(StatusCode::METHOD_NOT_ALLOWED, refusal);
        return page.with(header::ALLOW, "GET, HEAD").into_answer();
    }
    let page = match path {
        "/livez" => Page::text(StatusCode::OK, "alive\n"),
        "/readyz" => {
            let reasons = view.reasons();
            if reasons.is_empty() {
                Page::text(StatusCode::OK, "ready\n")
            } else {
                let reasons = reasons.join("\n");
                Page::text(StatusCode::SERVICE_UNAVAILABLE, format!("{reasons}\n"))
            }
        }
        "/status" => match serde_json::to_string(&view.fresh_status().await) {
            Ok(json) => Page { kind: "application/json", ..Page::text(StatusCode::OK, json) },
            Err(error) => Page::text(StatusCode::INTERNAL_SERVER_ERROR, format!("{error}\n")),
        },
        "/metrics" => {
            let text = metrics::render(&view.fresh_status().await);
            Page { kind: metrics::CONTENT_TYPE, ..Page::text(StatusCode::OK, text) }
        }
        _ => {
            let pages = "there are /livez, /readyz, /status and /metrics\n";
            Page::text(StatusCode::NOT_FOUND, pages)
        }
    };
    page.into_answer()
}

/// An answer before it is one of hyper's.
#[derive(Debug)]
struct Page {
    status: StatusCode,
    kind: &'static str,
    header: Option<(header::HeaderName, &'static str)>,
    body: String,
}

impl Page {
    fn text(status: StatusCode, body: impl Into<String>) -> Self {
        Self { status, kind: "text/plain; charset=utf-8", header: None, body: body.into() }
    }

    fn with(self, name: header::HeaderName, value: &'static str) -> Self {
        Self { header: Some((name, value)), ..self }
    }

    fn into_answer(self) -> Answer {
        let mut answer = Response::new(Sending::whole(self.body));
        *answer.status_mut() = self.status;
        let usual = [
            (header::CONTENT_TYPE, self.kind),
            (header::CACHE_CONTROL, "no-store"),
            (header::CONTENT_SECURITY_POLICY, "default-src 'none'; frame-ancestors 'none'"),
            (header::REFERRER_POLICY, "no-referrer"),
            (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        ];
        for (name, value) in usual.into_iter().chain(self.header) {
            answer.headers_mut().insert(name, HeaderValue::from_static(value));
        }
        answer
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn admitted(guard: &Guard, path: &str, name: header::HeaderName, value: &str) -> u16 {
        let mut headers = HeaderMap::new();
        if !value.is_empty() {
            headers.insert(name, HeaderValue::from_str(value).expect("a header"));
        }
        guard.admit(path, true, &headers).map_or_else(|page| page.status.as_u16(), |()| 200)
    }

    #[test]
    fn only_its_own_names_are_answered_on_loopback() {
        let guard = Guard::Hosts("127.0.0.2".parse().expect("an address"));
        for (host, expected) in [
            ("localhost", 200),
            ("LOCALHOST:8686", 200),
            ("127.0.0.1:8686", 200),
            ("127.0.0.2", 200),
            ("[::1]:8686", 200),
            ("evil.example", 421),
            ("localhost.evil.example:8686", 421),
            ("127.0.0.1.evil.example", 421),
            ("10.0.0.1", 421),
            ("[::1", 200),
            ("", 421),
        ] {
            assert_eq!(admitted(&guard, "/status", header::HOST, host), expected, "{host:?}");
        }
    }

    #[test]
    fn a_token_opens_what_health_does_not_show() {
        let guard = Guard::Token(blake3::hash(b"0123456789abcdef"));
        for (path, value, expected) in [
            ("/livez", "", 200),
            ("/readyz", "", 200),
            ("/status", "", 401),
            ("/status", "Bearer 0123456789abcdef", 200),
            ("/status", "bearer  0123456789abcdef", 200),
            ("/status", "Basic 0123456789abcdef", 401),
            ("/status", "Bearer 0123456789abcde", 401),
            ("/metrics", "Bearer", 401),
            ("/elsewhere", "", 401),
        ] {
            let found = admitted(&guard, path, header::AUTHORIZATION, value);
            assert_eq!(found, expected, "{path} {value:?}");
        }
    }
}
