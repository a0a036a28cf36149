//! A network of a test's own: hosts that are network namespaces, each at a bridge by a cable that
//! can be taken out.
//!
//! Nothing of it is in the machine's own network, so that no name can be taken already, and nothing
//! is left behind: a namespace goes with the last process in it, and the one that holds it reads
//! from the test, so that it ends when the test does, however that ends.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::os::fd::AsFd;
use std::process::{Child, Command, Stdio};
use std::thread;

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

/// The first host's address, which is the servers'.
pub(crate) const SERVERS: &str = "10.77.0.1";

/// The hosts; their cables lead to the bridge of another one.
pub(crate) struct Network {
    /// The first is the servers'.
    hosts: Vec<Host>,
    bridge: Host,
}

/// A way to part a host from the others, by its cable. Nobody hears of a connection that ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cut {
    /// The cable is out: the host sees that it is.
    Pulled,
    /// It leads nowhere: the host sees nothing, and what it sends arrives nowhere.
    Dead,
}

/// A network namespace.
struct Host {
    holder: Child,
    space: File,
}

impl Network {
    /// A host for the servers and as many for workers; `None`, said loudly, where there can be
    /// none.
    pub(crate) fn start(workers: usize) -> Option<Self> {
        if Command::new("ip").arg("-V").output().is_err() {
            let told = "NOT TESTED: there is no `ip`; `apt-get install iproute2` brings it";
            assert!(std::env::var_os("CI").is_none(), "{told}");
            eprintln!("{told}");
            return None;
        }
        match Self::make(workers) {
            Ok(network) => Some(network),
            Err(reason) => {
                eprintln!("NOT TESTED: this process may not make a network: {reason}");
                None
            }
        }
    }

    fn make(workers: usize) -> Result<Self, String> {
        let bridge = Host::new()?;
        bridge.ip("link add bridge type bridge")?;
        bridge.ip("link set bridge up")?;
        let mut hosts = Vec::new();
        for number in 0..=workers {
            let host = Host::new()?;
            let (cable, there) = (cable(number), host.holder.id());
            bridge.ip(&format!("link add {cable} type veth peer name eth0 netns {there}"))?;
            bridge.ip(&format!("link set {cable} master bridge up"))?;
            host.ip(&format!("addr add 10.77.0.{}/24 dev eth0", number + 1))?;
            host.ip("link set eth0 up")?;
            host.ip("link set lo up")?;
            hosts.push(host);
        }
        Ok(Self { hosts, bridge })
    }

    /// The address of a worker's host.
    pub(crate) fn address(worker: usize) -> String {
        format!("10.77.0.{}", worker + 2)
    }

    /// Does something on the servers' host: what it starts and connects is there.
    pub(crate) fn on_servers<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        self.hosts[0].on(work)
    }

    /// The same on a worker's.
    pub(crate) fn on_worker<T: Send>(&self, worker: usize, work: impl FnOnce() -> T + Send) -> T {
        self.hosts[worker + 1].on(work)
    }

    /// Parts a worker's host from all others; `None` is the servers'.
    pub(crate) fn cut(&self, worker: Option<usize>, cut: Cut) {
        let cable = cable(worker.map_or(0, |worker| worker + 1));
        let done = match cut {
            Cut::Pulled => self.bridge.ip(&format!("link set {cable} down")),
            Cut::Dead => self.bridge.ip(&format!("link set {cable} nomaster")),
        };
        done.unwrap();
    }

    /// Ends what [`cut`](Self::cut) began.
    pub(crate) fn mend(&self, worker: Option<usize>, cut: Cut) {
        let cable = cable(worker.map_or(0, |worker| worker + 1));
        let done = match cut {
            Cut::Pulled => self.bridge.ip(&format!("link set {cable} up")),
            Cut::Dead => self.bridge.ip(&format!("link set {cable} master bridge")),
        };
        done.unwrap();
    }
}

fn cable(host: usize) -> String {
    format!("cable{host}")
}

impl Host {
    fn new() -> Result<Self, String> {
        let mut command = Command::new("unshare");
        command.args(["--net", "sh", "-c", "echo && exec cat"]);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut holder = command.spawn().map_err(|error| format!("unshare: {error}"))?;
        let mut line = String::new();
        BufReader::new(holder.stdout.take().unwrap()).read_line(&mut line).unwrap();
        if line.is_empty() {
            let mut said = String::new();
            holder.stderr.take().unwrap().read_to_string(&mut said).unwrap();
            holder.wait().unwrap();
            return Err(said);
        }
        let space = File::open(format!("/proc/{}/ns/net", holder.id())).unwrap();
        Ok(Self { holder, space })
    }

    fn on<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        let there = || {
            let network = Some(LinkNameSpaceType::Network);
            move_into_link_name_space(self.space.as_fd(), network).unwrap();
            work()
        };
        // A thread that went there stays there.
        let done = thread::scope(|scope| scope.spawn(there).join());
        done.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    }

    fn ip(&self, arguments: &str) -> Result<(), String> {
        let done = self.on(|| Command::new("ip").args(arguments.split(' ')).output().unwrap());
        let said = String::from_utf8_lossy(&done.stderr);
        if done.status.success() { Ok(()) } else { Err(format!("ip {arguments}: {said}")) }
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        let _ = self.holder.kill();
        let _ = self.holder.wait();
    }
}
