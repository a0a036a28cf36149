//! Which partition a document belongs to: the same everywhere and for ever.

use standpoint_document::Document;

use crate::settings::PartitionBy;

/// The partition of a document, where we divide them.
///
/// - `partitions`: how many there are, at least 1;
/// - returns: from 0 to below `partitions`.
#[cfg(feature = "nats")]
pub(crate) fn partition_of(document: &Document<'_>, by: PartitionBy, partitions: u32) -> u32 {
    let metadata = document.metadata();
    let source = metadata.source.name.as_str();
    match by {
        PartitionBy::Source => hash(&[source], partitions),
        PartitionBy::Folder => {
            let path = metadata.source.path.as_deref().unwrap_or_default();
            let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
            hash(&[source, folder], partitions)
        }
        PartitionBy::Author => hash(&[metadata.author.as_deref().unwrap_or_default()], partitions),
        PartitionBy::Id => hash(&[document.id()], partitions),
    }
}

/// The key of a document, where those who keep messages divide them by keys: documents of one
/// partition have one key. The key of `id` is the id itself.
#[cfg(feature = "kafka")]
pub(crate) fn key_of(document: &Document<'_>, by: PartitionBy) -> String {
    let metadata = document.metadata();
    let source = metadata.source.name.as_str();
    match by {
        PartitionBy::Source => source.to_owned(),
        PartitionBy::Folder => {
            let path = metadata.source.path.as_deref().unwrap_or_default();
            let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
            format!("{source}/{folder}")
        }
        PartitionBy::Author => metadata.author.clone().unwrap_or_default(),
        PartitionBy::Id => document.id().to_owned(),
    }
}

/// BLAKE3 over the parts, each with its length before it; its first eight bytes, modulo.
#[cfg(feature = "nats")]
fn hash(parts: &[&str], partitions: u32) -> u32 {
    let mut hasher = blake3::Hasher::new();
    for part in parts {
        hasher.update(&(part.len() as u64).to_le_bytes());
        hasher.update(part.as_bytes());
    }
    let mut first = [0; 8];
    first.copy_from_slice(&hasher.finalize().as_bytes()[..8]);
    (u64::from_le_bytes(first) % u64::from(partitions.max(1))) as u32
}

#[cfg(test)]
mod tests {
    use standpoint_document::{Metadata, SourceRef};

    use super::*;

    fn document(id: &str, source: &str, path: &str, author: &str) -> Document<'static> {
        let source = SourceRef { name: source.to_owned(), path: Some(path.to_owned()), id: None };
        let metadata = Metadata { source, author: Some(author.to_owned()), ..Metadata::default() };
        Document::new(id.to_owned(), "x").unwrap().with_metadata(metadata)
    }

    #[test]
    #[cfg(feature = "kafka")]
    fn a_key_says_what_documents_have_in_common() {
        let one = document("d1", "news", "kz/a.txt", "KAZ");
        let keys = [PartitionBy::Source, PartitionBy::Folder, PartitionBy::Author, PartitionBy::Id]
            .map(|by| key_of(&one, by));
        assert_eq!(keys, ["news", "news/kz", "KAZ", "d1"]);
    }

    #[test]
    #[cfg(feature = "nats")]
    fn a_document_stays_in_its_partition_whoever_computes_it() {
        // Written down: another value here would tear streams apart that exist.
        let one = document("d1", "news", "kz/a.txt", "KAZ");
        let found: Vec<u32> =
            [PartitionBy::Source, PartitionBy::Folder, PartitionBy::Author, PartitionBy::Id]
                .map(|by| partition_of(&one, by, 64))
                .to_vec();
        assert_eq!(found, [62, 7, 20, 55]);
    }

    #[test]
    #[cfg(feature = "nats")]
    fn what_documents_have_in_common_decides() {
        let one = document("d1", "news", "kz/a.txt", "KAZ");
        let other = document("d2", "news", "by/b.txt", "BLR");
        let same = |by| partition_of(&one, by, 1024) == partition_of(&other, by, 1024);
        assert!(same(PartitionBy::Source));
        assert!(!same(PartitionBy::Folder) && !same(PartitionBy::Author) && !same(PartitionBy::Id));
        assert_eq!(partition_of(&one, PartitionBy::Id, 1), 0);
    }

    #[test]
    #[cfg(feature = "nats")]
    fn ids_are_spread_evenly() {
        let mut counts = [0_u32; 8];
        for number in 0..8000 {
            let document = document(&number.to_string(), "s", "p", "a");
            counts[partition_of(&document, PartitionBy::Id, 8) as usize] += 1;
        }
        assert!(counts.iter().all(|count| (900..1100).contains(count)), "{counts:?}");
    }
}
