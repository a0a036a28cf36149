//! A connection to the server: who this is, how the server is recognised, and how long to wait
//! before trying again.

use std::path::PathBuf;
use std::time::Duration;

use async_nats::connection::State;
use async_nats::{Client, ConnectOptions, Event, ServerAddr};
use thiserror::Error;
use tracing::{debug, info, warn};

use crate::meters;
use crate::settings::{AuthSettings, TlsSettings};

/// Where the server is and what it takes to speak to it.
#[derive(Debug, Clone)]
pub(crate) struct Address {
    /// The server's addresses, with commas between them.
    pub(crate) url: String,
    /// Who this is.
    pub(crate) auth: AuthSettings,
    /// How the server is recognised.
    pub(crate) tls: TlsSettings,
    /// What the server calls this connection in its lists.
    pub(crate) name: String,
    /// Whether it is the connection that a worker reads from, which its status tells of.
    pub(crate) is_worker: bool,
}

/// Why there is no connection.
#[derive(Debug, Error)]
pub(crate) enum ConnectError {
    /// The address is none.
    #[error("`url` is {found:?}: expected an address such as nats://127.0.0.1:4222")]
    Url {
        /// What stands there.
        found: String,
    },

    /// A file cannot be read.
    #[error("{}: cannot read {what}", path.display())]
    File {
        /// Which file.
        path: PathBuf,
        /// What it should hold.
        what: &'static str,
        /// Why.
        source: std::io::Error,
    },

    /// The server cannot be reached or refuses this.
    #[error("cannot connect to {url}")]
    Refused {
        /// The address.
        url: String,
        /// Why.
        source: async_nats::ConnectError,
    },
}

/// The longest pause before a connection that was lost is tried again.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// How often the server is asked whether it is there: two that it does not answer end a connection.
const PING_EVERY: Duration = Duration::from_secs(5);

impl Address {
    /// Connects, or fails; once connected, a connection that is lost is made anew for ever.
    ///
    /// # Errors
    ///
    /// [`ConnectError`].
    pub(crate) async fn connect(&self) -> Result<Client, ConnectError> {
        let fail = |_| ConnectError::Url { found: without_credentials(&self.url) };
        let servers: Vec<ServerAddr> = self
            .url
            .split(',')
            .map(|one| one.trim().parse::<ServerAddr>().map_err(fail))
            .collect::<Result<_, _>>()?;
        let options = self.options().await?;
        options
            .connect(servers)
            .await
            .map_err(|source| ConnectError::Refused { url: without_credentials(&self.url), source })
    }

    async fn options(&self) -> Result<ConnectOptions, ConnectError> {
        let is_worker = self.is_worker;
        let mut options = ConnectOptions::new()
            .name(&self.name)
            .connection_timeout(Duration::from_secs(5))
            .request_timeout(Some(Duration::from_secs(5)))
            .ping_interval(PING_EVERY)
            .max_reconnects(None)
            .reconnect_delay_callback(pause)
            .require_tls(self.tls.required)
            .event_callback(move |event| async move { tell(&event, is_worker) });
        let auth = &self.auth;
        if let (Some(user), Some(password)) = (&auth.user, &auth.password) {
            options = options.user_and_password(user.clone(), password.0.clone());
        }
        if let Some(token) = &auth.token {
            options = options.token(token.0.clone());
        }
        if let Some(path) = &auth.nkey_file {
            let fail = |source| file(path, "the seed of an NKey", source);
            let seed = std::fs::read_to_string(path).map_err(fail)?;
            options = options.nkey(seed.trim().to_owned());
        }
        if let Some(path) = &auth.credentials_file {
            let fail = |source| file(path, "credentials (a JWT and its seed)", source);
            options = options.credentials_file(path).await.map_err(fail)?;
        }
        if let Some(path) = &self.tls.ca_file {
            options = options.add_root_certificates(path.clone());
        }
        if let (Some(certificate), Some(key)) = (&self.tls.certificate_file, &self.tls.key_file) {
            options = options.add_client_certificate(certificate.clone(), key.clone());
        }
        Ok(options)
    }
}

fn file(path: &std::path::Path, what: &'static str, source: std::io::Error) -> ConnectError {
    ConnectError::File { path: path.to_owned(), what, source }
}

/// Whether requests can be answered now.
pub(crate) fn is_connected(client: &Client) -> bool {
    client.connection_state() == State::Connected
}

/// 100 ms, doubled each time, shortened by up to a half as the clock's last digits say, so that
/// workers that lost the server together do not come back together.
fn pause(attempts: usize) -> Duration {
    let doublings = attempts.saturating_sub(1).min(10) as u32;
    let pause = Duration::from_millis(100).saturating_mul(1 << doublings).min(LONGEST_PAUSE);
    pause.mul_f64(1.0 - 0.5 * chance())
}

/// Something between 0 and 1 that differs from worker to worker.
fn chance() -> f64 {
    use std::hash::{BuildHasher, RandomState};
    let random = RandomState::new().hash_one(0) >> 32;
    random as f64 / f64::from(u32::MAX)
}

/// An address without the name and password that may stand in it.
fn without_credentials(url: &str) -> String {
    let one = |url: &str| match (url.split_once("://"), url.rsplit_once('@')) {
        (Some((scheme, _)), Some((_, host))) => format!("{scheme}://***@{host}"),
        (None, Some((_, host))) => format!("***@{host}"),
        (_, None) => url.to_owned(),
    };
    url.split(',').map(|part| one(part.trim())).collect::<Vec<_>>().join(",")
}

fn tell(event: &Event, is_worker: bool) {
    match event {
        Event::Connected => info!("connected to the cluster's server"),
        Event::Disconnected => warn!("the cluster's server is away; trying again"),
        Event::ServerError(error) => warn!(%error, "the cluster's server complains"),
        Event::ClientError(error) => debug!(%error, "the connection to the cluster's server"),
        other => debug!(event = %other, "the connection to the cluster's server"),
    }
    match event {
        Event::Connected if is_worker => meters::connected(true),
        Event::Disconnected | Event::Closed if is_worker => meters::connected(false),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_and_stay_bounded() {
        for (attempts, longest) in [(0, 100), (1, 100), (2, 200), (5, 1600), (999, 5000)] {
            let pause = pause(attempts).as_millis();
            assert!((longest / 2..=longest).contains(&pause), "{attempts}: {pause}");
        }
    }

    #[test]
    fn an_address_is_shown_without_its_password() {
        for (url, shown) in [
            ("nats://a:4222", "nats://a:4222"),
            ("nats://u:p@a:4222, tls://t@b", "nats://***@a:4222,tls://***@b"),
            ("u:p@a", "***@a"),
        ] {
            assert_eq!(without_credentials(url), shown);
        }
    }
}
