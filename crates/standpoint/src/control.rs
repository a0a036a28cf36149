//! Commands that ask a running daemon, through the socket in its data folder.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};
use http_body_util::{BodyExt, Empty};
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper::{Method, Request, StatusCode, header};
use hyper_util::rt::TokioIo;
use tokio::net::UnixStream;
use tokio::runtime::{Builder, Runtime};
use tokio::time::timeout;

use crate::cli::{self, DaemonChoice, ReportFormat};
use crate::exit::{self, Exit};
use crate::orders::{RELOAD, STAGE_HEADER, TAP};
use crate::pipeline_file::sections_of;
use crate::server::CONTROL_SOCKET;
use crate::status::{self, Status};

/// How long a daemon may take to answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// The same for a reload, which may wait for documents under way and for large plugins.
const LONG_PATIENCE: Duration = Duration::from_mins(5);

/// `status`: what a daemon is doing.
///
/// # Errors
///
/// When no daemon answers.
pub(crate) fn status(arguments: &cli::Status) -> Result<String> {
    match arguments.format {
        ReportFormat::Json => {
            let (_, body) = ask(&arguments.daemon, Method::GET, "/status", None, PATIENCE)?;
            Ok(format!("{body}\n"))
        }
        ReportFormat::Text => Ok(ask_status(&arguments.daemon)?.text()),
    }
}

/// The state of a daemon.
///
/// # Errors
///
/// When no daemon answers, or one of another version.
pub(crate) fn ask_status(daemon: &DaemonChoice) -> Result<Status> {
    let (_, body) = ask(daemon, Method::GET, "/status", None, PATIENCE)?;
    let status: Status = serde_json::from_str(&body)
        .context("the daemon's status has another form; ask it with its own program")?;
    if status.version != status::VERSION {
        bail!(
            "found version {} of the daemon's status, expected {}; ask it with its own program",
            status.version,
            status::VERSION
        );
    }
    Ok(status)
}

/// `reload`: lets a daemon read its pipeline file again.
///
/// # Errors
///
/// When no daemon answers; with `--wait`, why it goes on as before, with exit code 2.
pub(crate) fn reload(arguments: &cli::Reload) -> Result<String> {
    let path = if arguments.wait { format!("{RELOAD}?wait") } else { RELOAD.to_owned() };
    let (code, told) = ask(&arguments.daemon, Method::POST, &path, None, LONG_PATIENCE)?;
    if code == StatusCode::CONFLICT {
        return Err(exit::usage(format!("the daemon goes on as before: {}", told.trim_end())));
    }
    Ok(told)
}

/// `tap`: documents that pass.
///
/// - `print`: prints result lines.
///
/// # Errors
///
/// When no daemon answers.
pub(crate) fn tap(arguments: &cli::Tap, print: fn(&str) -> Result<Exit>) -> Result<Exit> {
    let stage = arguments.stage.as_deref();
    let mut left = arguments.count.unwrap_or(u64::MAX);
    while left > 0 {
        let (_, lines) = ask(&arguments.daemon, Method::GET, TAP, stage, PATIENCE)?;
        for line in lines.split_inclusive('\n').take(usize::try_from(left).unwrap_or(usize::MAX)) {
            print(line)?;
            left -= 1;
        }
    }
    Ok(Exit::Done)
}

/// Asks the daemon for a page; gives the code, which is one of success or 409, and the page.
fn ask(
    daemon: &DaemonChoice,
    method: Method,
    path: &str,
    stage: Option<&str>,
    patience: Duration,
) -> Result<(StatusCode, String)> {
    let folder = data_dir(daemon)?;
    let mut request = Request::builder().method(method).uri(path).header(header::HOST, "localhost");
    if let Some(stage) = stage {
        request = request.header(STAGE_HEADER, stage.as_bytes());
    }
    let request = request.body(Empty::new()).context("cannot ask")?;
    runtime()?.block_on(async {
        timeout(patience, exchange(&folder.join(CONTROL_SOCKET), request))
            .await
            .map_err(|_| anyhow!("the daemon did not answer within {patience:?}"))?
    })
}

fn runtime() -> Result<Runtime> {
    Builder::new_current_thread().enable_all().build().context("cannot start the runtime")
}

/// The data folder that is meant.
fn data_dir(daemon: &DaemonChoice) -> Result<PathBuf> {
    match &daemon.config {
        Some(path) => {
            let way_out = "`--data-dir FOLDER` asks the daemon without the pipeline file";
            let file = sections_of(path, &["data_dir"]);
            Ok(file.map_err(|mistakes| exit::usage(format!("{mistakes}\n\n{way_out}")))?.data_dir)
        }
        None => Ok(daemon.data_dir.clone().unwrap_or_default()),
    }
}

async fn exchange(socket: &Path, request: Request<Empty<Bytes>>) -> Result<(StatusCode, String)> {
    let stream = UnixStream::connect(socket).await.with_context(|| {
        format!("no daemon answers at {} (is it running, and this its folder?)", socket.display())
    })?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    let answer = async {
        let answer = sender.send_request(request).await?;
        let found = answer.status();
        let body = answer.into_body().collect().await?.to_bytes();
        anyhow::Ok((found, body))
    };
    // The connection moves the bytes that the answer waits for; it ends with the answer.
    let (answered, _) = tokio::join!(answer, connection);
    let (found, body) = answered?;
    let body = String::from_utf8(body.into()).context("the answer is no text")?;
    if found == StatusCode::BAD_REQUEST {
        return Err(exit::usage(body.trim()));
    }
    if !found.is_success() && found != StatusCode::CONFLICT {
        bail!("the daemon answered {found}: {}", body.trim());
    }
    Ok((found, body))
}
