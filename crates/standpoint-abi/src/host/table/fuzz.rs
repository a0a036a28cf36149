//! Whatever a plugin passes to the host's functions, the host takes only what fits.
//!
//! Each case is a row of calls as a hostile or broken plugin would make them: null, misaligned and
//! endless arrays, texts that are not UTF-8, names of no contract, calls after a refusal. Pointers
//! of the right shape that point nowhere are left out, because nobody can survive those. The long
//! form:
//!
//! ```text
//! PROPTEST_CASES=100000 cargo test --release -p standpoint-abi --lib fuzz
//! ```

use proptest::prelude::*;
use standpoint_document::{Document, Span, layers};
use standpoint_wire::Writes;

use super::*;

/// The names that the stage of these tests may write.
const WRITES: &[&str] = &["tokens", "marks", "entities", "sentiment", "stance", "language", "note"];

/// Bytes that a plugin passes as a text, or a pointer that holds none.
#[derive(Debug, Clone)]
enum Bytes {
    Null(usize),
    Endless,
    Held(Vec<u8>),
}

impl Bytes {
    /// As the plugin lends them.
    fn lend(&self) -> Str {
        match self {
            Self::Null(len) => Str { ptr: std::ptr::null(), len: *len },
            // More than any memory holds, which must be seen before it is read.
            Self::Endless => Str { ptr: [b'x'].as_ptr(), len: usize::MAX },
            Self::Held(bytes) => Str { ptr: bytes.as_ptr(), len: bytes.len() },
        }
    }
}

/// What a plugin does.
#[derive(Debug, Clone)]
enum Act {
    Layer {
        name: Bytes,
        spans: Vec<(u32, u32, u32, u32)>,
        shape: Shape,
        labels: Vec<Bytes>,
        width: u32,
    },
    NoLayer,
    Record(Bytes, Bytes),
    Attribute(Bytes, Bytes),
    Language(Bytes),
    Note(Bytes),
    Error(u32, Bytes),
    Log(u32, Bytes, Bytes),
    OfNoCall,
}

/// How an array of spans is lent.
#[derive(Debug, Clone, Copy)]
enum Shape {
    Whole,
    Null,
    Misaligned,
    Endless,
}

fn bytes() -> impl Strategy<Value = Bytes> {
    let names = prop::sample::select(WRITES).prop_map(|name| Bytes::Held(name.into()));
    let json = prop::sample::select(vec![
        "[]",
        "null",
        "{}",
        "{\"a\":[1,2]}",
        "[{\"id\":\"KAZ\",\"name\":\"K\",\"kind\":\"country\",\"country\":null,\
         \"speaks_for_country\":true,\"aliases\":[]}]",
        "{\"document\":null,\"sentences\":[],\"mentions\":[]}",
        "[[[[[[[[[[[[[[[[",
    ]);
    prop_oneof![
        4 => names,
        4 => json.prop_map(|json| Bytes::Held(json.into())),
        3 => prop::collection::vec(any::<u8>(), 0..12).prop_map(Bytes::Held),
        1 => any::<usize>().prop_map(Bytes::Null),
        1 => Just(Bytes::Endless),
    ]
}

fn act() -> impl Strategy<Value = Act> {
    let spans = prop::collection::vec((0_u32..20, 0_u32..20, 0_u32..3, 0_u32..4), 0..5);
    let shape = prop_oneof![
        6 => Just(Shape::Whole),
        1 => Just(Shape::Null),
        1 => Just(Shape::Misaligned),
        1 => Just(Shape::Endless),
    ];
    let labels = prop::collection::vec(bytes(), 0..3);
    let width = prop_oneof![4 => Just(0_u32), 1 => 1_u32..3, 1 => Just(u32::MAX)];
    prop_oneof![
        4 => (bytes(), spans, shape, labels, width).prop_map(|(name, spans, shape, labels, width)| {
            Act::Layer { name, spans, shape, labels, width }
        }),
        1 => Just(Act::NoLayer),
        3 => (bytes(), bytes()).prop_map(|(name, json)| Act::Record(name, json)),
        2 => (bytes(), bytes()).prop_map(|(name, json)| Act::Attribute(name, json)),
        1 => bytes().prop_map(Act::Language),
        1 => bytes().prop_map(Act::Note),
        1 => (any::<u32>(), bytes()).prop_map(|(kind, message)| Act::Error(kind, message)),
        1 => (any::<u32>(), bytes(), bytes()).prop_map(|(level, a, b)| Act::Log(level, a, b)),
        1 => Just(Act::OfNoCall),
    ]
}

impl Act {
    fn perform(&self, host: &PluginHost, call: *mut RawCall) -> i32 {
        let lent = host.table();
        let host = &host.table.base;
        // SAFETY: what is lent stays for the call, or is refused by its shape before it is read.
        unsafe {
            match self {
                Self::Layer { name, spans, shape, labels, width } => {
                    Self::layer(host, call, name, spans, *shape, labels, *width)
                }
                Self::NoLayer => (host.set_layer)(call, std::ptr::null()),
                Self::Record(name, json) => (host.set_record)(call, name.lend(), json.lend()),
                Self::Attribute(name, json) => (host.set_attribute)(call, name.lend(), json.lend()),
                Self::Language(code) => (host.set_language)(call, code.lend()),
                Self::Note(note) => (host.add_note)(call, note.lend()),
                Self::Error(kind, message) => {
                    (host.set_error)(call, *kind, message.lend());
                    OK
                }
                Self::Log(level, target, message) => {
                    (host.log)(lent, *level, target.lend(), message.lend(), message.lend());
                    (host.log)(std::ptr::null(), *level, Str::ABSENT, Str::ABSENT, Str::ABSENT);
                    OK
                }
                Self::OfNoCall => {
                    (host.set_layer)(std::ptr::null_mut(), std::ptr::null());
                    (host.add_note)(std::ptr::null_mut(), Str::ABSENT);
                    OK
                }
            }
        }
    }

    /// # Safety
    ///
    /// The call is one of the host's.
    unsafe fn layer(
        host: &HostTable,
        call: *mut RawCall,
        name: &Bytes,
        spans: &[(u32, u32, u32, u32)],
        shape: Shape,
        labels: &[Bytes],
        vector_width: u32,
    ) -> i32 {
        let annotations: Vec<Annotation> = spans
            .iter()
            .map(|&(start, end, label, link)| {
                Annotation::new(Span::new(start, end)).with_label(label).with_link(link)
            })
            .collect();
        let labels: Vec<Str> = labels.iter().map(Bytes::lend).collect();
        // As many as two numbers for each span; a wider row must be refused by its size.
        let vectors = vec![0.5_f32; annotations.len() * 2];
        let is_wide = vector_width > 2;
        let (at, count) = match shape {
            Shape::Whole => (annotations.as_ptr(), annotations.len()),
            Shape::Null => (std::ptr::null(), annotations.len() + 1),
            Shape::Misaligned => (annotations.as_ptr().wrapping_byte_add(1), annotations.len()),
            Shape::Endless => (annotations.as_ptr(), usize::MAX / 2),
        };
        let raw = RawLayer {
            name: name.lend(),
            annotations: at,
            annotation_count: count,
            labels: labels.as_ptr(),
            label_count: labels.len(),
            // A null pointer to numbers that should be there.
            vectors: if is_wide { std::ptr::null() } else { vectors.as_ptr() },
            vector_width,
            reserved: 0,
        };
        // SAFETY: the arrays stay for this call, or are refused by their shape.
        unsafe { (host.set_layer)(call, &raw const raw) }
    }
}

proptest! {
    #[test]
    fn fuzz_the_host_takes_only_what_fits(
        text in "[a-zй世 ]{0,12}",
        acts in prop::collection::vec(act(), 0..8),
    ) {
        let host = PluginHost::of("fuzz");
        let mut document = Document::new("d", text.clone()).unwrap();
        let mut writes = Writes::default();
        let (mut refused, mut failed) = (false, false);
        let outcome = {
            let mut call = Call::new(&text, WRITES, &mut writes);
            let lent = call.lend();
            for act in &acts {
                let status = act.perform(host, lent);
                prop_assert!(status == OK || status == ERROR);
                refused |= status == ERROR;
                failed |= matches!(act, Act::Error(..));
            }
            call.finish()
        };
        // A write that was refused fails the call, whatever the plugin says afterwards.
        prop_assert_eq!(outcome.is_err(), refused, "{:?} {}", outcome, failed);
        let before = format!("{document:?}");
        let committed = outcome.and_then(|()| writes.commit(&mut document));
        if committed.is_err() {
            prop_assert_eq!(format!("{document:?}"), before);
        }
        for (name, layer) in document.layers() {
            prop_assert!(WRITES.contains(&name));
            layer.check(name, &text).unwrap();
        }
        let table = document.entities().len();
        let mut links = document.mentions().iter().map(|mention| mention.link as usize);
        let are_known = document.layer(layers::ENTITIES).is_none() || links.all(|link| link < table);
        prop_assert!(are_known);
        prop_assert!(document.attributes().keys().all(|name| WRITES.contains(&name.as_str())));
    }

    /// Wakers are counted like any: each clone is given up once, whoever wakes.
    #[test]
    fn fuzz_wakers_are_given_up_once(acts in prop::collection::vec(0_u8..3, 0..20)) {
        struct Woken(AtomicU32);
        impl std::task::Wake for Woken {
            fn wake(self: std::sync::Arc<Self>) {
                self.0.fetch_add(1, Ordering::Relaxed);
            }
        }
        let host = PluginHost::of("fuzz");
        let woken = std::sync::Arc::new(Woken(AtomicU32::new(0)));
        let waker = Waker::from(std::sync::Arc::clone(&woken));
        let (lent, mut owned, mut wakes) = (lend_waker(&waker), Vec::new(), 0);
        // SAFETY: wakers that the host lent or made, each given up once.
        unsafe {
            for act in acts {
                match act {
                    0 => owned.push((host.table.base.waker_clone)(*owned.last().unwrap_or(&lent))),
                    1 => {
                        (host.table.base.waker_wake)(*owned.last().unwrap_or(&lent));
                        wakes += 1;
                    }
                    _ => owned.pop().into_iter().for_each(|waker| (host.table.base.waker_drop)(waker)),
                }
            }
            for waker in owned {
                (host.table.base.waker_drop)(waker);
            }
        }
        drop(waker);
        prop_assert_eq!(woken.0.load(Ordering::Relaxed), wakes);
        prop_assert_eq!(std::sync::Arc::strong_count(&woken), 1);
    }
}
