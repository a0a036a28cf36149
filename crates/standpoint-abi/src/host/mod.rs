//! The host's side: finding, inspecting and loading plugins, and running their stages.

mod call;
mod discovery;
mod error;
mod inspect;
mod lend;
mod libc;
mod load;
mod log;
mod manifest;
mod policy;
mod room;
mod run;
mod seat;
mod stage;
mod table;

pub use discovery::{Listed, PluginFolders};
pub use error::LoadError;
pub use inspect::inspect;
pub use load::LoadedPlugin;
pub use manifest::{AbiVersion, HOST_TARGET, Manifest, PanicStrategy};
pub use policy::LoadPolicy;
pub use seat::MAX_PANICS;
pub use stage::HostedStage;
