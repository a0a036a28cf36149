//! Tells people when somebody's stance moves: a line in a file, a request to an address.

use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use http_body_util::Full;
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper::{Method, Request, Uri, header};
use hyper_util::rt::TokioIo;
use serde::{Deserialize, Serialize};
use standpoint_config::AlertSettings;
use standpoint_store::shifts::{self, Shift};
use standpoint_store::{Filter, Store, figures};
use tokio::net::TcpStream;
use tokio::task::spawn_blocking;
use tokio::time::{MissedTickBehavior, interval, timeout};
use tracing::{info, warn};

use crate::exit;

/// What was told, in the data folder, so that a restart tells nothing twice.
const TOLD: &str = "alerts.json";

/// How long an address may take to answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// Watches a store for shifts.
pub(crate) struct Alerts {
    settings: AlertSettings,
    webhook: Option<Uri>,
    store: PathBuf,
    told_in: PathBuf,
    told: Told,
}

/// The last day of the window in which a shift was told, by target, who and direction. The same
/// shift is there the next day, too, and is not told again before the window has passed it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Told(BTreeMap<String, String>);

impl Told {
    fn slot(shift: &Shift) -> String {
        let way = if shift.now > shift.before { "toward" } else { "away" };
        format!("{} {way} {}", shift.target, shift.who)
    }

    /// Whether a shift was told in a window that overlaps this one's.
    fn has(&self, shift: &Shift) -> bool {
        // Dates of this form order like text.
        self.0.get(&Self::slot(shift)).is_some_and(|last| *last >= shift.from)
    }

    fn note(&mut self, shift: &Shift) {
        self.0.insert(Self::slot(shift), shift.to.clone());
    }
}

impl Alerts {
    /// # Errors
    ///
    /// When nobody is told, or the address is none; exit code 2.
    pub(crate) fn new(settings: AlertSettings, store: PathBuf, data_dir: &Path) -> Result<Self> {
        if settings.file.is_none() && settings.webhook.is_none() {
            return Err(exit::usage(
                "`server.alerts` tells nobody: give it a `file` or a `webhook`",
            ));
        }
        let webhook = settings.webhook.as_deref().map(webhook).transpose()?;
        let told_in = data_dir.join(TOLD);
        let told = match fs::read(&told_in) {
            Ok(json) => serde_json::from_slice(&json).unwrap_or_default(),
            Err(_) => Told::default(),
        };
        Ok(Self { settings, webhook, store, told_in, told })
    }

    /// Looks at the store again and again; ends when it is dropped.
    pub(crate) async fn watch(mut self) {
        let mut ticks = interval(self.settings.every);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            if let Err(error) = self.look().await {
                warn!(error = format!("{error:#}"), "cannot look for shifts; trying again later");
            }
        }
    }

    async fn look(&mut self) -> Result<()> {
        let (store, days) = (self.store.clone(), self.settings.window_days.get());
        let found = spawn_blocking(move || found(&store, days)).await??;
        for shift in found.iter().filter(|shift| !self.told.has(shift)).cloned().collect::<Vec<_>>()
        {
            let line = serde_json::to_string(&shift)?;
            if let Some(path) = &self.settings.file {
                append(path, &line)
                    .with_context(|| format!("cannot write to {}", path.display()))?;
            }
            if let Some(address) = &self.webhook {
                post(address, line).await.with_context(|| format!("cannot tell {address}"))?;
            }
            info!(
                who = shift.who,
                target = shift.target,
                before = shift.before,
                now = shift.now,
                "a stance moved"
            );
            self.told.note(&shift);
            let json = serde_json::to_vec(&self.told)?;
            fs::write(&self.told_in, json)
                .with_context(|| format!("cannot write to {}", self.told_in.display()))?;
        }
        Ok(())
    }
}

/// The shifts toward every target.
fn found(path: &Path, days: u32) -> Result<Vec<Shift>> {
    let store = Store::read(path)?;
    let mut found = Vec::new();
    for target in figures::targets(&store)? {
        found.extend(shifts::shifts(&store, &Filter::toward(target.id), days)?);
    }
    Ok(found)
}

fn append(path: &Path, line: &str) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    let mut file = OpenOptions::new().append(true).create(true).open(path)?;
    file.write_all(format!("{line}\n").as_bytes())
}

/// Reads an address of plain HTTP.
fn webhook(text: &str) -> Result<Uri> {
    let address: Option<Uri> = text.parse().ok();
    let fits = |address: &Uri| address.scheme_str() == Some("http") && address.host().is_some();
    address.filter(fits).ok_or_else(|| {
        exit::usage(format!(
            "`server.alerts.webhook`: found `{text}`, expected an address such as \
             `http://127.0.0.1:9000/shifts`; for https name a relay on this machine"
        ))
    })
}

async fn post(address: &Uri, body: String) -> Result<()> {
    let host = address.host().unwrap_or_default();
    let name = host.trim_start_matches('[').trim_end_matches(']').to_owned();
    let port = address.port_u16().unwrap_or(80);
    let path = address.path_and_query().map_or("/", |path| path.as_str()).to_owned();
    let request = Request::builder()
        .method(Method::POST)
        .uri(path)
        .header(header::HOST, address.authority().map_or(host, |authority| authority.as_str()))
        .header(header::CONTENT_TYPE, "application/json")
        .body(Full::new(Bytes::from(body)))?;
    let told = async {
        let stream = TcpStream::connect((name.as_str(), port)).await?;
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        let answer = async {
            let answer = sender.send_request(request).await?;
            // Without a sender the connection ends with the answer.
            drop(sender);
            anyhow::Ok(answer.status())
        };
        let (answer, _) = tokio::join!(answer, connection);
        anyhow::Ok(answer?)
    };
    let status = timeout(PATIENCE, told).await.context("it took too long")??;
    if !status.is_success() {
        bail!("it answered {status}");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::*;

    fn shift(from: &str, to: &str, now: f64) -> Shift {
        Shift {
            who: "KAZ".into(),
            name: "Kazakhstan".into(),
            target: "RUS".into(),
            before: 0.0,
            now,
            stories_before: 9,
            stories_now: 5,
            errors: 3.0,
            from: from.into(),
            to: to.into(),
        }
    }

    #[test]
    fn a_shift_is_told_once_until_the_window_has_passed_it() {
        let mut told = Told::default();
        told.note(&shift("2024-05-01", "2024-05-30", -0.5));
        let cases = [
            ("the same", shift("2024-05-01", "2024-05-30", -0.5), true),
            ("a day later", shift("2024-05-02", "2024-05-31", -0.6), true),
            ("back", shift("2024-05-02", "2024-05-31", 0.5), false),
            ("another window", shift("2024-06-01", "2024-06-30", -0.5), false),
        ];
        for (case, shift, expected) in cases {
            assert_eq!(told.has(&shift), expected, "{case}");
        }
    }

    #[test]
    fn an_address_that_cannot_be_called_is_refused() {
        assert!(webhook("http://127.0.0.1:9000/shifts?a=b").is_ok());
        for text in ["https://example.org/", "127.0.0.1:9000", "http:///x", "no address"] {
            let error = webhook(text).unwrap_err().to_string();
            assert!(error.contains("for https name a relay"), "{text}: {error}");
        }
    }

    #[tokio::test]
    async fn a_shift_is_posted_and_a_refusal_is_an_error() {
        for (answer, is_fine) in [("204 No Content", true), ("500 No", false)] {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let address = format!("http://{}/shifts", listener.local_addr().unwrap());
            let serve = async {
                let (mut stream, _) = listener.accept().await.unwrap();
                let mut asked = String::new();
                while !asked.ends_with("{\"a\":1}") {
                    let mut bytes = [0; 1024];
                    let read = stream.read(&mut bytes).await.unwrap();
                    assert!(read > 0, "{asked}");
                    asked.push_str(&String::from_utf8_lossy(&bytes[..read]));
                }
                let reply =
                    format!("HTTP/1.1 {answer}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
                stream.write_all(reply.as_bytes()).await.unwrap();
                asked
            };
            let address = webhook(&address).unwrap();
            let (asked, told) = tokio::join!(serve, post(&address, "{\"a\":1}".to_owned()));
            assert!(asked.starts_with("POST /shifts HTTP/1.1\r\n"), "{asked}");
            assert_eq!(told.is_ok(), is_fine, "{told:?}");
        }
    }
}
