//! Web and mail addresses, which stay whole.

use super::Cutter;

impl Cutter<'_> {
    /// The end of a web or mail address that begins at `at`.
    pub(super) fn address_end(&self, at: usize) -> Option<usize> {
        let rest = &self.bytes[at..self.end];
        let host = self.ascii_end(at) - at;
        let scheme = matches!(rest.get(host), Some(b':'))
            && matches!(&rest[..host], b"http" | b"https" | b"ftp" | b"mailto" | b"doi" | b"HTTP");
        let is_web = scheme || rest.starts_with(b"www.");
        // Where a name of letters, digits and ".-_+%" ends: at "@" in a mail address.
        let name = rest.iter().take(80).take_while(|&&byte| is_address_byte(byte)).count();
        let is_mail = name > 0
            && rest.get(name) == Some(&b'@')
            && rest.get(name + 1).is_some_and(u8::is_ascii_alphanumeric);
        let is_path = name > 0
            && rest.get(name) == Some(&b'/')
            && self.text[at..at + name].rsplit_once('.').is_some_and(|(host, last)| {
                !host.is_empty() && last.len() > 1 && self.lists.is_domain(last)
            });
        if !(is_web || is_mail || is_path) {
            return None;
        }
        let length = rest
            .iter()
            .take_while(|&&byte| !matches!(byte, b'<' | b'>' | b'"') && byte.is_ascii())
            .take_while(|&&byte| !is_mail || is_address_byte(byte) || byte == b'@')
            .count();
        let mut address = &rest[..length];
        // Punctuation at the end belongs to the sentence, as does a bracket that opened before.
        while let Some((&last, shorter)) = address.split_last() {
            let is_outside = match last {
                b'.' | b',' | b';' | b':' | b'!' | b'?' | b'\'' | b']' | b'*' => true,
                b')' => !shorter.contains(&b'('),
                _ => false,
            };
            if !is_outside {
                break;
            }
            address = shorter;
        }
        (address.len() > host).then_some(at + address.len())
    }
}

const fn is_address_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_' | b'+' | b'%')
}
