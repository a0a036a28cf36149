//! Modules in the sandbox, where the program was built with one.

use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::Arc;

use anyhow::Result;
use serde_json::Value;
use standpoint_abi::LoadPolicy;
use standpoint_config::PluginLimits;
use standpoint_stage::{Stage, StartContext};

/// What runs them.
pub(super) const ENGINE: &str = "wasmtime, core modules";

/// Whether this program runs modules.
///
/// # Errors
///
/// What to do, where it does not.
pub(super) fn check() -> Result<(), String> {
    if cfg!(feature = "wasm") {
        return Ok(());
    }
    Err("this build runs no WebAssembly: build it with `--features wasm`, or run the stage as \
         `process`"
        .to_owned())
}

/// Makes a stage of a module, and says how many calls it takes at once.
///
/// # Errors
///
/// Why it cannot be run, or what it says of its settings.
#[cfg(feature = "wasm")]
pub(super) fn start(
    path: &Path,
    limits: &PluginLimits,
    policy: &LoadPolicy,
    settings: &Value,
    context: &StartContext,
) -> Result<(Arc<dyn Stage>, Option<NonZeroUsize>)> {
    let usual = standpoint_wasm::WasmLimits::default();
    let limits = standpoint_wasm::WasmLimits {
        memory: limits.memory.unwrap_or(usual.memory),
        deadline: limits.deadline.unwrap_or(usual.deadline),
        instances: limits.instances.unwrap_or(usual.instances),
    };
    let policy = standpoint_wasm::LoadPolicy {
        sha256: policy.sha256.clone(),
        cache_dir: policy.cache_dir.clone(),
    };
    let stage = standpoint_wasm::WasmStage::load(path, &policy, limits, settings, context)?;
    let most = stage.instances();
    Ok((Arc::new(stage), Some(most)))
}

#[cfg(not(feature = "wasm"))]
pub(super) fn start(
    _: &Path,
    _: &PluginLimits,
    _: &LoadPolicy,
    _: &Value,
    _: &StartContext,
) -> Result<(Arc<dyn Stage>, Option<NonZeroUsize>)> {
    Err(anyhow::Error::msg(check().err().unwrap_or_default()))
}
