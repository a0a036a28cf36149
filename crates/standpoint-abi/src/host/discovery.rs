//! Finds plugins by the name of their stage.

use std::env::consts::{DLL_PREFIX, DLL_SUFFIX};
use std::fs;
use std::path::PathBuf;

use super::error::LoadError;
use super::inspect::inspect;
use super::manifest::Manifest;

/// Folders in which plugins are installed, the first ones first.
#[derive(Debug, Clone, Default)]
pub struct PluginFolders {
    folders: Vec<PathBuf>,
}

/// A library in one of the folders.
#[derive(Debug)]
pub struct Listed {
    /// Where it is.
    pub path: PathBuf,
    /// What it says of itself, or why it cannot be used.
    pub manifest: Result<Manifest, LoadError>,
}

impl PluginFolders {
    /// These folders, in this order. They need not exist.
    #[must_use]
    pub fn new(folders: Vec<PathBuf>) -> Self {
        Self { folders }
    }

    /// Finds the library of the stage `name`: `libstandpoint_<name>.so` or `lib<name>.so`, with
    /// `_` for `-`, in the first folder that has one.
    ///
    /// # Errors
    ///
    /// [`LoadError::NotFound`] where no folder has one; [`LoadError::OtherStage`] when it holds
    /// another stage; else why it cannot be used.
    pub fn find(&self, name: &str) -> Result<(PathBuf, Manifest), LoadError> {
        let stem = name.replace('-', "_");
        let files = [
            format!("{DLL_PREFIX}standpoint_{stem}{DLL_SUFFIX}"),
            format!("{DLL_PREFIX}{stem}{DLL_SUFFIX}"),
        ];
        let is_plain = !stem.is_empty() && !stem.contains(['/', '\\', '\0']);
        let candidates =
            self.folders.iter().flat_map(|folder| files.iter().map(|f| folder.join(f)));
        let Some(path) = candidates.filter(|_| is_plain).find(|path| path.is_file()) else {
            return Err(LoadError::NotFound {
                name: name.to_owned(),
                searched: self.folders.clone(),
            });
        };
        let manifest = inspect(&path)?;
        if manifest.name != name {
            let (expected, found) = (name.to_owned(), manifest.name);
            return Err(LoadError::OtherStage { path, expected, found });
        }
        Ok((path, manifest))
    }

    /// All plugins of the folders, in the order of their paths; libraries that are no plugins
    /// are left out, broken plugins are not.
    #[must_use]
    pub fn list(&self) -> Vec<Listed> {
        let mut listed = Vec::new();
        for folder in &self.folders {
            let mut paths: Vec<PathBuf> = fs::read_dir(folder)
                .into_iter()
                .flatten()
                .filter_map(|entry| Some(entry.ok()?.path()))
                .filter(|path| path.to_string_lossy().ends_with(DLL_SUFFIX) && path.is_file())
                .collect();
            paths.sort();
            for path in paths {
                let manifest = inspect(&path);
                if !matches!(manifest, Err(LoadError::NotAPlugin { .. })) {
                    listed.push(Listed { path, manifest });
                }
            }
        }
        listed
    }
}
