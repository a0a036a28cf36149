//! Files and folders of a pipeline that must not be each other's, and inboxes that are not there.

use std::fs;
use std::path::{Component, Path, PathBuf};

use standpoint_config::{Diagnostic, PipelineFile, Severity};
use standpoint_connectors::inbox::OnSuccess;

use crate::pipeline_file::{inboxes_of, sink_settings};

/// Sinks that write to one file, and inboxes that would take what was moved out of them.
pub(crate) fn mistakes(file: &PipelineFile) -> Vec<Diagnostic> {
    let mut mistakes = outputs(file);
    let quarantine = place(&file.quarantine.path);
    for (name, settings) in inboxes_of(file) {
        let inbox = place(&settings.path);
        let takes = |folder: &Path| {
            folder.strip_prefix(&inbox).is_ok_and(|below| settings.takes_from(below))
        };
        let help = |what: &str| {
            Some(format!(
                "put the {what} beside the inbox, or into a folder whose name begins with a dot"
            ))
        };
        let source = file.sources.iter().find(|source| source.name == name);
        if let (OnSuccess::Archive(archive), Some(source)) = (&settings.on_success, source)
            && takes(&place(archive))
        {
            let problem = format!(
                "the archive {} lies in the inbox of `{name}`, which would take its files again",
                archive.display()
            );
            let key = "on_success.archive";
            mistakes.push(source.settings.diagnostic(key, problem, help("archive")));
        }
        if takes(&quarantine) {
            let problem = format!(
                "the quarantine {} lies in the inbox of `{name}`, which would take its files again",
                file.quarantine.path.display()
            );
            mistakes.push(file.diagnostic("quarantine.path", problem, help("quarantine")));
        }
    }
    mistakes
}

fn outputs(file: &PipelineFile) -> Vec<Diagnostic> {
    let mut mistakes = Vec::new();
    let mut known: Vec<(PathBuf, &str)> = Vec::new();
    let sinks = file.sinks.iter().filter(|sink| matches!(sink.kind.as_str(), "jsonl" | "sqlite"));
    for sink in sinks {
        let Ok(settings) = sink_settings(sink) else { continue };
        let Some(path) = settings.get("path").and_then(|path| path.as_str()) else { continue };
        // Whoever writes to a device or a pipe spoils nothing.
        if fs::metadata(path).is_ok_and(|found| !found.is_file()) {
            continue;
        }
        let place = place(Path::new(path));
        if let Some((_, other)) = known.iter().find(|(taken, _)| *taken == place) {
            let problem = format!("`{}` would write to the file of sink `{other}`", sink.name);
            let help = "give it a file of its own, or name one sink in all routes that lead there";
            mistakes.push(sink.settings.diagnostic("path", problem, Some(help.to_owned())));
        }
        known.push((place, &sink.name));
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
