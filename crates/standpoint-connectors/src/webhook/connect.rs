//! Connections of a webhook: TCP, and TLS over it where the build has it.

use std::fmt;
use std::path::Path;

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1::{self, SendRequest};
use hyper::{Request, Response, Uri};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tracing::debug;

/// Why a request was not answered.
pub(super) type Error = Box<dyn std::error::Error + Send + Sync>;

/// Why there can be no connection to an address, whatever the network does.
#[derive(Debug)]
pub(super) enum PeerError {
    /// The address is none.
    Url(&'static str),
    /// Its TLS cannot be made.
    Tls(String),
}

/// A server.
#[derive(Clone)]
pub(super) struct Peer {
    host: String,
    port: u16,
    tls: Option<Tls>,
}

impl Peer {
    /// The server of an address.
    pub(super) fn of(uri: &Uri, ca_file: Option<&Path>) -> Result<Self, PeerError> {
        let is_secure = match uri.scheme_str() {
            Some("https") => true,
            Some("http") => false,
            _ => return Err(PeerError::Url("")),
        };
        let authority = uri.authority().ok_or(PeerError::Url(""))?;
        if authority.as_str().contains('@') {
            return Err(PeerError::Url(", without a name or password; use `token_file`"));
        }
        let host = authority.host().trim_matches(['[', ']']).to_owned();
        if host.is_empty() {
            return Err(PeerError::Url(""));
        }
        let port = authority.port_u16().unwrap_or(if is_secure { 443 } else { 80 });
        let tls =
            is_secure.then(|| Tls::new(&host, ca_file)).transpose().map_err(PeerError::Tls)?;
        Ok(Self { host, port, tls })
    }

    /// The part of an address that is sent.
    pub(super) fn path_of(uri: &Uri) -> Uri {
        let path = uri.path_and_query().map_or("/", |path| path.as_str());
        path.parse().unwrap_or_default()
    }

    /// Host and port as the `Host` header has them.
    pub(super) fn host_header(&self) -> String {
        let usual = if self.tls.is_some() { 443 } else { 80 };
        let host =
            if self.host.contains(':') { format!("[{}]", self.host) } else { self.host.clone() };
        if self.port == usual { host } else { format!("{host}:{}", self.port) }
    }

    pub(super) async fn connect(&self) -> Result<Connection, Error> {
        let stream = TcpStream::connect((self.host.as_str(), self.port)).await?;
        stream.set_nodelay(true)?;
        match &self.tls {
            Some(tls) => Connection::over(tls.secure(stream).await?).await,
            None => Connection::over(stream).await,
        }
    }
}

impl fmt::Display for Peer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.host_header())
    }
}

impl fmt::Debug for Peer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

/// A connection over which one request goes after another.
#[derive(Debug)]
pub(super) struct Connection {
    sender: SendRequest<Full<Bytes>>,
    /// Moves the bytes; ends with the value.
    driver: JoinHandle<()>,
}

impl Connection {
    async fn over<S>(stream: S) -> Result<Self, Error>
    where
        S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        let (sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        let driver = tokio::spawn(async move {
            if let Err(error) = connection.await {
                debug!(%error, "a webhook's connection broke off");
            }
        });
        Ok(Self { sender, driver })
    }

    pub(super) async fn send(
        &mut self,
        request: Request<Full<Bytes>>,
    ) -> Result<Response<Incoming>, Error> {
        self.sender.ready().await?;
        Ok(self.sender.send_request(request).await?)
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

#[cfg(feature = "tls")]
#[derive(Clone)]
struct Tls {
    connector: tokio_rustls::TlsConnector,
    name: tokio_rustls::rustls::pki_types::ServerName<'static>,
}

#[cfg(feature = "tls")]
impl Tls {
    /// - `ca_file`: certificates to trust besides those of the system.
    fn new(host: &str, ca_file: Option<&Path>) -> Result<Self, String> {
        use std::sync::Arc;

        use tokio_rustls::rustls::crypto::ring::default_provider;
        use tokio_rustls::rustls::pki_types::pem::PemObject;
        use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
        use tokio_rustls::rustls::{ClientConfig, RootCertStore};

        let name = ServerName::try_from(host.to_owned())
            .map_err(|_| format!("`{host}` is not a name that a certificate can have"))?;
        let mut roots = RootCertStore::empty();
        // A few that cannot be used, as systems have them, are passed over.
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        if let Some(path) = ca_file {
            let fail = |error: String| format!("{}: no certificate (PEM): {error}", path.display());
            let certificates = CertificateDer::pem_file_iter(path)
                .and_then(Iterator::collect::<Result<Vec<_>, _>>)
                .map_err(|error| fail(error.to_string()))?;
            if certificates.is_empty() {
                return Err(fail("it holds none".to_owned()));
            }
            for certificate in certificates {
                roots.add(certificate).map_err(|error| fail(error.to_string()))?;
            }
        }
        if roots.is_empty() {
            return Err("the system has no certificates to trust: install them (Debian's \
                        `ca-certificates`), or name some with `ca_file`"
                .to_owned());
        }
        let config = ClientConfig::builder_with_provider(Arc::new(default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(|error| error.to_string())?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(Self { connector: Arc::new(config).into(), name })
    }

    async fn secure(
        &self,
        stream: TcpStream,
    ) -> Result<tokio_rustls::client::TlsStream<TcpStream>, Error> {
        Ok(self.connector.connect(self.name.clone(), stream).await?)
    }
}

#[cfg(not(feature = "tls"))]
#[derive(Clone)]
enum Tls {}

#[cfg(not(feature = "tls"))]
impl Tls {
    fn new(_: &str, _: Option<&Path>) -> Result<Self, String> {
        Err("this build speaks no TLS, which https:// needs: build it with `--features tls`, or \
             put a proxy on this machine"
            .to_owned())
    }

    #[expect(clippy::unused_async, reason = "as with TLS")]
    async fn secure(&self, _: TcpStream) -> Result<TcpStream, Error> {
        match *self {}
    }
}
