//! The manifest of a plugin as constant text, and the section of the file that holds it.
//!
//! The section can be read without loading any code. It delimits itself, so padding and what a
//! linker appends do no harm: eight bytes of [`MAGIC`], the version of this framing, the length
//! of the JSON, the JSON. Numbers are in the byte order of the machine that the file is for.

use standpoint_stage::{Contract, NoSettings, StageDefinition};

use crate::layout::{ABI_MAJOR, ABI_MINOR};

/// The section's name in an ELF file; in a Mach-O file it is `__DATA,__standpoint`.
#[cfg(all(feature = "host", not(target_family = "wasm")))]
pub(crate) const SECTION: &str = ".standpoint";

/// The first bytes of the section.
pub(crate) const MAGIC: [u8; 8] = *b"STANDPT\x01";

/// The version of the framing.
pub(crate) const FRAMING: u32 = 1;

/// The bytes before the JSON.
#[cfg(all(feature = "host", not(target_family = "wasm")))]
pub(crate) const HEADER_BYTES: usize = MAGIC.len() + 2 * size_of::<u32>();

/// What `export_stage!` knows about a stage when it is compiled.
#[derive(Debug, Clone, Copy)]
pub struct Parts {
    /// [`StageDefinition::NAME`].
    pub name: &'static str,
    /// The version of the author's crate.
    pub version: &'static str,
    /// The description of the author's crate.
    pub description: &'static str,
    /// [`StageDefinition::MODEL`].
    pub model: Option<&'static str>,
    /// [`StageDefinition::CONTRACT`].
    pub contract: Contract,
    /// `unwind` or `abort`.
    pub panic: &'static str,
    /// The JSON Schema of the settings.
    pub settings: &'static str,
}

/// The schema of [`NoSettings`].
pub const NO_SETTINGS_SCHEMA: &str = r#"{"type":"object","additionalProperties":false}"#;

/// Refuses, when compiled, a stage that has settings but is exported without their schema.
pub const fn assert_no_settings<S: StageDefinition<Settings = NoSettings>>() {}

/// The section's content; `N` is what [`measure`] returns.
#[repr(C)]
#[derive(Debug)]
pub struct Section<const N: usize> {
    magic: [u8; 8],
    framing: u32,
    length: u32,
    json: [u8; N],
}

impl<const N: usize> Section<N> {
    /// Writes the manifest.
    #[must_use]
    pub const fn new(parts: &Parts) -> Self {
        let text = write::<N>(parts);
        Self { magic: MAGIC, framing: FRAMING, length: N as u32, json: text.bytes }
    }

    /// The manifest's bytes alone.
    #[must_use]
    pub const fn into_json(self) -> [u8; N] {
        self.json
    }

    /// The manifest.
    ///
    /// # Panics
    ///
    /// Never: the manifest is made of texts.
    #[must_use]
    #[expect(clippy::panic, reason = "evaluated when compiled, where it stops the compiler")]
    pub const fn json(&self) -> &str {
        match std::str::from_utf8(&self.json) {
            Ok(json) => json,
            Err(_) => panic!("the manifest is not UTF-8"),
        }
    }
}

/// How many bytes the manifest takes.
///
/// # Panics
///
/// When the stage's name is not one that pipeline files can use; evaluated when compiled.
#[must_use]
pub const fn measure(parts: &Parts) -> usize {
    assert!(
        is_name(parts.name),
        "a stage's NAME begins with a lower-case letter, followed by such letters, digits and `-`"
    );
    write::<0>(parts).length
}

const fn is_name(name: &str) -> bool {
    let bytes = name.as_bytes();
    let mut index = 0;
    while index < bytes.len() {
        let fits = match bytes[index] {
            b'a'..=b'z' => true,
            b'0'..=b'9' | b'-' => index > 0,
            _ => false,
        };
        if !fits {
            return false;
        }
        index += 1;
    }
    !bytes.is_empty()
}

const fn write<const N: usize>(parts: &Parts) -> Text<N> {
    let mut text = Text { bytes: [0; N], length: 0 };
    text.raw("{\"abi\":{\"major\":");
    text.number(ABI_MAJOR);
    text.raw(",\"minor\":");
    text.number(ABI_MINOR);
    // What the code of this crate calls has been there since 1.0.
    text.raw(",\"host_minor_required\":0},\"name\":");
    text.quoted(parts.name);
    text.raw(",\"version\":");
    text.quoted(parts.version);
    text.raw(",\"description\":");
    text.quoted(parts.description);
    text.raw(",\"model\":");
    match parts.model {
        Some(model) => text.quoted(model),
        None => text.raw("null"),
    }
    text.raw(",\"reads\":");
    text.list(parts.contract.reads);
    text.raw(",\"writes\":");
    text.list(parts.contract.writes);
    text.raw(",\"concurrency\":null,\"target\":");
    text.quoted(env!("STANDPOINT_TARGET"));
    text.raw(",\"panic\":");
    text.quoted(parts.panic);
    text.raw(",\"settings\":");
    text.raw(parts.settings);
    text.raw("}");
    text
}

/// Text being written. What goes beyond `N` bytes is only counted.
struct Text<const N: usize> {
    bytes: [u8; N],
    length: usize,
}

impl<const N: usize> Text<N> {
    const fn byte(&mut self, byte: u8) {
        if self.length < N {
            self.bytes[self.length] = byte;
        }
        self.length += 1;
    }

    const fn raw(&mut self, text: &str) {
        let end = self.length + text.len();
        if end <= N {
            let (_, rest) = self.bytes.split_at_mut(self.length);
            let (slot, _) = rest.split_at_mut(text.len());
            slot.copy_from_slice(text.as_bytes());
        }
        self.length = end;
    }

    const fn quoted(&mut self, text: &str) {
        const HEX: &[u8; 16] = b"0123456789abcdef";
        let bytes = text.as_bytes();
        self.byte(b'"');
        let mut index = 0;
        while index < bytes.len() {
            let byte = bytes[index];
            match byte {
                b'"' | b'\\' => {
                    self.byte(b'\\');
                    self.byte(byte);
                }
                0..0x20 => {
                    self.raw("\\u00");
                    self.byte(HEX[(byte >> 4) as usize]);
                    self.byte(HEX[(byte & 15) as usize]);
                }
                _ => self.byte(byte),
            }
            index += 1;
        }
        self.byte(b'"');
    }

    const fn list(&mut self, items: &[&str]) {
        self.byte(b'[');
        let mut index = 0;
        while index < items.len() {
            if index > 0 {
                self.byte(b',');
            }
            self.quoted(items[index]);
            index += 1;
        }
        self.byte(b']');
    }

    const fn number(&mut self, number: u32) {
        if number >= 10 {
            self.number(number / 10);
        }
        self.byte(b'0' + (number % 10) as u8);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PARTS: Parts = Parts {
        name: "hedge",
        version: "0.4.1",
        description: "says \"perhaps\"\n\\",
        model: None,
        contract: Contract { reads: &["tokens", "a"], writes: &[] },
        panic: "unwind",
        settings: NO_SETTINGS_SCHEMA,
    };
    static WRITTEN: Section<{ measure(&PARTS) }> = Section::new(&PARTS);

    #[test]
    fn the_manifest_is_json_written_when_compiled() {
        let value: serde_json::Value = serde_json::from_str(WRITTEN.json()).unwrap();
        assert_eq!(value["description"], PARTS.description);
        assert_eq!(value["reads"], serde_json::json!(["tokens", "a"]));
        assert_eq!(value["abi"]["major"], 1);
        assert_eq!(value["settings"]["type"], "object");
    }

    #[test]
    fn names_are_those_that_pipeline_files_can_use() {
        for name in ["a", "entity", "x-2"] {
            assert!(is_name(name), "{name}");
        }
        for name in ["", "2x", "-x", "Entity", "a b", "é"] {
            assert!(!is_name(name), "{name}");
        }
    }
}
