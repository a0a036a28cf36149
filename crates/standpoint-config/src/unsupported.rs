//! What a pipeline file may say in time, but this build cannot do yet.
//!
//! A key that is accepted and does nothing would be a lie, so each is refused with its place.
//! Whoever builds one of these removes its row.

use crate::diagnostic::{Diagnostic, Fault, Origin, quoted};
use crate::tree::Node;

/// Keys at the top of a file, each with what to do about it.
const UNSUPPORTED: &[(&str, &str)] = &[("cluster", "remove it")];

/// Reports every key of `tree` that this build cannot do.
pub(crate) fn check(tree: &Node, origin: &Origin, findings: &mut Vec<Diagnostic>) {
    for (key, instead) in UNSUPPORTED {
        let Some(entry) = tree.entry(key) else { continue };
        let fault = Fault::new(format!("{} is not supported by this build", quoted(key)));
        findings.push(origin.diagnostic(&entry.place, key, fault.help(*instead)));
    }
}
