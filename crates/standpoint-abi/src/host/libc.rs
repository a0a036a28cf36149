//! Which C library a plugin needs, read from its file, and which one this system has.

use object::Endianness;
use object::elf::{FileHeader32, FileHeader64};
use object::read::elf::{ElfFile, FileHeader};
use object::read::{File, ReadRef, Result};

/// How many versions a file may name before the rest is not looked at.
const MOST_VERSIONS: usize = 10_000;

/// A version of glibc: its parts, such as `[2, 38]`.
type Version = Vec<u32>;

/// The version of glibc that a library needs and this system does not have, such as `GLIBC_2.38`.
///
/// `None` where all is well, or nothing can be told: then the system's loader will.
pub(super) fn missing<'a, R: ReadRef<'a>>(library: &File<'a, R>) -> Option<String> {
    let here = here()?;
    let needed = match library {
        File::Elf32(elf) => highest::<FileHeader32<Endianness>, R>(elf),
        File::Elf64(elf) => highest::<FileHeader64<Endianness>, R>(elf),
        _ => return None,
    };
    let (version, name) = needed.ok()??;
    (version > here).then_some(name)
}

/// The highest version of glibc that a file names, with its name.
fn highest<'a, Elf: FileHeader, R: ReadRef<'a>>(
    elf: &ElfFile<'a, Elf, R>,
) -> Result<Option<(Version, String)>> {
    let (endian, data) = (elf.endian(), elf.data());
    let sections = elf.elf_section_table();
    let Some((mut files, link)) = sections.gnu_verneed(endian, data)? else { return Ok(None) };
    let names = sections.strings(endian, data, link)?;
    let (mut highest, mut seen) = (None, 0);
    while let Some((_, mut versions)) = files.next()? {
        while let Some(version) = versions.next()? {
            seen += 1;
            if seen > MOST_VERSIONS {
                return Ok(highest);
            }
            let name = String::from_utf8_lossy(version.name(endian, names)?).into_owned();
            if let Some(version) = name.strip_prefix("GLIBC_").and_then(parse)
                && highest.as_ref().is_none_or(|(known, _)| *known < version)
            {
                highest = Some((version, name));
            }
        }
    }
    Ok(highest)
}

/// `2.38` as numbers; `None` for what is no version, such as `PRIVATE`.
fn parse(text: &str) -> Option<Version> {
    text.split('.').map(|part| part.parse().ok()).collect()
}

/// The version of this system's glibc.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
pub(super) fn here() -> Option<Version> {
    unsafe extern "C" {
        fn gnu_get_libc_version() -> *const std::ffi::c_char;
    }
    // SAFETY: glibc's own function, which returns a constant that ends in a zero.
    let version = unsafe { std::ffi::CStr::from_ptr(gnu_get_libc_version()) };
    parse(version.to_str().ok()?)
}

#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
pub(super) fn here() -> Option<Version> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg_attr(miri, ignore = "Miri has no C library to ask")]
    fn versions_are_compared_by_their_numbers() {
        assert!(parse("2.38") > parse("2.4"));
        assert!(parse("2.2.5") < parse("2.3"));
        assert_eq!(parse("PRIVATE"), None);
        if cfg!(target_env = "gnu") {
            assert!(here() >= parse("2.17"), "{:?}", here());
        }
    }
}
