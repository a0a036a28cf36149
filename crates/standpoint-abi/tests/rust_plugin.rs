//! What a plugin written in Rust may rely on, and what it cannot do to its host.

#![allow(clippy::unwrap_used, reason = "a test stops where it fails")]
#![allow(unsafe_code, reason = "one test plays a host of its own")]

mod common;

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::thread;
use std::time::Duration;

use common::{chaos, context, create, load, message, run, start};
use serde_json::{Value, json};
use standpoint_abi::document::{Annotation, Document, Layer, Metadata, SourceRef, Span, Vectors};
use standpoint_abi::document::{Polarity, layers, sentence};
use standpoint_abi::stage::{Stage, StageErrorKind, testing};
use standpoint_abi::{HostedStage, LoadPolicy, LoadedPlugin, MAX_PANICS};
use tokio::time::advance;

#[test]
#[cfg_attr(miri, ignore = "Miri loads no library")]
fn a_stage_works_through_a_shared_library() {
    let hedge = create("hedge", &Value::Null).unwrap();
    let document = run(&hedge, "It may, perhaps, rain. Reportedly.").unwrap();
    let hedges = document.layer("hedges").unwrap();
    let words: Vec<_> = hedges.annotations.iter().map(|a| document.slice(a.span)).collect();
    assert_eq!(words, ["perhaps", "Reportedly"]);
}

#[test]
#[cfg_attr(miri, ignore = "Miri loads no library")]
fn settings_reach_the_stage_and_wrong_ones_are_refused_in_its_words() {
    let hedge = create("hedge", &json!({ "words": ["rain"] })).unwrap();
    let document = run(&hedge, "It may, perhaps, rain.").unwrap();
    assert_eq!(document.layer("hedges").unwrap().annotations.len(), 1);

    let refusals = [
        (json!({ "words": [] }), "`words` is empty: name at least one, or leave it out"),
        (json!({ "words": 3 }), "settings of `hedge`: invalid type: integer `3`"),
        (json!({ "wrods": [] }), "settings of `hedge`: unknown field `wrods`"),
    ];
    for (settings, expected) in refusals {
        let error = create("hedge", &settings).unwrap_err().to_string();
        assert!(error.starts_with(expected), "{error}");
    }
}

#[test]
#[cfg_attr(miri, ignore = "Miri loads no library")]
fn the_manifest_says_what_the_code_says() {
    let plugin = load("hedge");
    let manifest = plugin.manifest();
    assert_eq!(manifest.name, "hedge");
    assert_eq!(manifest.version, env!("CARGO_PKG_VERSION"));
    assert_eq!(manifest.model.as_deref(), Some("wordlist-1"));
    assert_eq!(manifest.reads, [layers::TOKENS]);
    assert_eq!(manifest.writes, ["hedges"]);
    assert_eq!(manifest.settings.as_ref().unwrap()["title"], "HedgeSettings");
    let stage = plugin.create(&Value::Null, &start()).unwrap();
    assert_eq!(stage.contract(), (&["tokens".to_owned()][..], &["hedges".to_owned()][..]));
}

/// A document with one of everything, of which `chaos` reads a part.
fn everything(text: &str) -> Document<'static> {
    let mut document = testing::tokenised(text).with_metadata(Metadata {
        source: SourceRef { name: "wire".into(), path: Some("a/b.txt".into()), id: None },
        title: Some("Über uns".into()),
        author: None,
        published: Some("2022-09-21".into()),
        language: Some("de".into()),
    });
    let word = Annotation::new(Span::new(0, 5)).with_flags(sentence::TITLE).with_label(1);
    let layer = Layer {
        annotations: vec![word].into(),
        labels: vec!["low".into(), "high".into()],
        vectors: Some(Vectors { width: 3, values: vec![0.5, 1.5, 2.5].into() }),
    };
    document.set_layer("vectors", layer.clone()).unwrap();
    document.set_layer("hidden", layer).unwrap();
    document.set_attribute("colour", json!({ "red": 3 }));
    document.set_attribute("shape", json!("round"));
    document
}

#[test]
fn text_layers_and_vectors_are_read_where_the_host_keeps_them() {
    let mut document = everything("where now");
    let cancelled = AtomicBool::new(false);
    testing::wait_for(chaos().process(&mut document, &context(&cancelled))).unwrap();

    let report = document.attribute("report").unwrap();
    let vectors = document.layer("vectors").unwrap().vectors.as_ref().unwrap();
    assert_eq!(report["text_at"], json!(document.text().as_ptr() as usize));
    assert_eq!(report["tokens_at"], json!(document.tokens().as_ptr() as usize));
    assert_eq!(report["vectors_at"], json!(vectors.values.as_ptr() as usize));

    assert_eq!(report["id"], "test");
    assert_eq!(report["labels"], json!(["low", "high"]));
    assert_eq!(report["metadata"], serde_json::to_value(document.metadata()).unwrap());
    assert_eq!(report["attempt"], 2);
    assert_eq!((&report["stage"], &report["made_for"]), (&json!("here"), &json!("here")));
}

#[test]
fn a_stage_sees_what_its_contract_reads_and_no_more() {
    let mut document = everything("where now");
    testing::process(&chaos(), &mut document).unwrap();
    let report = document.attribute("report").unwrap();
    assert_eq!(report["layers"], json!(["tokens", "vectors"]));
    assert_eq!(report["colour"], json!({ "red": 3 }));
    assert_eq!(report["shape"], Value::Null);
}

#[test]
fn everything_that_can_be_written_arrives() {
    let mut document = Document::new("d", "rich text").unwrap();
    testing::process(&chaos(), &mut document).unwrap();
    assert_eq!(document.mentions().len(), 1);
    assert_eq!(document.entities()[0].aliases.as_lines(), "Richard");
    assert_eq!(document.sentiment().unwrap().document.unwrap().score, Polarity::saturating(0.5));
    let rows = document.layer("rows").unwrap();
    assert_eq!(rows.label_of(&rows.annotations[0]), Some("high"));
    assert_eq!(rows.vectors, Some(Vectors { width: 2, values: vec![1.0, 2.0].into() }));
    assert_eq!(document.language(), Some("fr"));
    assert_eq!(document.notes(), ["left the rest out"]);
}

#[test]
fn records_written_before_reach_the_stage_that_reads_them() {
    let chaos = chaos();
    let mut document = Document::new("d", "rich text").unwrap();
    testing::process(&chaos, &mut document).unwrap();
    let mut again = Document::new("d", "where now").unwrap();
    again.lend_layer(layers::ENTITIES, document.take_layer(layers::ENTITIES).unwrap());
    again.lend_entities(document.entities().to_vec());
    again.lend_sentiment(document.sentiment().cloned());
    testing::process(&chaos, &mut again).unwrap();
    let report = again.attribute("report").unwrap();
    assert_eq!(report["entities"][0]["id"], "name:rich");
    assert_eq!(report["sentiment"]["document"]["score"], 0.5);
}

#[test]
fn a_failed_stage_leaves_the_document_as_it_was() {
    let chaos = chaos();
    let cases = [
        ("error", "asked to fail", StageErrorKind::Transient),
        ("panic", "panicked: asked to panic (at ", StageErrorKind::Stage),
        ("panic-later", "panicked: asked to panic later (at ", StageErrorKind::Stage),
        (
            "undeclared",
            "it writes `secrets`, which its contract does not name: add it to `writes`",
            StageErrorKind::Stage,
        ),
        ("beyond", "layer `rows` span #0: 0..4000 leaves the text, which", StageErrorKind::Stage),
    ];
    for (text, expected, kind) in cases {
        let mut document = everything(text);
        let before = format!("{document:?}");
        let error = testing::process(&chaos, &mut document).unwrap_err();
        assert!(error.message().starts_with(expected), "{text}: {error}");
        assert_eq!(error.kind(), kind, "{text}");
        assert_eq!(format!("{document:?}"), before, "{text}");
    }
    assert!(message(&chaos, "panic").contains("chaos.rs:"));
}

#[test]
fn panics_at_start_and_end_are_contained() {
    let error = create("chaos", &json!({ "panic_at_start": true })).unwrap_err();
    assert!(error.message().starts_with("panicked: asked to panic at start"), "{error}");
    drop(create("chaos", &json!({ "panic_at_end": true })).unwrap());
    run(&chaos(), "fine").unwrap();
}

#[test]
#[cfg_attr(miri, ignore = "so many panics take Miri too long")]
fn a_stage_that_panicked_is_made_anew() {
    let chaos = chaos();
    for _ in 0..3 {
        for _ in 1..MAX_PANICS {
            assert!(message(&chaos, "panic").starts_with("panicked"));
        }
        run(&chaos, "fine").unwrap();
    }
}

#[tokio::test(start_paused = true)]
#[cfg_attr(miri, ignore = "so many panics take Miri too long")]
async fn a_stage_that_only_panics_rests_and_is_tried_again() {
    const SECOND: Duration = Duration::from_secs(1);
    let chaos = chaos();
    let panics = |text: &str| message(&chaos, text).starts_with("panicked");
    let resting = |panics: u32, rest: &str| {
        let expected =
            format!("it panicked {panics} times in a row and rests; it is tried again in {rest}");
        assert_eq!(message(&chaos, "fine"), expected);
    };
    for _ in 0..MAX_PANICS {
        assert!(panics("panic"));
    }
    resting(32, "1s");
    advance(SECOND).await;
    assert!(panics("panic"));
    resting(33, "2s");
    advance(SECOND).await;
    resting(33, "1s");
    advance(SECOND).await;
    assert!(panics("panic"));
    resting(34, "4s");
    // It does not rest for ever longer.
    for _ in 0..40 {
        advance(300 * SECOND).await;
        assert!(panics("panic"));
    }
    resting(74, "300s");
    advance(300 * SECOND).await;
    run(&chaos, "fine").unwrap();
    // And all is forgotten once it works.
    for _ in 1..MAX_PANICS {
        assert!(panics("panic"));
    }
    run(&chaos, "fine").unwrap();
}

/// Counts how often it is woken.
#[derive(Default)]
struct Bell(AtomicU32);

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

/// Polls once.
fn poll_once<T>(future: std::pin::Pin<&mut (impl Future<Output = T> + ?Sized)>) -> Poll<T> {
    let waker = Waker::from(Arc::new(Bell::default()));
    future.poll(&mut Context::from_waker(&waker))
}

/// One test, because it counts what all of the plugin's stages share.
#[test]
fn dropping_a_waiting_call_drops_the_plugin_s_future_even_if_that_panics() {
    let chaos = chaos();
    let dropped = || run(&chaos, "dropped").unwrap().attribute("report").unwrap().as_u64();
    let cancelled = AtomicBool::new(false);
    for (order, total) in [("hang", 1), ("hang-and-panic-on-drop", 2), ("hang", 3)] {
        let mut document = testing::tokenised(order);
        let context = context(&cancelled);
        let mut call = chaos.process(&mut document, &context);
        assert!(poll_once(call.as_mut()).is_pending());
        drop(call);
        assert_eq!(dropped(), Some(total), "{order}");
        assert_eq!(document.attributes().len(), 0);
    }
}

#[test]
fn a_waker_crosses_threads_and_is_freed() {
    let bell = Arc::new(Bell::default());
    let waker = Waker::from(Arc::clone(&bell));
    let chaos = chaos();
    let cancelled = AtomicBool::new(false);
    let mut document = testing::tokenised("wait here");
    {
        let context = context(&cancelled);
        let mut call = pin!(chaos.process(&mut document, &context));
        let mut task = Context::from_waker(&waker);
        let mut waits = 0;
        while call.as_mut().poll(&mut task).is_pending() {
            waits += 1;
            while bell.0.load(Ordering::SeqCst) < waits {
                thread::yield_now();
            }
        }
        assert_eq!(waits, 3);
    }
    assert_eq!(document.attribute("report"), Some(&json!("waited")));
    drop(waker);
    while Arc::strong_count(&bell) > 1 {
        thread::yield_now();
    }
}

#[test]
fn a_stage_sees_that_it_is_cancelled() {
    let chaos = chaos();
    let cancelled = AtomicBool::new(true);
    let mut document = testing::tokenised("cancelled");
    let context = context(&cancelled);
    let error = testing::wait_for(chaos.process(&mut document, &context)).unwrap_err();
    assert_eq!(error.kind(), StageErrorKind::Cancelled);
}

#[test]
fn a_batch_gives_what_single_calls_give() {
    let chaos = chaos();
    let texts = ["wait a", "error b", "rich c", "undeclared d", "fine e"];
    let mut batch: Vec<_> = texts.map(everything_small).into();
    let cancelled = AtomicBool::new(false);
    let context = context(&cancelled);
    let together = testing::wait_for(chaos.process_batch(&mut batch, &context));
    for ((text, document), result) in texts.into_iter().zip(&batch).zip(together) {
        let mut alone = everything_small(text);
        let expected = testing::wait_for(chaos.process(&mut alone, &context));
        assert_eq!(result, expected, "{text}");
        assert_eq!(format!("{document:?}"), format!("{alone:?}"), "{text}");
    }
    let mut none: [Document<'_>; 0] = [];
    assert_eq!(testing::wait_for(chaos.process_batch(&mut none, &context)), []);
}

fn everything_small(text: &str) -> Document<'static> {
    Document::new("d", text.to_owned()).unwrap()
}

#[test]
fn a_panic_in_a_batch_fails_the_batch() {
    let mut batch: Vec<_> = ["rich a", "panic b"].map(everything_small).into();
    let cancelled = AtomicBool::new(false);
    let context = context(&cancelled);
    let results = testing::wait_for(chaos().process_batch(&mut batch, &context));
    for (result, document) in results.iter().zip(&batch) {
        assert!(result.as_ref().unwrap_err().message().starts_with("panicked"), "{result:?}");
        assert_eq!(document.entities(), []);
    }
}

#[test]
fn eight_threads_share_one_stage() {
    let chaos: HostedStage = chaos();
    let rounds = if cfg!(miri) { 4 } else { 100 };
    thread::scope(|scope| {
        for worker in 0..8 {
            let chaos = &chaos;
            scope.spawn(move || {
                for round in 0..rounds {
                    let text = ["wait a", "where b", "error c", "panic d"][(worker + round) % 4];
                    let result = run(chaos, text);
                    match text {
                        "wait a" | "where b" => {
                            assert!(result.unwrap().attribute("report").is_some());
                        }
                        _ => assert!(result.is_err()),
                    }
                }
            });
        }
    });
}

#[test]
#[cfg_attr(miri, ignore = "Miri loads no library")]
fn a_plugin_runs_from_its_private_copy() {
    let folder = tempfile::tempdir().unwrap();
    let cache = folder.path().join("cache/plugins");
    let policy = LoadPolicy { cache_dir: Some(cache.clone()), ..LoadPolicy::default() };
    for _ in 0..2 {
        let plugin = LoadedPlugin::load(common::example("hedge"), &policy).unwrap();
        assert_eq!(plugin.path(), common::example("hedge"));
        run(&plugin.create(&Value::Null, &start()).unwrap(), "perhaps").unwrap();
    }
    let copies: Vec<_> = cache.read_dir().unwrap().map(|entry| entry.unwrap()).collect();
    assert_eq!(copies.len(), 1);
    let maps = std::fs::read_to_string("/proc/self/maps").unwrap_or_default();
    assert!(maps.is_empty() || maps.contains(copies[0].path().to_str().unwrap()));
}

#[test]
#[cfg_attr(miri, ignore = "Miri loads no library")]
fn a_damaged_copy_is_made_again_and_old_ones_are_removed() {
    let folder = tempfile::tempdir().unwrap();
    let cache = folder.path().join("cache");
    let policy = LoadPolicy { cache_dir: Some(cache.clone()), ..LoadPolicy::default() };
    let load = || LoadedPlugin::load(common::example("hedge"), &policy).unwrap();
    let copy = cache.join(format!("{}.so", load().sha256().unwrap()));
    let whole = std::fs::read(&copy).unwrap();
    // One bit, and as long as before; put in its place, because the old one is mapped.
    let mut damaged = whole.clone();
    damaged[whole.len() / 2] ^= 1;
    let draft = folder.path().join("damaged");
    std::fs::write(&draft, &damaged).unwrap();
    std::fs::rename(&draft, &copy).unwrap();
    // Forty that nobody has loaded for a while, and what a crash left.
    let long_ago = std::time::SystemTime::UNIX_EPOCH;
    for name in (0..40).map(|index| format!("{index}.so")).chain(["0.1.tmp".to_owned()]) {
        std::fs::File::create(cache.join(name)).unwrap().set_modified(long_ago).unwrap();
    }
    std::fs::write(cache.join("other.compiled"), "not a library").unwrap();
    load();
    assert!(std::fs::read(&copy).unwrap() == whole);
    let kept = cache.read_dir().unwrap().count();
    assert_eq!((kept, cache.join("other.compiled").exists()), (32 + 1, true));
}

#[test]
#[cfg_attr(miri, ignore = "Miri loads no library")]
fn a_plugin_refuses_a_host_that_offers_too_little() {
    use standpoint_abi::layout::{ERROR, HostTable, PluginTable, SYMBOL};

    // SAFETY: a plugin of ours, whose table is a constant.
    let (library, table) = unsafe {
        let library = libloading::Library::new(common::example("hedge")).unwrap();
        let table = library.get::<*const PluginTable>(SYMBOL.as_bytes()).unwrap().read();
        (library, table)
    };
    // A table of 16 bytes: `size`, `abi_major`, `abi_minor`, `max_level`, and no function.
    let short = [16_u64 | 1 << 32, 0];
    let (null, mut instance) = (std::ptr::null_mut(), std::ptr::null_mut());
    let host: *const HostTable = short.as_ptr().cast();
    // SAFETY: by the ABI the plugin reads `size` first, and nothing that it does not cover.
    let status = unsafe { table.create.unwrap()(host, null, std::ptr::null(), &raw mut instance) };
    assert_eq!((status, instance.is_null()), (ERROR, true));
    std::mem::forget(library);
}
