//! What a plugin says of itself, and whether this host can use it.

use std::num::NonZeroU32;
use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::error::LoadError;
use crate::layout::{ABI_MAJOR, ABI_MINOR};
use crate::manifest_text::{FRAMING, HEADER_BYTES, MAGIC};

/// The triple that this host was built for.
pub const HOST_TARGET: &str = env!("STANDPOINT_TARGET");

/// What a plugin says of itself. Unknown keys are passed over: later plugins may say more.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    /// The ABI that it speaks.
    pub abi: AbiVersion,
    /// The stage's name.
    pub name: String,
    /// The plugin's version.
    pub version: String,
    /// What it does, in a line.
    #[serde(default)]
    pub description: String,
    /// The model that it carries.
    #[serde(default)]
    pub model: Option<String>,
    /// The names of what must be there before it runs.
    #[serde(default)]
    pub reads: Vec<String>,
    /// The names of what it may write.
    #[serde(default)]
    pub writes: Vec<String>,
    /// How many calls one instance takes at once; any number where absent.
    #[serde(default)]
    pub concurrency: Option<NonZeroU32>,
    /// The target triple that it was built for, where it knows.
    #[serde(default)]
    pub target: Option<String>,
    /// What a panic in it does.
    #[serde(default)]
    pub panic: PanicStrategy,
    /// The JSON Schema of its settings; any settings where absent.
    #[serde(default)]
    pub settings: Option<Value>,
}

/// The ABI that a plugin was built for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct AbiVersion {
    /// Must be the host's.
    pub major: u32,
    /// How far the tables had grown.
    pub minor: u32,
    /// The lowest minor of a host that has all that the plugin calls.
    #[serde(default)]
    pub host_minor_required: u32,
}

/// What a panic in a plugin does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PanicStrategy {
    /// It unwinds, is caught, and fails the document.
    Unwind,
    /// It ends the whole program; such a plugin is refused.
    Abort,
    /// The plugin's language has no panics.
    #[default]
    None,
}

impl Manifest {
    /// Reads the content of a manifest's section.
    pub(super) fn parse(section: &[u8], big_endian: bool) -> Result<Self, String> {
        let (header, rest) =
            section.split_at_checked(HEADER_BYTES).ok_or("its section is too short")?;
        let (magic, numbers) = header.split_at(MAGIC.len());
        if magic != MAGIC {
            return Err("its section does not begin as a manifest does".to_owned());
        }
        let number = |at: usize| {
            let bytes: [u8; 4] = std::array::from_fn(|index| numbers[at + index]);
            if big_endian { u32::from_be_bytes(bytes) } else { u32::from_le_bytes(bytes) }
        };
        let (framing, length) = (number(0), number(4) as usize);
        if framing != FRAMING {
            return Err(format!("its framing has version {framing} and this host reads {FRAMING}"));
        }
        let json = rest.get(..length).ok_or("it is longer than its section")?;
        serde_json::from_slice(json).map_err(|error| error.to_string())
    }

    /// Refuses a plugin that this host cannot serve.
    pub(super) fn check(&self, path: &Path) -> Result<(), LoadError> {
        let plugin = || format!("{} {}", self.name, self.version);
        let host = || format!("{ABI_MAJOR}.{ABI_MINOR}");
        let AbiVersion { major, minor, host_minor_required } = self.abi;
        if major < ABI_MAJOR {
            let found = format!("{major}.{minor}");
            return Err(LoadError::AbiTooOld { plugin: plugin(), found, host: host() });
        }
        if (major, host_minor_required) > (ABI_MAJOR, ABI_MINOR) {
            let required = format!("{major}.{host_minor_required}");
            return Err(LoadError::AbiTooNew { plugin: plugin(), required, host: host() });
        }
        if let Some(target) = self.target.as_ref().filter(|target| !same_machine(target)) {
            return Err(LoadError::OtherMachine {
                path: path.to_owned(),
                found: target.clone(),
                host: HOST_TARGET,
            });
        }
        if self.panic == PanicStrategy::Abort {
            return Err(LoadError::PanicAborts { plugin: plugin() });
        }
        Ok(())
    }
}

/// Whether code for this triple runs here; the vendor, the second part, does not matter.
fn same_machine(target: &str) -> bool {
    let without_vendor = |triple: &str| {
        let parts: Vec<String> = triple.split('-').map(str::to_owned).collect();
        parts.into_iter().enumerate().filter(|(at, _)| *at != 1).map(|(_, part)| part).collect()
    };
    let (theirs, ours): (Vec<String>, Vec<String>) =
        (without_vendor(target), without_vendor(HOST_TARGET));
    theirs == ours
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Whatever a section holds, reading it ends in a manifest or in words.
        #[test]
        fn any_section_is_read_safely(
            mut bytes in prop::collection::vec(any::<u8>(), 0..120),
            framed in any::<bool>(),
            length in prop_oneof![0_u32..200, any::<u32>()],
            big_endian: bool,
        ) {
            if framed {
                let mut header = MAGIC.to_vec();
                for number in [FRAMING, length] {
                    header.extend(if big_endian { number.to_be_bytes() } else { number.to_le_bytes() });
                }
                header.append(&mut bytes);
                bytes = header;
            }
            if let Ok(manifest) = Manifest::parse(&bytes, big_endian) {
                let _ = manifest.check(Path::new("x.so"));
            }
        }

        /// Nor does what the JSON says, as long as it is some.
        #[test]
        fn any_manifest_is_checked_safely(
            name in ".{0,20}",
            numbers in any::<[u32; 3]>(),
            target in ".{0,30}",
            names in prop::collection::vec(".{0,8}", 0..4),
        ) {
            let [major, minor, needed] = numbers;
            let json = serde_json::json!({
                "abi": { "major": major % 3, "minor": minor, "host_minor_required": needed % 3 },
                "name": name, "version": "1", "target": target, "reads": names, "writes": names,
            })
            .to_string();
            let mut bytes = MAGIC.to_vec();
            bytes.extend(FRAMING.to_le_bytes());
            bytes.extend((json.len() as u32).to_le_bytes());
            bytes.extend_from_slice(json.as_bytes());
            let manifest = Manifest::parse(&bytes, false);
            if let Ok(manifest) = manifest {
                let loads = manifest.check(Path::new("x.so")).is_ok();
                prop_assert!(!loads || (major % 3, needed % 3) <= (ABI_MAJOR, ABI_MINOR));
            }
        }
    }
}
