//! Goes through the keys below a prefix, and past those that are no paths.
//!
//! Storage lets anybody who may write call an object `a/../b` or `a//b`. One such key spoils the
//! page of keys that it stands in, for `object_store` gives a page whole or not at all. So such a
//! page is asked for again in smaller ones, until the key stands alone and can be passed over.

use std::collections::VecDeque;

use futures_util::StreamExt;
use futures_util::stream::BoxStream;
use object_store::list::PaginatedListOptions;
use object_store::path::Error as PathError;
use object_store::{Error, ObjectMeta};

use super::place::Place;

/// How many keys are asked for at once, which is what servers give at most.
const MOST_KEYS: usize = 1000;

/// What a prefix holds.
#[derive(Debug)]
pub(super) enum Listed {
    /// An object.
    Object(ObjectMeta),
    /// An object whose key is no path.
    Unreadable(String),
}

/// A look through the keys below a prefix.
pub(super) enum Listing {
    /// Through a folder, which gives its files one by one.
    Files(BoxStream<'static, Result<ObjectMeta, Error>>),
    /// Through a bucket, page by page.
    Pages(Pages),
}

/// Where a look through a bucket is.
pub(super) struct Pages {
    place: Place,
    prefix: Option<String>,
    arrived: VecDeque<ObjectMeta>,
    most_keys: usize,
    token: Option<String>,
    /// The last key that was passed over, from which on it goes where there is no token.
    behind: Option<String>,
    is_over: bool,
}

impl Listing {
    pub(super) fn of(place: &Place) -> Self {
        if place.pages.is_none() {
            return Self::Files(place.store.list(Some(&place.prefix)));
        }
        let prefix = place.prefix.as_ref();
        Self::Pages(Pages {
            place: place.clone(),
            // With its end, so that `news` is not the beginning of `newsletter`.
            prefix: (!prefix.is_empty()).then(|| format!("{prefix}/")),
            arrived: VecDeque::new(),
            most_keys: MOST_KEYS,
            token: None,
            behind: None,
            is_over: false,
        })
    }

    /// The next one; `None` behind the last.
    ///
    /// # Errors
    ///
    /// Why nobody can say; the look is over then.
    pub(super) async fn next(&mut self) -> Option<Result<Listed, Error>> {
        match self {
            Self::Files(files) => match files.next().await? {
                Err(error) => Some(key_of(error).map(Listed::Unreadable)),
                Ok(object) => Some(Ok(Listed::Object(object))),
            },
            Self::Pages(pages) => pages.next().await.transpose(),
        }
    }
}

impl Pages {
    async fn next(&mut self) -> Result<Option<Listed>, Error> {
        loop {
            if let Some(object) = self.arrived.pop_front() {
                return Ok(Some(Listed::Object(object)));
            }
            let Some(pages) = self.place.pages.as_ref().filter(|_| !self.is_over) else {
                return Ok(None);
            };
            let options = PaginatedListOptions {
                offset: self.behind.clone().filter(|_| self.token.is_none()),
                max_keys: Some(self.most_keys),
                page_token: self.token.clone(),
                ..PaginatedListOptions::default()
            };
            match pages.list_paginated(self.prefix.as_deref(), options).await {
                Ok(page) => {
                    self.is_over = page.page_token.is_none();
                    self.token = page.page_token;
                    self.arrived = page.result.objects.into();
                    self.most_keys = (self.most_keys * 2).min(MOST_KEYS);
                }
                Err(error) => {
                    let key = key_of(error)?;
                    if self.most_keys > 1 {
                        self.most_keys /= 2;
                        continue;
                    }
                    if self.behind.as_ref().is_some_and(|behind| *behind >= key) {
                        // A server that does not go on behind a key would be asked for ever.
                        let path = PathError::EmptySegment { path: key };
                        return Err(Error::InvalidPath { source: path });
                    }
                    (self.token, self.behind) = (None, Some(key.clone()));
                    return Ok(Some(Listed::Unreadable(key)));
                }
            }
        }
    }
}

/// The key that is no path, if that is what is wrong.
fn key_of(error: Error) -> Result<String, Error> {
    match error {
        Error::InvalidPath {
            source: PathError::EmptySegment { path } | PathError::BadSegment { path, .. },
        } => Ok(path),
        other => Err(other),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use async_trait::async_trait;
    use object_store::ListResult;
    use object_store::list::{PaginatedListResult, PaginatedListStore};
    use object_store::path::Path;

    use super::*;

    /// A server that gives its keys in pages.
    struct Server {
        keys: Vec<String>,
        /// Whether it goes on behind a key that it is given.
        skips: bool,
    }

    #[async_trait]
    impl PaginatedListStore for Server {
        async fn list_paginated(
            &self,
            prefix: Option<&str>,
            options: PaginatedListOptions,
        ) -> Result<PaginatedListResult, Error> {
            let behind = options.offset.filter(|_| self.skips);
            let keys = self.keys.iter().filter(|key| key.starts_with(prefix.unwrap_or_default()));
            let keys: Vec<_> =
                keys.filter(|key| behind.as_ref().is_none_or(|behind| *key > behind)).collect();
            let from = options
                .page_token
                .map_or(0, |token| keys.iter().position(|key| **key > token).unwrap_or(keys.len()));
            let to = keys.len().min(from + options.max_keys.unwrap());
            let objects = keys[from..to].iter().map(|key| {
                Ok(ObjectMeta {
                    location: Path::parse(key)?,
                    last_modified: std::time::SystemTime::UNIX_EPOCH.into(),
                    size: 1,
                    e_tag: None,
                    version: None,
                })
            });
            Ok(PaginatedListResult {
                result: ListResult {
                    common_prefixes: Vec::new(),
                    objects: objects.collect::<Result<_, Error>>()?,
                    extensions: hyper::http::Extensions::default(),
                },
                page_token: (to < keys.len()).then(|| keys[to - 1].clone()),
            })
        }
    }

    /// Goes through a server's keys: the paths, the others, and whether it came to the end.
    async fn all(keys: &[String], skips: bool) -> (Vec<String>, Vec<String>, bool) {
        let mut place = Place::of("file:///news", None, false).unwrap();
        place.pages = Some(Arc::new(Server { keys: keys.to_vec(), skips }));
        let mut listing = Listing::of(&place);
        let (mut paths, mut others) = (Vec::new(), Vec::new());
        while let Some(next) = listing.next().await {
            match next {
                Ok(Listed::Object(object)) => paths.push(object.location.to_string()),
                Ok(Listed::Unreadable(key)) => others.push(key),
                Err(_) => return (paths, others, false),
            }
        }
        (paths, others, true)
    }

    #[tokio::test]
    async fn keys_that_are_no_paths_are_passed_over_and_every_other_comes_once() {
        let good: Vec<String> = (0..2500).map(|number| format!("news/{number:04}.txt")).collect();
        let bad = [
            "news//first",
            "news/0000.txt/../x",
            "news/0999.txt/\n",
            "news/0999.txt//x",
            "news/1000.txt/./x",
            "news/2499.txt/\u{7f}",
        ];
        let bad = bad.map(str::to_owned);
        let mut keys = [good.as_slice(), &bad, &["newsletter//x".to_owned()]].concat();
        keys.sort();
        assert_eq!(all(&keys, true).await, (good, bad.to_vec(), true));
        assert_eq!(all(&[], true).await, (vec![], vec![], true));
        assert_eq!(all(&bad[..2], true).await, (vec![], bad[..2].to_vec(), true));
        // It is not asked for ever by one that does not go on.
        assert_eq!(all(&bad[..2], false).await, (vec![], bad[..1].to_vec(), false));
    }
}
