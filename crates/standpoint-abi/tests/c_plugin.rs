//! Stages in C: a good one, and one that tries what a host must withstand.

#![allow(clippy::unwrap_used, reason = "a test stops where it fails")]

mod common;

use std::mem::offset_of;
use std::path::Path;
use std::process::Command;

use common::{compile_c, message, run, start};
use serde_json::Value;
use standpoint_abi::document::Annotation;
use standpoint_abi::layout::{
    HostTable, HostTableV1_1, PluginTable, RawContext, RawDocument, RawDocumentV1_1, RawEntity,
    RawJson, RawLayer, RawSentiment, RawSentiments, RawStart, Str,
};
use standpoint_abi::stage::{Stage, testing};
use standpoint_abi::{HostedStage, LoadPolicy, LoadedPlugin};

fn load_c(source: &str, flags: &[&str]) -> HostedStage {
    let folder = tempfile::tempdir().unwrap();
    let library = compile_c(source, folder.path(), "libstage.so", flags);
    let plugin = LoadedPlugin::load(library, &LoadPolicy::default()).unwrap();
    plugin.create(&Value::Null, &start()).unwrap()
}

#[test]
fn a_stage_in_c_works() {
    let hedge = load_c("examples/c/hedge.c", &[]);
    let document = run(&hedge, "It may, perhaps, rain; perhaps not.").unwrap();
    let hedges = &document.layer("hedges").unwrap().annotations;
    let words: Vec<_> = hedges.iter().map(|hedge| document.slice(hedge.span)).collect();
    assert_eq!(words, ["perhaps", "perhaps"]);
}

#[test]
fn the_header_lays_out_what_rust_lays_out() {
    let folder = tempfile::tempdir().unwrap();
    let program = compile_c("tests/c/layout.c", folder.path(), "layout", &[]);
    let output = Command::new(Path::new(&program)).output().unwrap();
    macro_rules! lines {
        // What a table had in 1.0, without its size.
        (v1_0 $c:literal $type:ty { $($field:ident),* }) => {
            concat_lines(&[
                $((format!("{}.{}", $c, stringify!($field)), offset_of!($type, $field)),)*
            ])
        };
        ($($c:literal $type:ty { $($field:ident),* })*) => {
            concat_lines(&[$(
                ($c.to_owned(), size_of::<$type>()),
                $((format!("{}.{}", $c, stringify!($field)), offset_of!($type, $field)),)*
            )*])
        };
    }
    let annotation = [
        ("sp_annotation", size_of::<Annotation>()),
        ("sp_annotation.end", offset_of!(Annotation, span) + 4),
        ("sp_annotation.label", offset_of!(Annotation, label)),
        ("sp_annotation.flags", offset_of!(Annotation, flags)),
        ("sp_annotation.score", offset_of!(Annotation, score)),
        ("sp_annotation.link", offset_of!(Annotation, link)),
    ];
    let annotation = annotation.map(|(name, value)| (name.to_owned(), value));
    let expected = lines! { "sp_str" Str { len } }
        + &concat_lines(&annotation)
        + &lines! {
            "sp_layer" RawLayer {
                annotations, annotation_count, labels, label_count, vectors, vector_width
            }
            "sp_json" RawJson { json }
            "sp_entity" RawEntity { name, country, aliases, kind, flags }
            "sp_sentiment" RawSentiment { confidence }
            "sp_sentiments" RawSentiments {
                document, sentences, sentence_count, mentions, mention_count
            }
            "sp_document" RawDocumentV1_1 { entities, entity_count }
        }
        + &lines! {
            v1_0 "sp_document" RawDocument {
                id, text, title, author, published, language, source_name, source_path, source_id,
                layers, layer_count, records, record_count, attributes, attribute_count
            }
        }
        + &lines! {
            "sp_context" RawContext { attempt, stage, cancelled }
            "sp_start" RawStart { stage, pipeline_dir, settings }
            "sp_host" HostTableV1_1 { set_entities, set_sentiment }
        }
        + &lines! {
            v1_0 "sp_host" HostTable {
                abi_major, abi_minor, max_level, log, set_layer, set_record, set_attribute,
                set_language, add_note, set_error, waker_clone, waker_wake, waker_drop
            }
        }
        + &lines! {
            "sp_plugin" PluginTable {
                abi_major, abi_minor, host_minor_required, flags, manifest, create, destroy,
                process, process_batch, poll, drop_future
            }
        };
    assert_eq!(String::from_utf8(output.stdout).unwrap(), expected);
}

fn concat_lines(lines: &[(String, usize)]) -> String {
    lines.iter().map(|(name, value)| format!("{name} {value}\n")).collect()
}

#[test]
fn whatever_a_stage_writes_is_refused_in_words_and_changes_nothing() {
    let bad = load_c("tests/c/bad.c", &[]);
    let cases = [
        (
            "йa",
            "layer `a` span #0: 0..1 cuts the character 'й' (bytes 0..2); offsets are UTF-8 bytes",
        ),
        ("xb", "layer `a` span #0: 1..99 leaves the text, which has 2 bytes"),
        ("xyc", "layer `a` span #0: 2..1 ends before it starts"),
        ("xyzd", "layer `a` span #1: 1..2 comes before or into 2..3; sort the spans by start"),
        ("xe", "layer `a` span #0: its score is not a finite number"),
        ("xf", "it writes `nobody's`, which its contract does not name: add it to `writes`"),
        ("xg", "the spans of a layer cannot be read: a null or misaligned pointer"),
        ("xh", "the spans of a layer cannot be read: a null or misaligned pointer"),
        ("xi", "the spans of a layer cannot be read: a null or misaligned pointer"),
        ("xj", "layer `a` span #0: label 1 is not one of the layer's 1 labels"),
        ("xk", "the vectors of a layer cannot be read: a null or misaligned pointer"),
        ("xl", "layer `entities` span #0: its link leaves the table, which has 0 entries"),
        ("xm", "`a` is not a record; records are `entities`, `sentiment` and `stance`"),
        ("xn", "what it writes as `stance` is wrong: invalid type: map, expected a sequence"),
        ("o", "layer `sentiment` span #0: it has 1 entries where the document needs 0"),
        ("xp", "it passes a text that is not UTF-8, such as "),
        ("xq", "it failed without saying why; a stage says so with `set_error`"),
        ("xr", "it says that it waits, but gives nothing to poll"),
        ("xs", "it returned 42, which is no status"),
        ("xt", "kind unknown"),
        ("xu", "the layer cannot be read: a null or misaligned pointer"),
        ("xv", "the spans of a layer cannot be read: a null or misaligned pointer"),
        ("xw", "it failed without saying why; a stage says so with `set_error`"),
        ("A", "what it writes as `entities` is wrong: no kind has the code 99"),
        ("B", "it passes a text that is not UTF-8, such as "),
        ("C", "the entities cannot be read: a null or misaligned pointer"),
        ("D", "layer `entities` span #0: its link leaves the table, which has 1 entries"),
        ("E", "what it writes as `sentiment` is wrong: 2 is no score from -1 to 1"),
        ("F", "layer `sentiment` span #0: it has 1 entries where the document needs 0"),
        ("G", "the sentiment cannot be read: a null or misaligned pointer"),
        ("H", "the sentiment cannot be read: a null or misaligned pointer"),
    ];
    for (text, expected) in cases {
        let mut document = standpoint_abi::document::Document::new("d", text.to_owned()).unwrap();
        let before = format!("{document:?}");
        let error = testing::process(&bad, &mut document).unwrap_err();
        assert!(error.message().starts_with(expected), "{text}: {error}");
        assert_eq!(format!("{document:?}"), before, "{text}");
    }
    let document = run(&bad, "x").unwrap();
    assert_eq!(document.attribute("a"), Some(&serde_json::json!([1])));
    assert!(run(&bad, "fine.").is_ok());
    let mut document = standpoint_abi::document::Document::new("d", "I").unwrap();
    testing::process(&bad, &mut document).unwrap();
    assert_eq!(document.entities()[0].aliases.as_lines(), "Xi\nXy");
    let score = document.sentiment().unwrap().document.unwrap().score.get();
    assert_eq!(score.to_bits(), 0.5_f32.to_bits());
}

#[test]
fn a_stage_that_says_so_gets_one_call_at_a_time() {
    let bad = load_c("tests/c/bad.c", &["-DMORE=\",\\\"concurrency\\\":1\""]);
    assert_eq!(bad.manifest().concurrency.unwrap().get(), 1);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| (0..50).for_each(|_| assert!(message(&bad, "xq").contains("why"))));
        }
    });
    let mut documents = [testing::tokenised("x."), testing::tokenised("xq")];
    let cancelled = std::sync::atomic::AtomicBool::new(false);
    let context = common::context(&cancelled);
    let results = testing::wait_for(bad.process_batch(&mut documents, &context));
    assert!(results[0].is_ok() && results[1].is_err());
}
