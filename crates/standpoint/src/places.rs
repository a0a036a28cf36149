//! Files and folders of a pipeline that must not be each other's, and inboxes that are not there.

use std::fs;
use std::path::{Component, Path, PathBuf};

use standpoint_config::{Diagnostic, PipelineFile, Severity, SinkSettings};
use standpoint_connectors::inbox::OnSuccess;

use crate::kinds::sink_schemas;
use crate::pipeline_file::inboxes_of;

/// Sinks that write to one file, and inboxes that would take what was moved out of them, or what
/// the daemon writes.
pub(crate) fn mistakes(file: &PipelineFile) -> Vec<Diagnostic> {
    let mut mistakes = outputs(file);
    mistakes.extend(own_folders(file));
    mistakes.extend(put_away(file));
    for (name, settings) in inboxes_of(file) {
        let inbox = place(&settings.path);
        let below = |path: &Path| Some(place(path).strip_prefix(&inbox).ok()?.to_owned());
        let takes_from = |folder: &Path| below(folder).is_some_and(|it| settings.takes_from(&it));
        let takes = |path: &Path| below(path).is_some_and(|it| settings.takes(&it));
        let problem = |what: &str, path: &Path, harm: &str| {
            let path = path.display();
            format!("the {what} {path} lies in the inbox of `{name}`, which would {harm}")
        };
        let help = |what: &str| {
            Some(format!(
                "put the {what} beside the inbox, or into a folder whose name begins with a dot"
            ))
        };
        let (again, read) = ("take its files again", "read what is written there as documents");
        let source = file.sources.iter().find(|source| source.name == name);
        if let (OnSuccess::Archive(archive), Some(source)) = (&settings.on_success, source)
            && takes_from(archive)
        {
            let problem = problem("archive", archive, again);
            let key = "on_success.archive";
            mistakes.push(source.settings.diagnostic(key, problem, help("archive")));
        }
        let quarantine = &file.quarantine.path;
        if takes_from(quarantine) {
            let problem = problem("quarantine", quarantine, again);
            mistakes.push(file.diagnostic("quarantine.path", problem, help("quarantine")));
        }
        if takes_from(&file.data_dir) {
            let problem = problem("data folder", &file.data_dir, read);
            mistakes.push(file.diagnostic("data_dir", problem, help("data folder")));
        }
        for sink in &file.sinks {
            let Some((key, path, is_folder)) = output_of(sink) else { continue };
            let is_taken = if is_folder { takes_from(&path) } else { takes(&path) };
            if is_taken {
                let problem = problem("output", &path, read);
                mistakes.push(sink.settings.diagnostic(key, problem, help("output")));
            }
        }
    }
    mistakes
}

/// Where a sink writes to on this machine, which key says so, and whether that is a folder.
fn output_of(sink: &SinkSettings) -> Option<(&'static str, PathBuf, bool)> {
    // A mistake in another key hides nothing of the path.
    let settings = sink.settings.so_far(sink_schemas().get(sink.kind.as_str())?);
    let text = |key: &str| settings.get(key).and_then(|value| value.as_str());
    match sink.kind.as_str() {
        "jsonl" | "sqlite" => Some(("path", text("path")?.into(), false)),
        "objects" => Some(("url", text("url")?.strip_prefix("file://")?.into(), true)),
        _ => None,
    }
}

fn outputs(file: &PipelineFile) -> Vec<Diagnostic> {
    let mut mistakes = Vec::new();
    let mut known: Vec<(PathBuf, &str)> = Vec::new();
    for sink in &file.sinks {
        let Some((key, path, false)) = output_of(sink) else { continue };
        // Whoever writes to a device or a pipe spoils nothing.
        if fs::metadata(&path).is_ok_and(|found| !found.is_file()) {
            continue;
        }
        let place = place(&path);
        if let Some((_, other)) = known.iter().find(|(taken, _)| *taken == place) {
            let problem = format!("`{}` would write to the file of sink `{other}`", sink.name);
            let help = "give it a file of its own, or name one sink in all routes that lead there";
            mistakes.push(sink.settings.diagnostic(key, problem, Some(help.to_owned())));
        }
        known.push((place, &sink.name));
    }
    mistakes
}

/// Sinks that would write to what is a folder of the daemon's.
fn own_folders(file: &PipelineFile) -> Vec<Diagnostic> {
    let mut folders =
        vec![("quarantine", place(&file.quarantine.path)), ("data folder", place(&file.data_dir))];
    for (_, settings) in inboxes_of(file) {
        folders.push(("inbox", place(&settings.path)));
        if let OnSuccess::Archive(archive) = &settings.on_success {
            folders.push(("archive", place(archive)));
        }
    }
    let mut mistakes = Vec::new();
    for sink in &file.sinks {
        let Some((key, path, false)) = output_of(sink) else { continue };
        let written = place(&path);
        if let Some((what, _)) = folders.iter().find(|(_, folder)| *folder == written) {
            let problem =
                format!("the output {} is the {what}, and results go to a file", path.display());
            let help = "name a file beside that folder".to_owned();
            mistakes.push(sink.settings.diagnostic(key, problem, Some(help)));
        }
    }
    mistakes
}

/// What an archive or the quarantine would hold beside the files that are put away there: these may
/// bear any name below it, and go when they are old.
fn put_away(file: &PipelineFile) -> Vec<Diagnostic> {
    let inboxes = inboxes_of(file);
    let mut stores = vec![("quarantine", "quarantine.path".to_owned(), &file.quarantine.path)];
    for (name, settings) in &inboxes {
        if let OnSuccess::Archive(archive) = &settings.on_success {
            stores.push(("archive", format!("sources.{name}.on_success.archive"), archive));
        }
    }
    let mut mistakes = Vec::new();
    for (what, key, store) in &stores {
        let folder = place(store);
        let holds = |path: &Path| place(path).starts_with(&folder);
        let help = |what: &str| Some(format!("give the {what} a folder of its own"));
        let inboxes = inboxes.iter().map(|(_, settings)| ("inbox", &settings.path));
        let mut all = inboxes.chain([("data folder", &file.data_dir)]);
        if let Some((other, path)) = all.find(|(_, path)| holds(path)) {
            let (store, path) = (store.display(), path.display());
            let problem = format!("the {what} {store} would hold the {other} {path}");
            mistakes.push(file.diagnostic(key, problem, help(what)));
            // What else lies there is to blame for nothing.
            continue;
        }
        for (other, key, path) in &stores {
            // Two inboxes may share an archive, and of two that are one folder one is told.
            let is_told = place(path) == folder && *other == "quarantine";
            if other != what && holds(path) && !is_told {
                let (store, path) = (store.display(), path.display());
                let problem = format!("the {other} {path} lies in the {what} {store}");
                mistakes.push(file.diagnostic(key, problem, help(other)));
            }
        }
        for sink in &file.sinks {
            let Some((key, path, is_folder)) = output_of(sink) else { continue };
            // A file that would have the folder's name is told of with the others.
            if holds(&path) && (is_folder || place(&path) != folder) {
                let (store, path) = (store.display(), path.display());
                let problem = format!("the output {path} lies in the {what} {store}");
                mistakes.push(sink.settings.diagnostic(key, problem, help("output")));
            }
        }
    }
    mistakes
}

/// Inboxes that cannot be looked into. Those of a machine that is not this one, or that are mounted
/// later, are no mistakes.
pub(crate) fn warnings(file: &PipelineFile) -> Vec<Diagnostic> {
    let mut warnings = Vec::new();
    for source in file.sources.iter().filter(|source| source.kind == "inbox") {
        let inbox = inboxes_of(file).into_iter().find(|(name, _)| *name == source.name);
        let Some((_, settings)) = inbox else { continue };
        if let Err(error) = fs::read_dir(&settings.path) {
            let folder = settings.path.display();
            let problem = format!("the inbox {folder} cannot be looked into: {error}");
            let help = "a daemon that does not find it ends with exit code 1";
            let mut found = source.settings.diagnostic("path", problem, Some(help.to_owned()));
            found.severity = Severity::Warning;
            warnings.push(found);
        }
    }
    warnings
}

/// Where a path leads: links are followed as far as there is something, the rest is worked out.
fn place(path: &Path) -> PathBuf {
    let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let real = path.ancestors().find_map(|above| Some((above, above.canonicalize().ok()?)));
    let Some((above, mut place)) = real else { return path };
    for part in path.strip_prefix(above).unwrap_or(&path).components() {
        if part == Component::ParentDir {
            place.pop();
        } else {
            place.push(part);
        }
    }
    place
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_leads_where_its_links_lead() {
        let root = tempfile::tempdir().unwrap();
        let real = root.path().canonicalize().unwrap();
        fs::create_dir(real.join("inbox")).unwrap();
        std::os::unix::fs::symlink("inbox", real.join("link")).unwrap();
        let cases = [
            ("inbox", "inbox"),
            ("link", "inbox"),
            ("link/archive/new", "inbox/archive/new"),
            ("out/../inbox/./a", "inbox/a"),
            ("inbox/../out/x.jsonl", "out/x.jsonl"),
        ];
        for (path, expected) in cases {
            assert_eq!(place(&real.join(path)), real.join(expected), "{path}");
        }
    }
}
