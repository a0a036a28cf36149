//! What a plugin logs comes out of the host. By itself, because a level is the whole program's.

#![allow(clippy::unwrap_used, reason = "a test stops where it fails")]

mod common;

use std::io::{self, Write};
use std::sync::{Arc, Mutex};

use common::{chaos, run};
use tracing::level_filters::LevelFilter;

#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn logged(level: LevelFilter, text: &str) -> String {
    let lines = Lines::default();
    let writer = lines.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(level)
        .with_writer(move || writer.clone())
        .without_time()
        .with_ansi(false)
        .finish();
    tracing::subscriber::with_default(subscriber, || {
        let stage = chaos();
        let _inside = tracing::info_span!("stage", id = "here").entered();
        run(&stage, text).unwrap();
    });
    let bytes = lines.0.lock().unwrap().clone();
    String::from_utf8(bytes).unwrap()
}

#[test]
fn events_of_a_plugin_reach_the_host_with_level_target_and_fields() {
    let line = logged(LevelFilter::INFO, "log");
    insta::assert_snapshot!(line.trim(), @r#"INFO stage{id="here"}: plugin::chaos: counted origin="chaos" fields={"odd":true,"who":"chaos","words":3}"#);
    assert!(logged(LevelFilter::TRACE, "log").contains("TRACE"));
    assert_eq!(logged(LevelFilter::WARN, "log"), "");
}
