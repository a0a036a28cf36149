//! How much of anything a document or file may have; every rejection names limit and value.

use schemars::JsonSchema;
use serde::Deserialize;

/// Limits of what is read. Each is a setting with a default; a document beyond one is rejected
/// with the limit's name, its value and what was found.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ReadLimits {
    /// Bytes of one document: a text, a page, or a line of JSONL; such as `16MiB`.
    pub max_document_bytes: u64,

    /// Bytes that a compressed file may become.
    pub max_expanded_bytes: u64,

    /// How many times larger than itself a compressed file may become.
    pub max_expansion_ratio: u64,

    /// Records in one file.
    pub max_records: u64,
}

impl Default for ReadLimits {
    fn default() -> Self {
        Self {
            max_document_bytes: 16 << 20,
            max_expanded_bytes: 4 << 30,
            max_expansion_ratio: 200,
            max_records: 10_000_000,
        }
    }
}
