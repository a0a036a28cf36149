//! What `docs/cluster.md` tells people to deploy, started as it says: the program has the
//! arguments, variables, pages, ports and metrics that the compose file and the manifest name.

use std::collections::BTreeSet;
use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Stdio};

use serde_json::Value;
use tempfile::TempDir;

use crate::harness;
use crate::server::{Server, is_installed};

const TOKEN: &str = "0123456789abcdef0123456789abcdef";

fn page() -> String {
    fs::read_to_string(harness::repository("docs/cluster.md")).unwrap()
}

/// The YAML of the page that holds this key at its top.
fn yaml_with(key: &str) -> Vec<Value> {
    let page = page();
    let blocks = page.split("```yaml\n").skip(1).map(|rest| rest.split("```").next().unwrap());
    let documents = blocks.flat_map(|block| block.split("\n---\n"));
    // Not every block is whole: some show a few lines of a pipeline file.
    let read = documents.filter_map(|text| serde_saphyr::from_str::<Value>(text).ok());
    let found: Vec<Value> = read.filter(|yaml| yaml.get(key).is_some()).collect();
    assert!(!found.is_empty(), "no YAML with `{key}`");
    found
}

fn kind(kind: &str) -> Value {
    let found = yaml_with("kind").into_iter().find(|yaml| yaml["kind"] == kind);
    found.unwrap_or_else(|| panic!("no manifest of a {kind}"))
}

/// The page's pipeline file as it stands there.
fn pipeline_text() -> String {
    let page = page();
    page.split("```yaml\n").nth(1).unwrap().split("```").next().unwrap().to_owned()
}

/// A folder in place of a container's file system, with a server beside it.
struct Container {
    root: TempDir,
    server: Server,
    port: u16,
    child: Option<Child>,
}

impl Container {
    fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        let server = Server::start(root.path(), "");
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        Self { root, server, port, child: None }
    }

    /// What the manifest says, with places of this machine in place of the container's.
    fn here(&self, text: &str) -> String {
        let root = self.root.path().display();
        let text = match text.strip_prefix('/') {
            Some(path) => format!("{root}/{path}"),
            None => text.to_owned(),
        };
        text.replace("nats://nats:4222", &self.server.url())
            .replace(":8686", &format!(":{}", self.port))
    }

    fn write(&self, path: &str, content: &str) {
        let path = self.here(path);
        fs::create_dir_all(std::path::Path::new(&path).parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    fn start(&mut self, arguments: &Value, environment: &[(String, String)]) {
        let arguments: Vec<String> =
            strings(arguments).iter().map(|argument| self.here(argument)).collect();
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let mut command = harness::command(&arguments);
        command.envs(environment.iter().map(|(name, value)| (name, self.here(value))));
        let log = fs::File::create(self.root.path().join("log")).unwrap();
        self.child = Some(command.stdout(Stdio::null()).stderr(log).spawn().unwrap());
    }

    fn log(&self) -> String {
        fs::read_to_string(self.root.path().join("log")).unwrap()
    }

    /// What the kubelet asks: by the pod's address, which is not this machine's.
    fn get(&self, path: &str, token: &str) -> Option<String> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).ok()?;
        let head = format!(
            "GET {path} HTTP/1.1\r\nHost: 10.42.0.7:8686\r\nAuthorization: Bearer {token}\r\n\
             Connection: close\r\n\r\n"
        );
        stream.write_all(head.as_bytes()).ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).ok()?;
        Some(answer)
    }
}

impl Drop for Container {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

fn strings(list: &Value) -> Vec<String> {
    list.as_array().unwrap().iter().map(|text| text.as_str().unwrap().to_owned()).collect()
}

/// Seconds of a time such as `40s`, or of a bare number of them.
fn seconds(time: &Value) -> u64 {
    let text = time.as_str().map(|text| text.trim_end_matches('s').parse().unwrap());
    text.or(time.as_u64()).unwrap()
}

#[test]
fn a_worker_of_the_manifest_starts_answers_its_probes_and_has_its_metrics() {
    if !is_installed() {
        return;
    }
    let deployment = kind("Deployment");
    let pod = &deployment["spec"]["template"];
    assert_eq!(deployment["spec"]["selector"]["matchLabels"], pod["metadata"]["labels"]);
    let worker = &pod["spec"]["containers"][0];
    let environment: Vec<(String, String)> = worker["env"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| [&one["name"], &one["value"]].map(|text| text.as_str().unwrap().to_owned()))
        .map(|[name, value]| (name, value))
        .collect();
    // Each file that the worker is told of lies in a volume that the pod has, and the one that it
    // writes to can be written to.
    let mounts = worker["volumeMounts"].as_array().unwrap();
    let volumes: BTreeSet<&str> = pod["spec"]["volumes"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|it| it["name"].as_str())
        .collect();
    let files = environment.iter().map(|(_, value)| value.clone());
    for file in strings(&worker["args"]).into_iter().chain(files) {
        if !file.starts_with('/') {
            continue;
        }
        let mount =
            mounts.iter().find(|mount| file.starts_with(mount["mountPath"].as_str().unwrap()));
        let mount = mount.unwrap_or_else(|| panic!("{file} lies in no volume"));
        assert!(volumes.contains(mount["name"].as_str().unwrap()), "{mount}");
        assert_eq!(mount["readOnly"] != true, file.starts_with("/data/"), "{file}");
    }

    let mut container = Container::new();
    container.write("/etc/standpoint/worker.yaml", &pipeline_text());
    container.write("/run/secrets/standpoint/token", TOKEN);
    container.start(&worker["args"], &environment);
    let port = &worker["ports"][0];
    assert_eq!(port["containerPort"], 8686);
    for (probe, answer) in [("livenessProbe", "alive"), ("readinessProbe", "ready")] {
        let get = &worker[probe]["httpGet"];
        assert_eq!(get["port"], port["name"]);
        let path = get["path"].as_str().unwrap();
        let is_well = || {
            let told = container.get(path, "");
            told.is_some_and(|told| told.starts_with("HTTP/1.1 200") && told.contains(answer))
        };
        let is_well = harness::becomes_true(is_well);
        assert!(is_well, "{path}: {:?}\n{}", container.get(path, ""), container.log());
    }
    // It has its state where the image's own health check looks for it.
    assert!(fs::exists(container.here("/data/state/control.sock")).unwrap());
    assert!(container.server.messages("RESULTS").is_none(), "made with the first result");

    let monitor = kind("PodMonitor");
    assert_eq!(monitor["spec"]["selector"]["matchLabels"], pod["metadata"]["labels"]);
    let endpoint = &monitor["spec"]["podMetricsEndpoints"][0];
    assert_eq!(endpoint["port"], port["name"]);
    let path = endpoint["path"].as_str().unwrap();
    assert!(container.get(path, "").unwrap().starts_with("HTTP/1.1 401"));
    let metrics = container.get(path, TOKEN).unwrap();
    let scaler = kind("HorizontalPodAutoscaler");
    assert_eq!(scaler["spec"]["scaleTargetRef"]["name"], deployment["metadata"]["name"]);
    let name = scaler["spec"]["metrics"][0]["external"]["metric"]["name"].as_str().unwrap();
    let rule = &yaml_with("externalRules")[0]["externalRules"][0];
    assert_eq!(rule["name"]["as"], name);
    let query = rule["metricsQuery"].as_str().unwrap();
    let series = query.trim_start_matches("max(").trim_end_matches(')');
    assert!(series.starts_with(rule["seriesQuery"].as_str().unwrap()));
    assert!(metrics.contains(&format!("\n{series} ")), "{series} is not in {metrics}");
}

#[test]
fn the_documented_metrics_are_those_that_there_are() {
    let page = page();
    let source =
        fs::read_to_string(harness::repository("crates/standpoint/src/metrics.rs")).unwrap();
    let in_program: BTreeSet<String> = source
        .split("one(\"cluster_")
        .skip(1)
        .chain(source.split("one(\n        \"cluster_").skip(1))
        .map(|rest| rest.split('"').next().unwrap().to_owned())
        .collect();
    let table = page.split("| metric | says |").nth(1).unwrap().split("\n\n").next().unwrap();
    let documented: BTreeSet<String> = table
        .split('`')
        .skip(1)
        .step_by(2)
        .filter_map(|name| {
            name.strip_prefix("standpoint_cluster")
                .or(name.strip_prefix("..."))
                .or(name.strip_prefix(".."))
        })
        .map(|name| name.trim_start_matches('_').to_owned())
        .collect();
    assert_eq!(documented, in_program);
}

#[test]
fn a_worker_of_the_compose_file_finds_its_server() {
    if !is_installed() {
        return;
    }
    let compose = &yaml_with("services")[0];
    let worker = &compose["services"]["worker"];
    let environment: Vec<(String, String)> = worker["environment"]
        .as_object()
        .unwrap()
        .iter()
        .map(|(name, value)| (name.clone(), value.as_str().unwrap().to_owned()))
        .collect();
    let volume = strings(&worker["volumes"]).remove(0);
    let [_, inside, _] = volume.split(':').collect::<Vec<_>>()[..] else { panic!("{volume}") };
    assert_eq!(strings(&worker["command"]).last().map(String::as_str), Some(inside));
    let mut container = Container::new();
    container.write(inside, &pipeline_text());
    container.start(&worker["command"], &environment);
    let is_there = || container.server.messages("DOCUMENTS_DEAD").is_some();
    assert!(harness::becomes_true(is_there), "{}", container.log());
    let state = container.here("/data/state");
    let is_ready = || {
        let ran = harness::run(&["status", "--data-dir", &state, "--format", "json"]);
        let status: Option<Value> = serde_json::from_str(&ran.stdout).ok();
        status.is_some_and(|status| status["ready"] == true)
    };
    assert!(harness::becomes_true(is_ready), "{}", container.log());
    // Both give a worker longer than it takes itself.
    let own = seconds(&worker["stop_grace_period"]);
    let pod =
        seconds(&kind("Deployment")["spec"]["template"]["spec"]["terminationGracePeriodSeconds"]);
    assert!(own > 30 && pod > 30, "shutdown_timeout is 30s");
}
