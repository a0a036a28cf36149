//! Sentences cut into parts of bounded work, between which a stage can be stopped.

/// So many bytes of text are read at once, at most, unless one sentence has more: hostile words have a
/// word piece for every byte or two, and a few thousand pieces take a second or two.
const MOST_BYTES: usize = 24 << 10;

/// Cuts sentences into parts, in order.
///
/// - `most`: how many a part has at most;
/// - `length`: of a sentence, in bytes.
pub fn parts<T>(sentences: &[T], most: usize, length: impl Fn(&T) -> usize) -> Vec<&[T]> {
    let (mut parts, mut start, mut bytes) = (Vec::new(), 0, 0);
    for (at, sentence) in sentences.iter().enumerate() {
        let more = length(sentence);
        if at > start && (at - start == most || bytes + more > MOST_BYTES) {
            parts.push(&sentences[start..at]);
            (start, bytes) = (at, 0);
        }
        bytes += more;
    }
    if start < sentences.len() {
        parts.push(&sentences[start..]);
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_part_has_too_many_sentences_or_bytes_and_none_is_lost() {
        let cases: [(&[usize], usize, &[usize]); 5] = [
            (&[], 2, &[]),
            (&[1, 1, 1], 2, &[2, 1]),
            (&[MOST_BYTES, 1, 1], 9, &[1, 2]),
            (&[1, MOST_BYTES, 1], 9, &[1, 1, 1]),
            (&[MOST_BYTES * 2, MOST_BYTES * 2], 9, &[1, 1]),
        ];
        for (lengths, most, expected) in cases {
            let parts = parts(lengths, most, |&length| length);
            assert_eq!(parts.iter().map(|part| part.len()).collect::<Vec<_>>(), expected);
            assert_eq!(parts.concat(), lengths);
        }
    }
}
