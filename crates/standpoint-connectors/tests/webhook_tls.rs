//! A webhook over TLS: a server is trusted by its certificate, or not at all.
#![cfg(feature = "tls")]
#![expect(clippy::unwrap_used, reason = "a test stops where it fails")]

use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use http_body_util::Empty;
use hyper::Response;
use hyper::body::Bytes;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use standpoint_connectors::jsonl::Maker;
use standpoint_connectors::webhook::{WebhookSettings, WebhookSink};
use standpoint_document::Document;
use standpoint_engine::{Sink, SinkError};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring::default_provider;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/tls").join(name)
}

/// A server that takes everything.
async fn server() -> SocketAddr {
    let chain = vec![CertificateDer::from_pem_file(file("server.pem")).unwrap()];
    let key = PrivateKeyDer::from_pem_file(file("server.key")).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                // One that does not trust us hangs up.
                let Ok(stream) = acceptor.accept(stream).await else { return };
                let service = service_fn(|_| async {
                    Ok::<_, std::convert::Infallible>(Response::new(Empty::<Bytes>::new()))
                });
                let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
            });
        }
    });
    address
}

fn settings(host: &str, address: SocketAddr, ca_file: Option<PathBuf>) -> WebhookSettings {
    WebhookSettings {
        url: format!("https://{host}:{}/", address.port()),
        token_file: None,
        ca_file,
        max_documents: NonZeroUsize::MIN,
        timeout: Duration::from_secs(20),
    }
}

fn open(settings: &WebhookSettings) -> Result<WebhookSink, String> {
    let maker = Maker { pipeline: "p@1".into(), version: "0.1.0".into() };
    WebhookSink::open(settings, maker).map_err(|error| error.to_string())
}

#[tokio::test]
async fn a_server_is_trusted_by_its_certificate_alone() {
    let address = server().await;
    let documents = [Arc::new(Document::new("a", "x").unwrap())];
    for host in ["localhost", "127.0.0.1"] {
        let mut sink = open(&settings(host, address, Some(file("ca.pem")))).unwrap();
        assert_eq!(sink.write(&documents).await.unwrap(), [Ok(())], "{host}");
    }
    // Nobody else vouches for it. A system without certificates says so when the sink is opened.
    if let Ok(mut sink) = open(&settings("localhost", address, None)) {
        let error = sink.write(&documents).await.unwrap_err();
        assert!(matches!(error, SinkError::Transient { .. }), "{error}");
        let cause = std::error::Error::source(&error).unwrap().to_string();
        assert!(cause.contains("invalid peer certificate"), "{cause}");
    }
    let told = open(&settings("localhost", address, Some(file("server.key")))).unwrap_err();
    assert!(told.contains("server.key: no certificate"), "{told}");
}
