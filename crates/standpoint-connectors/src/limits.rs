//! How much of anything a file may have; every rejection names limit and value.

/// Limits of what is read, named as in a pipeline file. What is beyond one is refused with the
/// limit's name, its value and what was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReadLimits {
    /// Bytes of one document that is a whole file, or a mail in a mailbox.
    pub max_document_bytes: u64,
    /// Bytes of the text of one document once decoded, its title and what else is said of it
    /// included: what stages make of it is many times as large.
    pub max_text_bytes: u64,
    /// Bytes of one line of JSONL, or of one row of a table.
    pub max_line_bytes: u64,
    /// Bytes that a compressed file may become.
    pub max_expanded_bytes: u64,
    /// How many times larger than itself a compressed file may become.
    pub max_expanded_ratio: u64,
    /// Records in one file.
    pub max_records_per_file: u64,
    /// How deep the values of a JSON document may nest.
    pub max_json_depth: u32,
    /// Parts of one mail.
    pub max_mail_parts: u32,
}

impl Default for ReadLimits {
    fn default() -> Self {
        Self {
            max_document_bytes: 16 << 20,
            max_text_bytes: 4 << 20,
            max_line_bytes: 16 << 20,
            max_expanded_bytes: 256 << 20,
            max_expanded_ratio: 200,
            max_records_per_file: 1_000_000,
            max_json_depth: 64,
            max_mail_parts: 1000,
        }
    }
}
