//! What the packages carry: paths that agree with each other, pipelines that pass, and the image's
//! commands, started as the image starts them.

use std::fs;

use crate::harness::{Folder, becomes_true, command, finish, repository, run};

fn text(path: &str) -> String {
    fs::read_to_string(repository(path)).unwrap()
}

/// The words of an instruction of the Dockerfile that holds a JSON list, such as `CMD`.
fn words(dockerfile: &str, instruction: &str) -> Vec<String> {
    let line = dockerfile.lines().find(|line| line.trim_start().starts_with(instruction)).unwrap();
    serde_json::from_str(&line[line.find('[').unwrap()..]).unwrap()
}

#[test]
fn the_image_holds_what_it_starts_and_starts_what_it_holds() {
    let dockerfile = text("Dockerfile");
    // Every path that is taken out of the repository is there, and what is copied was staged.
    let install = |path: &str| dockerfile.contains(&format!("/stage{path}"));
    assert!(fs::exists(repository("packaging/container.yaml")).unwrap());
    assert!(dockerfile.contains(
        "install -D -m 644 packaging/container.yaml /stage/etc/standpoint/pipeline.yaml"
    ));
    for copied in ["/usr", "/etc", "/data"] {
        assert!(dockerfile.contains(&format!(" /stage{copied} {copied}\n")), "{copied}");
        assert!(install(copied), "{copied}");
    }
    let program = words(&dockerfile, "ENTRYPOINT").remove(0);
    assert!(install(&format!("{program} ")), "{program}");
    // The pipeline is given by its path in the image, and the check asks where its state is.
    let start = words(&dockerfile, "CMD [\"--log-format\"");
    let check = words(&dockerfile, "CMD [\"/usr/bin");
    assert_eq!(check[0], program);

    // The image's folders, in a folder of this test.
    let folder = Folder::new();
    let here = |word: &String| match word.strip_prefix('/') {
        Some(path) => folder.at(path),
        None => word.clone(),
    };
    let pipeline = text("packaging/container.yaml").replace("/data", &folder.at("data"));
    folder.write("etc/standpoint/pipeline.yaml", pipeline);
    folder.write("data/inbox/a.txt", "Kazakhstan condemned Russia.");
    let start: Vec<String> = start.iter().map(here).collect();
    let start: Vec<&str> = start.iter().map(String::as_str).collect();
    let child = command(&start).spawn().unwrap();
    let check: Vec<String> = check[1..].iter().map(here).collect();
    let check: Vec<&str> = check.iter().map(String::as_str).collect();
    let is_healthy = || run(&check).code == Some(0);
    let is_healthy = becomes_true(is_healthy);
    let is_done = becomes_true(|| folder.files("data/archive", false) == ["a.txt"]);
    crate::daemon::signal(&child, rustix::process::Signal::TERM);
    let told = finish(child).stderr;
    assert!(is_healthy && is_done, "{told}");
    assert_ne!(run(&check).code, Some(0), "a container that is gone is not healthy");
    assert!(fs::read_to_string(folder.at("data/out/results.jsonl")).unwrap().contains("KAZ"));
}

#[test]
fn the_service_may_write_where_its_pipeline_does_and_no_mistake_is_in_it() {
    for file in ["packaging/container.yaml", "packaging/pipeline.yaml"] {
        run(&["validate", &repository(file)]).expect(0);
    }
    let unit = text("packaging/standpoint.service");
    let value = |key: &str| {
        let line = unit.lines().find_map(|line| line.strip_prefix(key)).unwrap();
        line.trim_start_matches('=').to_owned()
    };
    let folders = value("StateDirectory=");
    let folders: Vec<String> =
        folders.split(' ').map(|folder| format!("/var/lib/{folder}")).collect();
    let pipeline = text("packaging/pipeline.yaml");
    let mut paths = 0;
    for word in pipeline.split([' ', '\n', '}']).filter(|word| word.starts_with("/var/lib/")) {
        let parent = word.rsplit_once('/').unwrap().0;
        let is_made = folders.iter().any(|folder| folder == word || folder == parent);
        assert!(is_made, "{word} is in none of {folders:?}");
        paths += 1;
    }
    assert!(paths >= 6, "{paths}");
    // It is given longer to stop than it takes by itself, 30 s.
    let stop: u64 = value("TimeoutStopSec=").trim_end_matches('s').parse().unwrap();
    assert!(stop > 30);
    // What it starts are commands that there are; the program is where packages put it.
    for key in ["ExecStart=", "ExecReload="] {
        let line = value(key);
        let words: Vec<&str> = line.split(' ').collect();
        assert_eq!(words[0], "/usr/bin/standpoint");
        let ran = run(&[&words[1..], &["--help"]].concat()).expect(0);
        assert!(ran.stdout.contains("Usage: standpoint"), "{}", ran.stdout);
    }
    assert!(text("packaging/build").contains("$tree/usr/lib/systemd/system/"));
}
