//! Shows the names in a text, one mention a line, and how long it takes:
//! `cargo run --release -p standpoint-entity --example show -- FILE [PUBLISHED]`.

use std::io::Write;
use std::time::Instant;

use standpoint_document::{Document, Metadata, layers, mention};
use standpoint_entity::{EntitySettings, EntityStage};
use standpoint_stage::{StageDefinition, StartContext, testing};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let path = arguments.next().ok_or("usage: show FILE [PUBLISHED]")?;
    let published = arguments.next();
    let context = StartContext { stage: "entity".into(), pipeline_dir: ".".into() };
    let begun = Instant::now();
    let stage = EntityStage::start(EntitySettings::default(), &context)?;
    let started = begun.elapsed();
    let text = std::fs::read_to_string(path)?;
    let plain = testing::tokenised(&text);
    let (tokens, sentences) = (plain.tokens().to_vec(), plain.sentences().to_vec());
    let mut document =
        Document::new("shown", text)?.with_metadata(Metadata { published, ..Metadata::default() });
    document.set_layer(layers::TOKENS, tokens)?;
    document.set_layer(layers::SENTENCES, sentences)?;
    let mut out = std::io::stdout().lock();
    let (mentions, entities) = stage.find(&document);
    for found in &mentions {
        let entity = &entities[found.link as usize];
        let start = found.span.start as usize;
        let from = document.text().floor_char_boundary(start.saturating_sub(20));
        let to = document.text().ceil_char_boundary(found.span.end as usize + 20);
        let around = document.text()[from..to.min(document.text().len())].replace('\n', " ");
        let flags: Vec<&str> = [
            (mention::DEMONYM, "demonym"),
            (mention::METONYM, "metonym"),
            (mention::ANAPHOR, "anaphor"),
            (mention::NOT_AN_ACTOR, "not-an-actor"),
            (mention::NESTED, "nested"),
        ]
        .into_iter()
        .filter(|(flag, _)| found.has(*flag))
        .map(|(_, name)| name)
        .collect();
        writeln!(
            out,
            "{:28} {:12} {:24} {:.2} {:20} | {around}",
            document.slice(found.span),
            standpoint_document::EntityKind::from_code(found.label).map_or("?", |k| k.name()),
            entity.id,
            found.score,
            flags.join(",")
        )?;
    }
    let begun = Instant::now();
    for _ in 0..200 {
        std::hint::black_box(stage.find(&document));
    }
    let each = begun.elapsed() / 200;
    writeln!(out, "{} tokens, {each:?} a document, start {started:?}", document.tokens().len())?;
    Ok(())
}
