//! `plugin doctor`: what is installed, where it was found, and what would keep it from loading.

use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};
use standpoint_abi::HOST_TARGET;

use super::{Installed, Plugin, listed, trusted};
use crate::exit::Exit;
use standpoint_connectors::files::with_causes;

/// What was found out.
pub(crate) struct Report {
    installed: Installed,
    runtimes: Vec<(&'static str, Result<String, String>)>,
}

/// Looks around; loads nothing and runs no plugin.
pub(crate) fn look(folders: &[std::path::PathBuf]) -> Report {
    let installed = Installed::look(folders);
    let runtimes = vec![
        ("native", Ok(format!("{HOST_TARGET}{}", libc().unwrap_or_default()))),
        ("process", python()),
        ("wasm", super::sandbox::check().map(|()| super::sandbox::ENGINE.to_owned())),
    ];
    Report { installed, runtimes }
}

/// The version of the C library, where the system tells.
fn libc() -> Option<String> {
    let output = Command::new("ldd").arg("--version").output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    let version = text.lines().next()?.rsplit(' ').next()?.to_owned();
    let is_version = version.starts_with(|c: char| c.is_ascii_digit());
    is_version.then(|| format!(", glibc {version}"))
}

/// The Python that stages would most likely run on.
fn python() -> Result<String, String> {
    let output = Command::new("python3").arg("--version").output();
    let output = output.map_err(|_| "there is no python3 on the PATH".to_owned())?;
    let told = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    let minor =
        told.strip_prefix("Python 3.").and_then(|rest| rest.split('.').next()?.parse().ok());
    match minor {
        Some(0..9) => Err(format!("{told} is too old for the SDK, which needs 3.9")),
        Some(9..=u32::MAX) => Ok(told),
        None => Err(format!("python3 says {told:?} of itself")),
    }
}

impl Report {
    /// Whether something that is installed cannot be used.
    pub(crate) fn exit(&self) -> Exit {
        if self.installed.broken.is_empty() { Exit::Done } else { Exit::Failed }
    }

    /// For people.
    pub(crate) fn text(&self) -> String {
        let mut told = String::from("runtimes\n");
        for (name, found) in &self.runtimes {
            let (mark, what) = match found {
                Ok(what) => ("yes", what),
                Err(why) => ("no ", why),
            };
            let _ = writeln!(told, "  {mark} {name:<9} {what}");
        }
        told.push_str("\nfolders, the first ones first\n");
        for folder in &self.installed.folders {
            let _ = writeln!(told, "  {}{}", folder.display(), state(folder));
        }
        let _ = writeln!(told, "\nplugins");
        for plugin in &self.installed.plugins {
            let _ = writeln!(
                told,
                "  yes {:<12} {:<8} {} -> {}\n      {}",
                plugin.name(),
                plugin.manifest.version,
                listed(&plugin.manifest.reads),
                listed(&plugin.manifest.writes),
                plugin.path.display()
            );
            if let Some(reason) = unfit_for_strict(plugin) {
                let _ = writeln!(told, "      not under `plugins.strict`: {reason}");
            }
        }
        for (path, reason) in &self.installed.hidden {
            let _ = writeln!(told, "  -   {}\n      hidden by {reason}", path.display());
        }
        for (path, error) in &self.installed.broken {
            let _ = writeln!(told, "  no  {}\n      {}", path.display(), with_causes(error));
        }
        if self.installed.plugins.is_empty() && self.installed.broken.is_empty() {
            told.push_str(
                "  none: `cargo build` makes the standard stages beside the program; others are \
                 found in\n  `plugins.paths` of the pipeline file and in $STANDPOINT_PLUGINS\n",
            );
        }
        told
    }

    /// For programs.
    pub(crate) fn json(&self) -> Value {
        let mut told = self.installed.json();
        let runtimes: serde_json::Map<String, Value> = self
            .runtimes
            .iter()
            .map(|(name, found)| {
                let value = match found {
                    Ok(what) => json!({ "works": true, "found": what }),
                    Err(why) => json!({ "works": false, "reason": why }),
                };
                ((*name).to_owned(), value)
            })
            .collect();
        told["runtimes"] = Value::Object(runtimes);
        told["target"] = json!(HOST_TARGET);
        told
    }
}

fn state(folder: &Path) -> &'static str {
    match folder.metadata() {
        Err(_) => " (not there)",
        Ok(found) if !found.is_dir() => " (no folder)",
        Ok(_) => "",
    }
}

fn unfit_for_strict(plugin: &Plugin) -> Option<String> {
    let reason = trusted(&plugin.path).err()?;
    Some(reason.trim_start_matches("`plugins.strict`: ").to_owned())
}
