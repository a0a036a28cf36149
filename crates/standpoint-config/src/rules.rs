//! What a schema cannot say: the version, names, and what must not occur twice.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::path::Path;

use crate::diagnostic::{Diagnostic, Fault, Origin, Place, quoted};
use crate::pipeline::PluginReference;
use crate::settings::FORMAT_VERSION;
use crate::tree::{Kind, Meaning, Node, join};

/// Reports what `tree` breaks of the rules below.
pub(crate) fn check(tree: &Node, origin: &Origin, findings: &mut Vec<Diagnostic>) {
    let mut report = |place: &Place, key_path: &str, fault: Fault| {
        findings.push(origin.diagnostic(place, key_path, fault));
    };
    check_version(tree, &mut report);
    check_names(tree, &mut report);
    check_stage_ids(tree, origin, &mut report);
    check_plugin_pins(tree, &mut report);
    check_strictness(tree, &mut report);
    check_server(tree, &mut report);
    check_cluster(tree, &mut report);
}

fn check_version(tree: &Node, report: &mut impl FnMut(&Place, &str, Fault)) {
    let Some(version) = tree.get("version") else { return };
    if let Some(Meaning::Integer(found)) = version.scalar().map(|scalar| scalar.meaning())
        && found != i128::from(FORMAT_VERSION)
    {
        let fault = Fault::new(format!("version {found} of the format is not known"));
        report(&version.place, "version", fault.help("this build reads `version: 1`"));
    }
}

/// Names become parts of file names, metrics and log fields, so they are kept plain.
fn check_names(tree: &Node, report: &mut impl FnMut(&Place, &str, Fault)) {
    for section in ["sources", "sinks"] {
        for entry in tree.get(section).map_or(&[][..], Node::entries) {
            if let Some(fault) = name_fault(&entry.key, "") {
                report(&entry.place, &join(section, &entry.key), fault);
            }
        }
    }
    let stages = tree.get("stages").map_or(&[][..], Node::items).iter().enumerate();
    let ids =
        stages.filter_map(|(index, stage)| Some((format!("stages[{index}].id"), stage.get("id")?)));
    for (key_path, node) in ids {
        check_name(node, &key_path, "", report);
    }
    if let Some(name) = tree.get("name") {
        check_name(name, "name", ".", report);
    }
}

fn check_name(
    node: &Node,
    key_path: &str,
    also: &str,
    report: &mut impl FnMut(&Place, &str, Fault),
) {
    // What is not text at all was reported before.
    let Some(scalar) = node.scalar().filter(|scalar| !scalar.broken) else { return };
    if scalar.meaning() == Meaning::Nothing {
        return;
    }
    if let Some(fault) = name_fault(&scalar.text, also) {
        report(&node.place, key_path, fault);
    }
}

/// Longest name, in characters.
const LONGEST_NAME: usize = 64;

fn name_fault(name: &str, also: &str) -> Option<Fault> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_' || also.contains(c);
    let well_formed = name.starts_with(|c: char| c.is_ascii_alphanumeric())
        && name.chars().all(is_plain)
        && name.len() <= LONGEST_NAME;
    if well_formed {
        return None;
    }
    let marks = if also.is_empty() { "`-` and `_`" } else { "`-`, `_` and `.`" };
    Some(Fault::new(format!("{} cannot be a name", quoted(name))).help(format!(
        "names start with a letter or a digit and go on with letters, digits, {marks}; \
         at most {LONGEST_NAME} characters, plain ASCII"
    )))
}

fn check_stage_ids(tree: &Node, origin: &Origin, report: &mut impl FnMut(&Place, &str, Fault)) {
    let mut first_of: HashMap<String, Place> = HashMap::new();
    for (index, stage) in tree.get("stages").map_or(&[][..], Node::items).iter().enumerate() {
        let said = stage.get("id").and_then(|id| Some((id, id.scalar()?)));
        let used = stage
            .get("use")
            .and_then(|used| Some((used, PluginReference::read(used, origin)?.default_id())));
        let (node, id) = match (said, used) {
            (Some((node, scalar)), _) if scalar.meaning() != Meaning::Nothing => {
                (node, scalar.text.clone())
            }
            (_, Some((node, id))) => (node, id),
            _ => continue,
        };
        if let Some(first) = first_of.get(&id) {
            let mut fault = Fault::new(format!("two stages are called {}", quoted(&id)));
            fault = match first {
                Place::File { line, .. } => fault
                    .help(format!("the first is on line {line}; give one of them another `id`")),
                _ => fault.help("give one of them another `id`"),
            };
            report(&node.place, &format!("stages[{index}].id"), fault);
        } else {
            first_of.insert(id, node.place.clone());
        }
    }
}

fn check_plugin_pins(tree: &Node, report: &mut impl FnMut(&Place, &str, Fault)) {
    for (index, stage) in tree.get("stages").map_or(&[][..], Node::items).iter().enumerate() {
        let Some(node) = stage.get("sha256") else { continue };
        let Some(scalar) = node.scalar() else { continue };
        if scalar.text.len() != 64 || !scalar.text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            let fault = Fault::new("a SHA-256 digest has 64 hexadecimal digits");
            report(&node.place, &format!("stages[{index}].sha256"), fault);
        }
    }
}

/// `plugins.strict` loads nothing that the file does not pin.
fn check_strictness(tree: &Node, report: &mut impl FnMut(&Place, &str, Fault)) {
    let strict = tree.get("plugins").and_then(|plugins| plugins.get("strict"));
    let is_strict = strict
        .and_then(Node::scalar)
        .is_some_and(|scalar| scalar.meaning() == Meaning::Boolean(true));
    if !is_strict {
        return;
    }
    for (index, stage) in tree.get("stages").map_or(&[][..], Node::items).iter().enumerate() {
        let Some(used) = stage.get("use").filter(|_| stage.get("sha256").is_none()) else {
            continue;
        };
        let fault = Fault::new("`plugins.strict` asks for the `sha256` of each plugin")
            .help("`sha256sum` prints the digest of the plugin's library");
        report(&used.place, &format!("stages[{index}].sha256"), fault);
    }
}

/// Whoever can reach the server can stop the pipeline, so that other machines must show a token.
fn check_server(tree: &Node, report: &mut impl FnMut(&Place, &str, Fault)) {
    let Some(server) = tree.get("server") else { return };
    let Some(listen) = server.get("listen") else { return };
    let Some(scalar) = listen.scalar().filter(|scalar| !scalar.broken) else { return };
    let fault = match scalar.text.parse::<SocketAddr>() {
        Err(_) => Fault::new(format!("{} is not an address with a port", quoted(&scalar.text)))
            .help("write it like `127.0.0.1:8686`"),
        Ok(address) if !address.ip().is_loopback() && server.get("token_file").is_none() => {
            Fault::new("an address that other machines can reach needs a `token_file`")
                .help("listen on `127.0.0.1`, or keep a token in a file that only you can read")
        }
        Ok(_) => return,
    };
    report(&listen.place, "server.listen", fault);
}

/// A worker takes its documents from one place.
fn check_cluster(tree: &Node, report: &mut impl FnMut(&Place, &str, Fault)) {
    let Some(entry) = tree.entry("cluster") else { return };
    let Kind::Map(kinds) = &entry.value.kind else { return };
    if kinds.len() != 1 {
        let fault = Fault::new(format!("`cluster` needs exactly one entry, has {}", kinds.len()))
            .help("such as `nats: { url: nats://127.0.0.1:4222 }`");
        report(&entry.place, "cluster", fault);
    }
}

/// A pipeline that does not name itself is called as its file is, as far as names allow.
pub(crate) fn name_of_file(file: &str) -> String {
    let stem = Path::new(file).file_stem().unwrap_or_default().to_string_lossy();
    let plain = |c: char| if c.is_ascii_alphanumeric() || "-_.".contains(c) { c } else { '-' };
    let name: String = stem.chars().map(plain).take(LONGEST_NAME).collect();
    let name = name.trim_start_matches(|c: char| !c.is_ascii_alphanumeric());
    if name.is_empty() { "pipeline".to_owned() } else { name.to_owned() }
}
