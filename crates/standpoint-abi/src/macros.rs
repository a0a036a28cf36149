//! The line that exports a stage, and the documentation whose code must compile.

/// Exports a stage from a shared library: the one line that turns a crate into a plugin.
///
/// ```ignore
/// export_stage!(Hedge);                                     // a stage with `NoSettings`
/// export_stage!(Hedge, settings: "settings.schema.json");   // a stage with settings of its own
/// ```
///
/// The file with the settings' JSON Schema is relative to the crate's `Cargo.toml`; the test
/// helper [`check_settings_schema`](standpoint_stage::testing::check_settings_schema) writes it
/// and keeps it current. The crate is built with `crate-type = ["cdylib"]`, or
/// `["cdylib", "rlib"]` when it has tests of its own outside its sources. A crate exports one
/// stage, and since the exported symbol has one name, no program can link two plugins' rlibs.
///
/// A panic is caught at the boundary, which `panic = "abort"` makes impossible; the macro refuses
/// to compile with it. Built for `wasm32-unknown-unknown` the crate is a module for the sandbox,
/// where a panic ends the instance.
#[macro_export]
macro_rules! export_stage {
    ($stage:ty) => {
        const _: () = $crate::export::assert_no_settings::<$stage>();
        $crate::export_stage!(@ $stage, $crate::export::NO_SETTINGS_SCHEMA);
    };
    ($stage:ty, settings: $schema:literal $(,)?) => {
        $crate::export_stage!(
            @ $stage, ::core::include_str!(::core::concat!(::core::env!("CARGO_MANIFEST_DIR"), "/", $schema))
        );
    };
    (@ $stage:ty, $schema:expr) => {
        #[cfg(all(panic = "abort", not(target_family = "wasm")))]
        ::core::compile_error!(
            "a plugin catches its panics, which `panic = \"abort\"` prevents: remove it from the profile"
        );

        #[allow(unsafe_code, reason = "exporting a symbol and placing a section are unsafe")]
        const _: () = {
            const PARTS: $crate::export::Parts = $crate::export::Parts {
                name: <$stage as $crate::stage::StageDefinition>::NAME,
                version: ::core::env!("CARGO_PKG_VERSION"),
                description: ::core::env!("CARGO_PKG_DESCRIPTION"),
                model: <$stage as $crate::stage::StageDefinition>::MODEL,
                contract: <$stage as $crate::stage::StageDefinition>::CONTRACT,
                panic: if ::core::cfg!(panic = "unwind") { "unwind" } else { "abort" },
                settings: $schema,
            };

            // SAFETY: the section is ours by its name and holds constant data only.
            #[cfg(not(target_family = "wasm"))]
            #[used]
            #[cfg_attr(not(target_vendor = "apple"), unsafe(link_section = ".standpoint"))]
            #[cfg_attr(target_vendor = "apple", unsafe(link_section = "__DATA,__standpoint"))]
            static SECTION: $crate::export::Section<{ $crate::export::measure(&PARTS) }> =
                $crate::export::Section::new(&PARTS);

            // SAFETY: no other symbol has this name; it is the ABI's own.
            #[cfg(not(target_family = "wasm"))]
            #[unsafe(export_name = "standpoint_plugin_v1")]
            static TABLE: $crate::layout::PluginTable =
                $crate::export::table::<$stage>(SECTION.json());

            // SAFETY: as above; of a module, such a section is not loaded, and holds the manifest
            // by itself.
            #[cfg(target_family = "wasm")]
            #[used]
            #[unsafe(link_section = "standpoint")]
            static MANIFEST: [u8; $crate::export::measure(&PARTS)] =
                $crate::export::Section::new(&PARTS).into_json();

            // SAFETY: the names are the sandbox's own, and nothing else has them.
            #[cfg(target_family = "wasm")]
            #[unsafe(export_name = "sp_alloc")]
            extern "C" fn alloc(length: u32) -> u32 {
                $crate::export::alloc(length)
            }

            #[cfg(target_family = "wasm")]
            #[unsafe(export_name = "sp_start")]
            extern "C" fn start(at: u32, length: u32) -> u64 {
                $crate::export::start::<$stage>(at, length)
            }

            #[cfg(target_family = "wasm")]
            #[unsafe(export_name = "sp_process")]
            extern "C" fn process(at: u32, length: u32) -> u64 {
                $crate::export::process(at, length)
            }
        };
    };
}

/// The stage that the README shows must compile.
#[cfg(doctest)]
#[doc = include_str!("../../../README.md")]
struct Readme;

/// And what the book about stages shows; `tests/program/book.rs` runs its other blocks.
#[cfg(doctest)]
mod book {
    #[doc = include_str!("../../../docs/book/src/02-documents.md")]
    struct Documents;
    #[doc = include_str!("../../../docs/book/src/03-settings.md")]
    struct Settings;
    #[doc = include_str!("../../../docs/book/src/04-errors.md")]
    struct Errors;
    #[doc = include_str!("../../../docs/book/src/05-waiting.md")]
    struct Waiting;
    #[doc = include_str!("../../../docs/book/src/06-batches.md")]
    struct Batches;
    #[doc = include_str!("../../../docs/book/src/08-tests.md")]
    struct Tests;
}
