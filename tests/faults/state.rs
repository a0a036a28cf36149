//! The daemon's own files, cut off, with bits flipped, or from a newer program.

use std::fs;
use std::path::Path;

use crate::station::{Dice, End, Station};

/// A station with ten documents done, and one more in the inbox.
fn used() -> Station {
    let mut station = Station::new();
    for number in 0..10 {
        station.feed(&format!("{number}.txt"), &format!("Report {number}. Astana agreed."));
    }
    assert_eq!(station.drain(None), End::Code(0), "{}", station.log());
    station.feed("last.txt", "Minsk agreed.");
    station
}

fn state_files(station: &Station) -> Vec<String> {
    let files = station.files("state").into_iter().filter(|file| !file.starts_with("plugins/"));
    let files: Vec<String> = files.map(|file| format!("state/{file}")).collect();
    assert!(files.len() >= 4, "{files:?}");
    files
}

#[test]
fn damaged_state_costs_no_document() {
    let files = state_files(&used());
    let mut dice = Dice::new(7);
    for file in files {
        for damage in ["cut", "flip", "empty", "gone"] {
            let station = used();
            let path = station.at(&file);
            let mut bytes = fs::read(&path).unwrap_or_default();
            let place = dice.below(bytes.len().max(1) as u64) as usize;
            match damage {
                "cut" => bytes.truncate(place),
                "flip" if !bytes.is_empty() => bytes[place] ^= 1 << dice.below(8),
                "empty" => bytes.clear(),
                _ => {}
            }
            if damage == "gone" {
                fs::remove_file(&path).unwrap();
            } else {
                fs::write(&path, bytes).unwrap();
            }
            let end = station.drain(None);
            let case = format!("{file} {damage} at {place}");
            assert_eq!(end, End::Code(0), "{case}\n{}", station.log());
            station.check(&case);
        }
    }
}

#[test]
fn a_ledger_of_a_newer_program_is_refused_with_words_and_stays() {
    let station = used();
    let newer: Vec<_> = state_files(&station)
        .into_iter()
        .filter(|file| Path::new(file).extension().is_some_and(|ending| ending == "log"))
        .map(|file| station.at(&file))
        .collect();
    // The first record says `standpoint` and the version, after its length and checksum.
    let payload = [b"standpoint".as_slice(), &2_u32.to_le_bytes()].concat();
    let checksum = crc32(&payload).to_le_bytes();
    let header = [&14_u32.to_le_bytes(), checksum.as_slice(), &payload].concat();
    for path in &newer {
        fs::write(path, &header).unwrap();
    }
    assert_eq!(station.drain(None), End::Code(1), "{}", station.log());
    let told = station.log();
    assert!(told.contains("has ledger version 2 and this program reads up to 1"), "{told}");
    assert!(newer.iter().all(|path| fs::read(path).unwrap() == header));
    assert!(station.files("inbox").contains("last.txt"));
}

/// CRC-32 as in gzip, bit by bit.
fn crc32(bytes: &[u8]) -> u32 {
    let mut crc = u32::MAX;
    for byte in bytes {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            crc = if crc & 1 == 1 { crc >> 1 ^ 0xEDB8_8320 } else { crc >> 1 };
        }
    }
    !crc
}
