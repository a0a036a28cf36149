//! The dashboard of a daemon: its keys, and what it must know of the pipeline.

use std::fs::{self, OpenOptions, Permissions};
use std::io::{self, Read, Write};
use std::net::SocketAddr;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result};
use serde_json::Value;
use standpoint_config::PipelineFile;
use standpoint_document::{StanceTarget, is_same_name};
use standpoint_store::Place;
use standpoint_web::login::Keys;
use standpoint_web::site::{Daemon, Site};
use tracing::{info, warn};

use crate::alerts::Alerts;
use crate::assemble::Assembly;
use crate::console;
use crate::logging;
use crate::quarantine;
use crate::server;
use crate::status::View;
use crate::targets;

/// The name of the secret in the data folder that cookies are marked with.
const SECRET: &str = "server.key";

/// The name of the token in the data folder that programs show, where the pipeline file names none.
const TOKEN: &str = "server.token";

/// The name of the file in the data folder with the address that logs a browser in, where it is not
/// said.
const INVITATION: &str = "dashboard.url";

/// A dashboard that is not shown yet.
pub(crate) struct Dashboard {
    store: Place,
    keys: Keys,
    file: PipelineFile,
    targets: Vec<StanceTarget>,
    address: SocketAddr,
    alerts: Option<Alerts>,
}

impl Dashboard {
    /// Makes the keys of a dashboard over `store`.
    ///
    /// - `data_dir`: the data folder, which this process holds;
    /// - `address`: where the server listens.
    ///
    /// # Errors
    ///
    /// When a key cannot be read or made.
    pub(crate) fn new(
        store: Place,
        assembly: &Assembly,
        data_dir: &Path,
        address: SocketAddr,
    ) -> Result<Self> {
        let file = &assembly.file;
        let random = || {
            let mut bytes = [0; 32];
            fs::File::open("/dev/urandom").and_then(|mut file| file.read_exact(&mut bytes))?;
            io::Result::Ok(bytes)
        };
        let hex = || Ok(blake3::Hash::from_bytes(random()?).to_hex().to_string());
        let secret = kept(&data_dir.join(SECRET), hex)?;
        let secret = blake3::Hash::from_hex(&secret)
            .with_context(|| format!("{}: expected 64 hexadecimal digits; remove the file, and every browser logs in again", data_dir.join(SECRET).display()))?;
        let given = file.server.as_ref().and_then(|server| server.token_file.as_deref());
        let token = match given {
            Some(path) => server::token(path)?,
            None => kept(&data_dir.join(TOKEN), hex)?,
        };
        let once = random().context("cannot make the dashboard's key")?;
        let keys = Keys::new(*secret.as_bytes(), once, &token, address.port());
        let alerts = file.server.as_ref().and_then(|server| server.alerts.clone());
        let alerts =
            alerts.map(|settings| Alerts::new(settings, store.clone(), data_dir)).transpose()?;
        let targets = assembly.targets();
        Ok(Self { store, keys, file: file.clone(), targets, address, alerts })
    }

    /// The dashboard over a pipeline that runs, and who watches for shifts beside it.
    pub(crate) fn over(self, view: &Arc<View>) -> (Arc<Site>, Option<Alerts>) {
        let address = match self.address {
            address if address.ip().is_unspecified() => format!("localhost:{}", address.port()),
            address => address.to_string(),
        };
        let invitation = self.file.data_dir.join(INVITATION);
        let alerts = self.file.server.as_ref().and_then(|server| server.alerts.as_ref());
        let window = alerts.map(|alerts| alerts.window_days.get());
        let running = Running { view: Arc::clone(view), file: self.file, targets: self.targets };
        let site = Site::new(self.store, self.keys, Arc::new(running));
        // Of what an alert tells the page must not say otherwise.
        let site = Arc::new(match window {
            Some(days) => site.with_window(days),
            None => site,
        });
        invite(&address, site.login(), &invitation, logging::is_for_programs());
        (site, self.alerts)
    }
}

/// Says the address that logs a browser in: people read it, while of a log that programs collect
/// nobody knows who reads it, so that there it is in a file for this user alone.
fn invite(address: &str, key: &str, file: &Path, is_for_programs: bool) {
    let whole = format!("http://{address}/#{key}");
    if !is_for_programs {
        console::say(&format!("dashboard: {whole}"));
        // Of an earlier start, whose key opens nothing any more.
        if let Err(error) = fs::remove_file(file)
            && error.kind() != io::ErrorKind::NotFound
        {
            warn!(file = %file.display(), error = %error, "cannot remove the dashboard's old address");
        }
        return;
    }
    match write_secret(file, &whole) {
        Ok(()) => {
            info!(address, file = %file.display(), "the dashboard's address, with its key, is in a file");
        }
        Err(error) => {
            warn!(file = %file.display(), error = %error, "cannot keep the dashboard's address");
        }
    }
}

/// Reads a secret of the data folder, or makes it, for this user alone.
fn kept(path: &Path, make: impl FnOnce() -> io::Result<String>) -> Result<String> {
    let fail = || format!("cannot use the dashboard's secret {}", path.display());
    match fs::read_to_string(path) {
        Ok(text) if !text.trim().is_empty() => return Ok(text.trim().to_owned()),
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            return Err(error).with_context(fail);
        }
        _ => {}
    }
    let text = make().with_context(fail)?;
    write_secret(path, &text).with_context(fail)?;
    Ok(text)
}

/// Writes a secret for this user alone.
fn write_secret(path: &Path, text: &str) -> io::Result<()> {
    let for_user_alone = 0o600;
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true).mode(for_user_alone);
    let mut file = options.open(path)?;
    // A file that was there keeps the mode that it had.
    file.set_permissions(Permissions::from_mode(for_user_alone))?;
    writeln!(file, "{text}")
}

/// What the dashboard must know of the daemon.
struct Running {
    view: Arc<View>,
    file: PipelineFile,
    targets: Vec<StanceTarget>,
}

impl Daemon for Running {
    fn status(&self) -> Value {
        serde_json::to_value(self.view.fresh_status_here()).unwrap_or_default()
    }

    fn quarantine(&self) -> Result<Vec<Value>, String> {
        quarantine::listed(&self.file).map_err(|error| format!("{error:#}"))
    }

    fn replay(&self, file: &str) -> Result<(), String> {
        quarantine::replay_named(&self.file, Path::new(file)).map_err(|error| format!("{error:#}"))
    }

    fn sources(&self) -> Option<Vec<String>> {
        let names = || self.file.sources.iter().map(|source| source.name.clone()).collect();
        self.file.cluster.is_none().then(names)
    }

    fn knows(&self, name: &str) -> bool {
        let is_called = |target: &StanceTarget| {
            is_same_name(&target.id, name) || is_same_name(&target.name, name)
        };
        targets::is_in_tables(name) || self.targets.iter().any(is_called)
    }

    fn called(&self, name: &str) -> Option<(String, String)> {
        targets::called(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_for_this_user_alone_also_in_a_file_that_was_there() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join(INVITATION);
        fs::write(&file, "an older key").unwrap();
        fs::set_permissions(&file, PermissionsExt::from_mode(0o644)).unwrap();
        write_secret(&file, "key").unwrap();
        assert_eq!(fs::read_to_string(&file).unwrap(), "key\n");
        assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn an_address_that_is_said_leaves_no_file_of_an_older_one() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join(INVITATION);
        invite("localhost:1", "key", &file, true);
        assert_eq!(fs::read_to_string(&file).unwrap(), "http://localhost:1/#key\n");
        // Twice: the second time there is none.
        for _ in 0..2 {
            invite("localhost:1", "key", &file, false);
            assert!(!file.exists());
        }
    }
}
