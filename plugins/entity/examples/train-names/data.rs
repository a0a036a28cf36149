//! Labelled sets as sentences with names.

use std::io::Read;
use std::path::Path;

use standpoint_entity::tagger::Class;

use crate::Failure;

/// A sentence with the names in it, as ranges of tokens.
pub(crate) struct Example {
    pub(crate) words: Vec<String>,
    pub(crate) names: Vec<(usize, usize, Class)>,
}

pub(crate) fn read(path: &Path) -> Result<String, Failure> {
    let bytes = std::fs::read(path).map_err(|error| format!("{}: {error}", path.display()))?;
    let mut text = String::new();
    if path.extension().is_some_and(|extension| extension == "gz") {
        flate2::read::MultiGzDecoder::new(bytes.as_slice()).read_to_string(&mut text)?;
    } else {
        text = String::from_utf8(bytes)?;
    }
    Ok(text)
}

/// The class of a label of any of the sets; `None` for what is not a name.
fn class(label: &str) -> Option<Class> {
    Some(match label.to_ascii_lowercase().as_str() {
        "per" | "person" | "politician" | "writer" | "scientist" | "musicalartist"
        | "researcher" => Class::Person,
        "org" | "organisation" | "organization" | "politicalparty" | "corporation" | "group"
        | "university" | "band" => Class::Organisation,
        "loc" | "location" | "country" | "place" => Class::Location,
        "misc" | "event" | "election" | "award" | "book" | "album" | "song" | "poem"
        | "magazine" | "academicjournal" | "conference" | "product" | "creative-work"
        | "nationality" | "astronomicalobject" | "programlang" => Class::Other,
        _ => return None,
    })
}

pub(crate) fn read_bio(path: &Path) -> Result<Vec<Example>, Failure> {
    let mut examples = Vec::new();
    let mut example = Example { words: Vec::new(), names: Vec::new() };
    for line in read(path)?.lines().chain([""]) {
        let Some((word, tag)) = line.split_once('\t') else {
            if !example.words.is_empty() {
                examples.push(example);
                example = Example { words: Vec::new(), names: Vec::new() };
            }
            continue;
        };
        let at = example.words.len();
        if let Some(class) = tag.strip_prefix("B-").and_then(class) {
            example.names.push((at, at + 1, class));
        } else if tag.starts_with("I-")
            && let Some(name) = example.names.last_mut().filter(|name| name.1 == at)
        {
            name.1 = at + 1;
        }
        example.words.push(word.to_owned());
    }
    Ok(examples)
}

/// Mentions that begin and end with a proper noun and have a known type are names; an inner one
/// gives way to the one around it.
pub(crate) fn read_gum(path: &Path) -> Result<Vec<Example>, Failure> {
    let text = read(path)?;
    let mut examples = Vec::new();
    let mut rows: Vec<(String, String)> = Vec::new();
    let mut open: Vec<(String, usize, Option<Class>)> = Vec::new();
    let mut names = Vec::new();
    for line in text.lines().chain([""]) {
        if line.starts_with('#') {
            continue;
        }
        let columns: Vec<&str> = line.split('\t').collect();
        if columns.len() < 10 {
            if !rows.is_empty() {
                examples.push(gum_example(&rows, &mut names));
                rows.clear();
                open.clear();
            }
            continue;
        }
        if columns[0].contains(['-', '.']) {
            continue;
        }
        let at = rows.len();
        rows.push((columns[1].to_owned(), columns[3].to_owned()));
        let entity = columns[9].split('|').find_map(|field| field.strip_prefix("Entity="));
        for (mark, body) in brackets(entity.unwrap_or_default()) {
            let mut parts = body.split('-');
            let group = parts.next().unwrap_or_default().to_owned();
            if mark != ')' {
                let class = parts.next().and_then(class);
                open.push((group.clone(), at, class));
            }
            if mark != '('
                && let Some(last) = open.iter().rposition(|entry| entry.0 == group)
            {
                let (_, first, class) = open.remove(last);
                names.extend(class.map(|class| (first, at + 1, class)));
            }
        }
    }
    Ok(examples)
}

/// The parts of GUM's bracket notation: `(` opens, `)` closes, `*` does both.
fn brackets(mut field: &str) -> Vec<(char, &str)> {
    let mut parts = Vec::new();
    while !field.is_empty() {
        if let Some(rest) = field.strip_prefix('(') {
            let end = rest.find(['(', ')']).unwrap_or(rest.len());
            let closes = rest[end..].starts_with(')');
            parts.push((if closes { '*' } else { '(' }, &rest[..end]));
            field = &rest[end + usize::from(closes)..];
        } else {
            let end = field.find(')').unwrap_or(field.len());
            parts.push((')', &field[..end]));
            field = field.get(end + 1..).unwrap_or_default();
        }
    }
    parts
}

fn gum_example(rows: &[(String, String)], names: &mut Vec<(usize, usize, Class)>) -> Example {
    let tag = |at: usize| rows[at].1.as_str();
    let mut kept: Vec<(usize, usize, Class)> = Vec::new();
    names.sort_by_key(|&(first, end, _)| (first, std::cmp::Reverse(end)));
    for (mut first, mut end, class) in names.drain(..) {
        while first < end && tag(first) == "DET" {
            first += 1;
        }
        while first < end && tag(end - 1) == "PART" {
            end -= 1;
        }
        let proper = first < end
            && end - first <= 8
            && tag(first) == "PROPN"
            && tag(end - 1) == "PROPN"
            && (first..end).all(|at| matches!(tag(at), "PROPN" | "ADP" | "DET" | "NUM" | "ADJ"));
        if proper && kept.last().is_none_or(|last| last.1 <= first) {
            kept.push((first, end, class));
        }
    }
    Example { words: rows.iter().map(|row| row.0.clone()).collect(), names: kept }
}

#[derive(serde::Deserialize)]
struct Re3d {
    text: String,
    entities: Vec<Re3dEntity>,
}

#[derive(serde::Deserialize)]
struct Re3dEntity {
    start: usize,
    end: usize,
    #[serde(rename = "type")]
    kind: String,
}

/// Mentions that begin with a capital are names; the set also marks "the government".
pub(crate) fn read_re3d(path: &Path) -> Result<Vec<Example>, Failure> {
    let mut examples = Vec::new();
    for line in read(path)?.lines() {
        let document: Re3d = serde_json::from_str(line)?;
        let characters: Vec<char> = document.text.chars().collect();
        let mut example = Example { words: Vec::new(), names: Vec::new() };
        let mut class_of = vec![None; characters.len()];
        for entity in &document.entities {
            let Some(class) = class(&entity.kind) else { continue };
            for (offset, slot) in
                class_of.iter_mut().enumerate().take(entity.end).skip(entity.start)
            {
                *slot = Some((entity.start.min(offset), class));
            }
        }
        let mut at = 0;
        let mut previous: Option<(usize, Class)> = None;
        while at < characters.len() {
            if characters[at].is_whitespace() {
                at += 1;
                continue;
            }
            let start = at;
            if characters[at].is_alphanumeric() {
                while at < characters.len() && characters[at].is_alphanumeric() {
                    at += 1;
                }
            } else {
                at += 1;
            }
            let word: String = characters[start..at].iter().collect();
            let index = example.words.len();
            let name = class_of[start];
            match (name, example.names.last_mut()) {
                (Some(_), Some(last)) if name == previous && last.1 == index => {
                    last.1 = index + 1;
                }
                (Some((_, class)), _)
                    if name != previous && word.chars().next().is_some_and(char::is_uppercase) =>
                {
                    example.names.push((index, index + 1, class));
                }
                _ => {}
            }
            previous = name;
            let ends = matches!(word.as_str(), "." | "!" | "?");
            example.words.push(word);
            if ends {
                examples.push(std::mem::replace(
                    &mut example,
                    Example { words: Vec::new(), names: Vec::new() },
                ));
                previous = None;
            }
        }
        if !example.words.is_empty() {
            examples.push(example);
        }
    }
    Ok(examples)
}
