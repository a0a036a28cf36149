//! A real Postgres server of a test's own: a folder, a socket in it, and no port unless asked for.

use std::fs::{Permissions, set_permissions};
use std::io::Write as _;
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::Duration;

use standpoint_store::server::SCHEMA;
use standpoint_store::{Place, Server};
use tempfile::TempDir;

/// The user `nobody`, for the server refuses to run as root.
const NOBODY: u32 = 65_534;

pub(crate) struct Cluster {
    folder: TempDir,
    programs: PathBuf,
    user: Option<u32>,
    /// The address at which other hosts get to it; empty where it has only its socket.
    host: &'static str,
}

impl Cluster {
    /// Starts a server; `None`, said loudly, where no Postgres is installed. In CI that fails.
    pub(crate) fn start() -> Option<Self> {
        Self::start_at("")
    }

    /// The same, for others on the networks of this host, to which they come by this address.
    #[expect(clippy::print_stderr, reason = "what is not tested is said loudly")]
    pub(crate) fn start_at(host: &'static str) -> Option<Self> {
        let Some(programs) = programs() else {
            assert!(
                std::env::var_os("CI").is_none(),
                "no Postgres here: install Debian's package `postgresql`"
            );
            eprintln!("NOT TESTED: no Postgres here; install Debian's package `postgresql`");
            return None;
        };
        let folder = tempfile::tempdir_in("/tmp").unwrap();
        let user = is_root(folder.path()).then_some(NOBODY);
        // Others are to get to its socket, whatever the usual rights of new files are.
        set_permissions(folder.path(), Permissions::from_mode(0o755)).unwrap();
        if let Some(user) = user {
            chown(folder.path(), Some(user), Some(user)).unwrap();
        }
        let cluster = Self { folder, programs, user, host };
        let data = cluster.data();
        let arguments = ["-A", "trust", "-U", "standpoint", "-E", "UTF8", "--locale=C", "-N", "-D"];
        cluster.done("initdb", &[&arguments[..], &[&data]].concat());
        let others = format!("{}/pg_hba.conf", cluster.data());
        let mut others = std::fs::File::options().append(true).open(others).unwrap();
        writeln!(others, "host all all samenet trust").unwrap();
        cluster.up();
        Some(cluster)
    }

    /// Starts the server again; returns once it answers.
    pub(crate) fn up(&self) {
        let folder = self.folder.path().display();
        let options = format!("-k {folder} -c listen_addresses={} -c fsync=off", self.host);
        let log = format!("{folder}/log");
        // It may be slow, and is not to be called dead for that.
        let start = ["start", "-w", "-t", "180", "-D", &self.data(), "-l", &log, "-o", &options];
        self.done("pg_ctl", &start);
    }

    /// What the server has said, for a test that fails.
    pub(crate) fn log(&self) -> String {
        let text = std::fs::read(self.folder.path().join("log")).unwrap_or_default();
        String::from_utf8_lossy(&text).into_owned()
    }

    /// The process of the server.
    pub(crate) fn pid(&self) -> String {
        let text = std::fs::read_to_string(format!("{}/postmaster.pid", self.data())).unwrap();
        text.lines().next().unwrap().to_owned()
    }

    /// Sends a signal to the server.
    pub(crate) fn signal(&self, name: &str) {
        assert!(Command::new("kill").args(["-s", name, &self.pid()]).status().unwrap().success());
    }

    /// Ends the server as a power cut would, and all that works for it.
    pub(crate) fn crash(&self) {
        self.done("pg_ctl", &["stop", "-m", "immediate", "-w", "-D", &self.data()]);
    }

    /// The address of its database, as people write it.
    pub(crate) fn url(&self) -> String {
        if !self.host.is_empty() {
            return format!("postgres://standpoint@{}/postgres?sslmode=disable", self.host);
        }
        let folder = self.folder.path().display().to_string().replace('/', "%2F");
        format!("postgres://standpoint@{folder}/postgres")
    }

    /// A store in this schema.
    pub(crate) fn place(&self, schema: &str) -> Place {
        let url = self.url();
        let timeout = Duration::from_secs(20);
        let schema = schema.to_owned();
        Place::Server(Box::new(Server { url, password: None, schema, ca_file: None, timeout }))
    }

    /// What `psql` prints.
    pub(crate) fn ask(&self, sql: &str) -> String {
        let folder = self.folder.path().display().to_string();
        let arguments = [
            "-h",
            &folder,
            "-U",
            "standpoint",
            "-d",
            "postgres",
            "-XAtq",
            "-v",
            "ON_ERROR_STOP=1",
            "-c",
        ];
        let said = self.done("psql", &[&arguments[..], &[sql]].concat());
        String::from_utf8(said.stdout).unwrap().trim_end().to_owned()
    }

    fn data(&self) -> String {
        self.folder.path().join("data").display().to_string()
    }

    fn done(&self, program: &str, arguments: &[&str]) -> Output {
        let mut command = Command::new(self.programs.join(program));
        command.args(arguments).current_dir(self.folder.path());
        // Another port or user of whoever runs the test is none of this server's.
        let names = std::env::vars_os().map(|(name, _)| name);
        for name in names.filter(|name| name.to_string_lossy().starts_with("PG")) {
            command.env_remove(name);
        }
        if let Some(user) = self.user {
            command.uid(user).gid(user);
        }
        // The server keeps what it is given for as long as it runs.
        if program == "pg_ctl" {
            command.stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null());
        }
        let said = command.output().unwrap();
        let text = String::from_utf8_lossy(&said.stderr);
        assert!(said.status.success(), "{program} {arguments:?}: {text}\n{}", self.log());
        said
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        let stopped = Command::new(self.programs.join("pg_ctl"))
            .args(["stop", "-m", "immediate", "-D", &self.data()])
            .uid(self.user.unwrap_or_else(|| uid(self.folder.path())))
            .output();
        drop(stopped);
    }
}

/// The folder of the server's programs: the newest of Debian's, or that of `PATH`.
fn programs() -> Option<PathBuf> {
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let debian = versions.map(|version| version.path().join("bin"));
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut folders: Vec<_> = debian.chain(std::env::split_paths(&path)).collect();
    folders.sort_by_key(|folder| !folder.starts_with("/usr/lib/postgresql"));
    folders
        .into_iter()
        .find(|folder| folder.join("pg_ctl").exists() && folder.join("psql").exists())
}

fn uid(path: &Path) -> u32 {
    std::os::unix::fs::MetadataExt::uid(&std::fs::metadata(path).unwrap())
}

fn is_root(made: &Path) -> bool {
    uid(made) == 0
}

/// A schema that no other test uses.
pub(crate) fn schema(number: usize) -> String {
    format!("{SCHEMA}_{number}")
}
