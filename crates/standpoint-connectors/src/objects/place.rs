//! A place in object storage: a bucket, or a folder, and the part of it that is meant.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use object_store::aws::AmazonS3Builder;
use object_store::azure::MicrosoftAzureBuilder;
use object_store::gcp::GoogleCloudStorageBuilder;
use object_store::list::PaginatedListStore;
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::{BackoffConfig, ObjectStore, ObjectStoreScheme, RetryConfig};
use tokio_rustls::rustls::crypto::ring;
use url::Url;

use super::ObjectsError;
use super::credentials::{self, Given};

/// A bucket or folder, and a prefix in it.
#[derive(Clone)]
pub(super) struct Place {
    pub(super) store: Arc<dyn ObjectStore>,
    pub(super) prefix: Path,
    /// The same, page by page; `None` for a folder.
    pub(super) pages: Option<Arc<dyn PaginatedListStore>>,
    url: String,
}

impl fmt::Debug for Place {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

impl fmt::Display for Place {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.url)
    }
}

impl Place {
    /// Takes an address; nobody is asked for anything yet.
    ///
    /// - `credentials`: a file with them, which go before those of the environment;
    /// - `sync`: whether what is put into a folder is on the disk when it counts as put.
    pub(super) fn of(
        url: &str,
        credentials: Option<&std::path::Path>,
        sync: bool,
    ) -> Result<Self, ObjectsError> {
        let (scheme, prefix) = parsed(url)?;
        // Whichever provider of TLS was there first stays.
        drop(ring::default_provider().install_default());
        let given = credentials.map_or_else(|| Ok(Vec::new()), credentials::read)?;
        let (store, pages): Stores = match scheme {
            ObjectStoreScheme::Local => (Arc::new(LocalFileSystem::new().with_fsync(sync)), None),
            ObjectStoreScheme::AmazonS3 => {
                let builder = AmazonS3Builder::from_env().with_url(url).with_retry(retry());
                both(with(builder, &given, AmazonS3Builder::with_config).build(), url)?
            }
            ObjectStoreScheme::GoogleCloudStorage => {
                let builder =
                    GoogleCloudStorageBuilder::from_env().with_url(url).with_retry(retry());
                both(with(builder, &given, GoogleCloudStorageBuilder::with_config).build(), url)?
            }
            ObjectStoreScheme::MicrosoftAzure => {
                let builder = MicrosoftAzureBuilder::from_env().with_url(url).with_retry(retry());
                both(with(builder, &given, MicrosoftAzureBuilder::with_config).build(), url)?
            }
            _ => return Err(ObjectsError::Address { url: url.to_owned() }),
        };
        Ok(Self { store, prefix, pages, url: url.to_owned() })
    }

    /// The path of something below the prefix.
    pub(super) fn below(&self, relative: &str) -> Path {
        relative.split('/').fold(self.prefix.clone(), Path::join)
    }
}

/// What is wrong with an address, if it can be shown.
pub(super) fn mistake_in(url: &str) -> Option<(&'static str, String)> {
    let error = parsed(url).err().filter(|error| !matches!(error, ObjectsError::Secret))?;
    Some(("url", error.to_string()))
}

/// The kind of storage that an address names, and the prefix in it.
fn parsed(url: &str) -> Result<(ObjectStoreScheme, Path), ObjectsError> {
    use ObjectStoreScheme::{AmazonS3, GoogleCloudStorage, Local, MicrosoftAzure};
    let wrong = || ObjectsError::Address { url: url.to_owned() };
    let Ok(parsed) = Url::parse(url) else {
        // It may hold a password all the same.
        return Err(if url.contains('@') { ObjectsError::Secret } else { wrong() });
    };
    if parsed.password().is_some() || parsed.query().is_some() || parsed.fragment().is_some() {
        return Err(ObjectsError::Secret);
    }
    match ObjectStoreScheme::parse(&parsed) {
        Ok(found @ (AmazonS3 | GoogleCloudStorage | Local | MicrosoftAzure, _)) => Ok(found),
        _ => Err(wrong()),
    }
}

/// A store as one of objects, and as one of pages.
type Stores = (Arc<dyn ObjectStore>, Option<Arc<dyn PaginatedListStore>>);

fn both<S: ObjectStore + PaginatedListStore>(
    built: Result<S, object_store::Error>,
    url: &str,
) -> Result<Stores, ObjectsError> {
    let url = url.to_owned();
    let store = Arc::new(built.map_err(|source| ObjectsError::Environment { url, source })?);
    Ok((Arc::<S>::clone(&store), Some(store)))
}

/// Sets what a file gives and this kind of storage knows.
fn with<B, K: FromStr>(builder: B, given: &[Given], set: impl Fn(B, K, String) -> B) -> B {
    given.iter().fold(builder, |builder, (name, value)| match name.parse() {
        Ok(key) => set(builder, key, value.clone()),
        Err(_) => builder,
    })
}

/// A request is tried again a few times at once; what takes longer is waited for where people can
/// see it.
fn retry() -> RetryConfig {
    RetryConfig {
        backoff: BackoffConfig { max_backoff: Duration::from_secs(2), ..BackoffConfig::default() },
        max_retries: 3,
        retry_timeout: Duration::from_secs(15),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_one_of_object_storage_and_holds_no_secret() {
        let cases = [
            ("bucket/prefix", "is no place in object storage"),
            ("ftp://bucket/prefix", "is no place in object storage"),
            ("memory:///a", "is no place in object storage"),
            ("https://example.org/bucket", "is no place in object storage"),
            ("s3://key:s3cret@bucket/prefix", "holds a password"),
            ("s3://bucket/prefix?sig=s3cret", "holds a password"),
            ("s3://key:s3cret@:x", "holds a password"),
        ];
        for (url, expected) in cases {
            let told = Place::of(url, None, true).unwrap_err().to_string();
            assert!(told.contains(expected) && !told.contains("s3cret"), "{url}: {told}");
        }
    }

    #[test]
    fn a_place_knows_what_lies_below_it() {
        let place = Place::of("file:///var/news/", None, false).unwrap();
        assert_eq!(place.prefix.as_ref(), "var/news");
        assert_eq!(place.below("2026/a b.txt").as_ref(), "var/news/2026/a b.txt");
    }
}
