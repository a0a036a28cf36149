//! A cable between a worker and its server that can be cut in two ways: so that both ends hear of
//! it, and so that neither does.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;

/// What becomes of bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cable {
    /// They arrive.
    Whole,
    /// Connections end, and new ones do, too: the host is there and the way is closed.
    Cut,
    /// Nothing arrives at either end and no connection ends, as where packets are dropped. What was
    /// sent meanwhile arrives when the cable is whole again.
    Silent,
    /// What the server says arrives, and what the worker says does not: half of a cut.
    Mute,
}

/// A port that leads to a server by way of a cable.
pub(crate) struct Proxy {
    pub(crate) port: u16,
    shared: Arc<Shared>,
}

struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

struct State {
    cable: Cable,
    /// Both ends of every connection that was made.
    ends: Vec<TcpStream>,
    is_over: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    ToServer,
    ToWorker,
}

impl Proxy {
    pub(crate) fn to(server: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let state = Mutex::new(State { cable: Cable::Whole, ends: Vec::new(), is_over: false });
        let shared = Arc::new(Shared { state, changed: Condvar::new() });
        let taking = Arc::clone(&shared);
        thread::spawn(move || {
            for worker in listener.incoming() {
                let Ok(worker) = worker else { continue };
                if !taking.join(&worker, server) {
                    break;
                }
            }
        });
        Self { port, shared }
    }

    pub(crate) fn url(&self) -> String {
        format!("nats://127.0.0.1:{}", self.port)
    }

    /// Lays this cable in place of the one before.
    pub(crate) fn lay(&self, cable: Cable) {
        let mut state = self.shared.state.lock().unwrap();
        state.cable = cable;
        if cable == Cable::Cut {
            end(&mut state);
        }
        self.shared.changed.notify_all();
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        let mut state = self.shared.state.lock().unwrap();
        state.is_over = true;
        end(&mut state);
        self.shared.changed.notify_all();
        drop(state);
        // So that whoever waits for the next connection looks up.
        let _ = TcpStream::connect(("127.0.0.1", self.port));
    }
}

fn end(state: &mut State) {
    for end in state.ends.drain(..) {
        let _ = end.shutdown(Shutdown::Both);
    }
}

impl Shared {
    /// Joins a worker to the server; false when there is nothing to join any more.
    fn join(self: &Arc<Self>, worker: &TcpStream, server: u16) -> bool {
        let mut state = self.state.lock().unwrap();
        if state.is_over {
            return false;
        }
        if state.cable == Cable::Cut {
            return true;
        }
        let Ok(server) = TcpStream::connect(("127.0.0.1", server)) else { return true };
        for (from, to, way) in [(worker, &server, Way::ToServer), (&server, worker, Way::ToWorker)]
        {
            state.ends.push(from.try_clone().unwrap());
            let (from, to) = (from.try_clone().unwrap(), to.try_clone().unwrap());
            let shared = Arc::clone(self);
            thread::spawn(move || shared.carry(from, to, way));
        }
        true
    }

    /// Carries bytes one way until an end is closed, which is carried like them.
    fn carry(&self, mut from: TcpStream, mut to: TcpStream, way: Way) {
        let mut bytes = vec![0; 16 << 10];
        loop {
            let count = from.read(&mut bytes).unwrap_or(0);
            let is_held = |state: &mut State| {
                let is_held = match state.cable {
                    Cable::Silent => true,
                    Cable::Mute => way == Way::ToServer,
                    Cable::Whole | Cable::Cut => false,
                };
                is_held && !state.is_over
            };
            let state = self.state.lock().unwrap();
            drop(self.changed.wait_while(state, is_held).unwrap());
            if count == 0 || to.write_all(&bytes[..count]).is_err() {
                let _ = to.shutdown(Shutdown::Both);
                return;
            }
        }
    }
}
