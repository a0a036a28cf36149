//! The files of a model: its manifest, and the check that they are what was made.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use sha2::{Digest as _, Sha256};
use thiserror::Error;

const MANIFEST: &str = "manifest.json";

/// Why a model could not be loaded.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum LoadError {
    /// A file is not there or cannot be read.
    #[error("cannot read {}: give the folder of a model", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },

    /// The manifest is not one.
    #[error("{} is not the manifest of a model", path.display())]
    Manifest {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: serde_json::Error,
    },

    /// The manifest asks for what cannot be.
    #[error(
        "the manifest has windows of {window} word pieces that share {overlap}: expected more \
         than 2 and a smaller share"
    )]
    Window {
        /// Word pieces of a window.
        window: usize,
        /// Word pieces that two neighbours share.
        overlap: usize,
    },

    /// The manifest does not list a file that a model needs.
    #[error("the manifest does not list {name}")]
    Unlisted {
        /// The file's name.
        name: &'static str,
    },

    /// A file is not the one that was made.
    #[error(
        "{} is damaged: its SHA-256 is {found} and the manifest says {expected}; copy it again",
        path.display()
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// The hash of what is there.
        found: String,
        /// The hash in the manifest.
        expected: String,
    },

    /// A network is whole and yet cannot be used.
    #[error("the network {name} cannot be used by this build")]
    Network {
        /// The file's name.
        name: &'static str,
        /// What the runtime says.
        source: Box<dyn std::error::Error + Send + Sync>,
    },

    /// A head does not say how wide the vectors are that it reads.
    #[error(
        "the network {name} does not say how wide its vectors are: export it with fixed widths"
    )]
    Width {
        /// The file's name.
        name: &'static str,
    },

    /// The vocabulary lacks a piece that every text needs.
    #[error("the vocabulary lacks {piece}")]
    Vocabulary {
        /// The piece.
        piece: &'static str,
    },
}

/// What a folder says of itself.
#[derive(Debug, Deserialize)]
pub(crate) struct Manifest {
    /// The model's name and version, such as `standpoint-encoder/1`.
    pub(crate) name: String,
    /// Word pieces that are read at once, the two marks included.
    pub(crate) window: usize,
    /// Word pieces that two windows share.
    pub(crate) overlap: usize,
    /// What the scores of each head are divided by, so that probabilities mean what they say.
    pub(crate) temperatures: Temperatures,
    files: BTreeMap<String, File>,
}

/// Temperatures of the heads, above 0.
#[derive(Debug, Clone, Copy, Deserialize)]
pub(crate) struct Temperatures {
    pub(crate) sentiment: f32,
    pub(crate) stance: f32,
    pub(crate) names: f32,
}

#[derive(Debug, Deserialize)]
struct File {
    sha256: String,
}

/// Where the files of a model are: in a folder, or in the program itself.
#[derive(Debug, Clone, Copy)]
pub enum Files<'f> {
    /// Beside each other in a folder, as `training/export.py` writes them.
    Folder(&'f Path),
    /// Compiled in: names with contents.
    Compiled(&'f [(&'static str, &'static [u8])]),
}

impl Files<'_> {
    /// The content of a file, and what to call it.
    fn read(self, name: &str) -> Result<(PathBuf, Cow<'static, [u8]>), LoadError> {
        match self {
            Self::Folder(folder) => {
                let path = folder.join(name);
                match fs::read(&path) {
                    Ok(bytes) => Ok((path, bytes.into())),
                    Err(source) => Err(LoadError::Read { path, source }),
                }
            }
            Self::Compiled(files) => {
                let path = PathBuf::from(name);
                match files.iter().find(|(known, _)| *known == name) {
                    Some(&(_, bytes)) => Ok((path, bytes.into())),
                    None => Err(LoadError::Read { path, source: io::ErrorKind::NotFound.into() }),
                }
            }
        }
    }
}

/// The files of a model whose manifest has been read.
#[derive(Debug)]
pub(crate) struct Weights<'f> {
    files: Files<'f>,
    pub(crate) manifest: Manifest,
    /// The model's name with the beginning of its manifest's hash, which stands for all files.
    pub(crate) id: String,
}

impl<'f> Weights<'f> {
    /// Reads the manifest.
    pub(crate) fn open(files: Files<'f>) -> Result<Self, LoadError> {
        let (path, bytes) = files.read(MANIFEST)?;
        let manifest: Manifest = serde_json::from_slice(&bytes)
            .map_err(|source| LoadError::Manifest { path, source })?;
        let Manifest { window, overlap, .. } = manifest;
        if window <= 2 || window - 2 <= overlap {
            return Err(LoadError::Window { window, overlap });
        }
        let hash = hex(&Sha256::digest(&bytes)[..4]);
        let id = format!("{}@{hash}", manifest.name);
        Ok(Self { files, manifest, id })
    }

    /// Reads a file and checks that it is the one that the manifest lists.
    pub(crate) fn file(&self, name: &'static str) -> Result<Cow<'static, [u8]>, LoadError> {
        let listed = self.manifest.files.get(name).ok_or(LoadError::Unlisted { name })?;
        let (path, bytes) = self.files.read(name)?;
        let found = hex(&Sha256::digest(&bytes));
        if found != listed.sha256 {
            return Err(LoadError::Damaged { path, found, expected: listed.sha256.clone() });
        }
        Ok(bytes)
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
