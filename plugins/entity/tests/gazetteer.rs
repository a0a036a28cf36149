//! The tables are whole: nothing clashes, nothing is stale.

use std::collections::{BTreeMap, BTreeSet};

use standpoint_document::EntityKind;
use standpoint_entity::gazetteer::{BUILT_IN, Gazetteer};

fn rows(table: &str) -> Vec<Vec<&'static str>> {
    let (_, text) = BUILT_IN.iter().find(|(name, _)| *name == table).expect("a table of BUILT_IN");
    text.lines()
        .filter(|line| !line.starts_with('#') && !line.trim().is_empty())
        .map(|line| line.split('\t').collect())
        .collect()
}

#[test]
fn every_table_says_its_version() {
    for (name, text) in BUILT_IN {
        assert!(text.lines().next().unwrap_or_default().ends_with("version: 1"), "{name}");
    }
}

#[test]
fn ids_are_unique() {
    let mut seen = BTreeSet::new();
    for table in ["states.tsv", "organisations.tsv", "people.tsv"] {
        for row in rows(table) {
            assert!(seen.insert(row[0]), "{table}: {} stands twice", row[0]);
        }
    }
}

#[test]
fn every_country_of_a_row_is_known() {
    let gazetteer = Gazetteer::built_in().unwrap();
    for record in gazetteer.records() {
        if let Some(country) = &record.country {
            assert!(gazetteer.find(country).is_some(), "{}: {country} is not known", record.id);
        }
    }
}

#[test]
fn a_name_without_a_mark_means_one_thing_of_a_kind() {
    let mut owners: BTreeMap<(&str, String), BTreeSet<&str>> = BTreeMap::new();
    for (table, names) in
        [("states.tsv", [1, 2]), ("organisations.tsv", [1, 2]), ("people.tsv", [1, 2])]
    {
        for row in rows(table) {
            for name in names.iter().flat_map(|&column| row[column].split(';')) {
                let name = name.trim();
                if !name.is_empty() && !name.starts_with('?') {
                    owners.entry((table, name.to_owned())).or_default().insert(row[0]);
                }
            }
        }
    }
    let clashes: Vec<_> = owners.iter().filter(|(_, owners)| 1 < owners.len()).collect();
    assert!(clashes.is_empty(), "mark these with `?`: {clashes:?}");
}

#[test]
fn offices_do_not_begin_after_they_end() {
    // Parsing refuses a period that runs backwards; here: everybody has an office, in order.
    let gazetteer = Gazetteer::built_in().unwrap();
    for record in gazetteer.records().iter().filter(|record| record.kind == EntityKind::Person) {
        assert!(!record.roles.is_empty(), "{} has no office", record.id);
    }
}

#[test]
fn states_of_the_world_are_covered() {
    let states = rows("states.tsv");
    assert!(249 <= states.len());
    for row in &states {
        let territory = row[3].is_empty() && row[4].is_empty();
        assert!(row[0].len() == 3 && !row[1].is_empty(), "{row:?}");
        assert!(territory || !row[3].is_empty(), "{}: people without an adjective", row[0]);
    }
}

#[test]
fn a_broken_line_is_named() {
    let error =
        Gazetteer::from_tables([("own/people.tsv", "# mine\nKAZ.X\tX Y\t\tKAZ\tking then")])
            .unwrap_err();
    insta::assert_snapshot!(
        error,
        @"own/people.tsv:2: `then` is not a period such as 2019-03..2024-11"
    );
}
