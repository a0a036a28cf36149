//! The plugin's side: what `export_stage!` expands to.

mod entry;
mod guard;
mod host;
mod log;
mod view;

use standpoint_stage::StageDefinition;

use crate::layout::{ABI_MAJOR, ABI_MINOR, PluginTable, READS_TABLES, Str};

/// The table of a plugin whose stage is `S`.
#[must_use]
pub const fn table<S: StageDefinition>(manifest: &'static str) -> PluginTable {
    PluginTable {
        size: size_of::<PluginTable>() as u32,
        abi_major: ABI_MAJOR,
        abi_minor: ABI_MINOR,
        host_minor_required: 0,
        flags: READS_TABLES,
        reserved: 0,
        manifest: Str::new(manifest),
        create: Some(entry::create::<S>),
        destroy: Some(entry::destroy::<S>),
        process: Some(entry::process::<S>),
        process_batch: Some(entry::process_batch::<S>),
        poll: Some(entry::poll),
        drop_future: Some(entry::drop_future),
    }
}
