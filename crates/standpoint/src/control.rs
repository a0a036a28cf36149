//! Commands that ask a running daemon, through the socket in its data folder.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};
use http_body_util::{BodyExt, Empty};
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper::{Request, StatusCode, header};
use hyper_util::rt::TokioIo;
use tokio::net::UnixStream;
use tokio::time::timeout;

use crate::assemble::pipeline_file;
use crate::cli::{self, ReportFormat};
use crate::server::CONTROL_SOCKET;
use crate::status::{self, Status};

/// How long a daemon may take to answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// `status`: what a daemon is doing.
///
/// # Errors
///
/// When no daemon answers.
pub(crate) fn status(arguments: &cli::Status) -> Result<String> {
    let folder = data_dir(arguments)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("cannot start the runtime")?;
    let body = runtime.block_on(async {
        timeout(PATIENCE, get(&folder.join(CONTROL_SOCKET), "/status"))
            .await
            .map_err(|_| anyhow!("the daemon did not answer within {PATIENCE:?}"))?
            .with_context(|| format!("no daemon answers for {}", folder.display()))
    })?;
    Ok(match arguments.format {
        ReportFormat::Json => format!("{body}\n"),
        ReportFormat::Text => {
            let status: Status = serde_json::from_str(&body)
                .context("the daemon's status has another form; ask it with its own program")?;
            if status.version != status::VERSION {
                bail!(
                    "found version {} of the daemon's status, expected {}; ask it with its own \
                     program",
                    status.version,
                    status::VERSION
                );
            }
            status.text()
        }
    })
}

/// The data folder that is meant.
fn data_dir(arguments: &cli::Status) -> Result<PathBuf> {
    match &arguments.config {
        Some(path) => Ok(pipeline_file(path)?.data_dir),
        None => Ok(arguments.data_dir.clone().unwrap_or_default()),
    }
}

/// Reads a page of the daemon.
async fn get(socket: &Path, page: &str) -> Result<String> {
    let stream = UnixStream::connect(socket)
        .await
        .with_context(|| format!("cannot connect to {}", socket.display()))?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    let request = Request::get(page)
        .header(header::HOST, "localhost")
        .body(Empty::<Bytes>::new())
        .context("cannot ask")?;
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
    if found != StatusCode::OK {
        bail!("the daemon answered {found}: {}", body.trim());
    }
    Ok(body)
}
