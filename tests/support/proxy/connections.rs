//! The open connections of a proxy.
//!
//! It owns: cutting all of them, and refusing new ones, as a network does that breaks.
//! It does not own: what travels on them.

use std::collections::BTreeMap;
use std::net::{Shutdown, TcpStream};
use std::sync::{Arc, Mutex};

#[derive(Default)]
pub struct Connections {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    next: u64,
    open: BTreeMap<u64, TcpStream>,
    refused: bool,
}

/// One registered connection: cut and forgotten on drop.
pub struct Registered {
    id: u64,
    of: Arc<Connections>,
}

impl Connections {
    /// Registers a connection, or cuts it if there is no network at present.
    pub fn admit(self: &Arc<Self>, stream: &TcpStream) -> Option<Registered> {
        let mut state = self.state.lock().unwrap();
        if state.refused {
            stream.shutdown(Shutdown::Both).ok();
            return None;
        }
        state.next += 1;
        let id = state.next;
        state.open.insert(id, stream.try_clone().ok()?);
        Some(Registered { id, of: Arc::clone(self) })
    }

    /// Cuts every connection; new ones are welcome.
    pub fn cut_all(&self) {
        let open = std::mem::take(&mut self.state.lock().unwrap().open);
        open.values().for_each(cut);
    }

    /// Cuts every connection and refuses new ones until [`Self::reconnect`].
    pub fn cut_off(&self) {
        self.state.lock().unwrap().refused = true;
        self.cut_all();
    }

    pub fn reconnect(&self) {
        self.state.lock().unwrap().refused = false;
    }
}

impl Registered {
    /// Leaves the connection open with nobody at this end: it hangs until the proxy goes.
    pub fn abandon(self) {
        std::mem::forget(self);
    }
}

impl Drop for Registered {
    fn drop(&mut self) {
        if let Some(stream) = self.of.state.lock().unwrap().open.remove(&self.id) {
            cut(&stream);
        }
    }
}

/// Cuts both directions; the other side may have done so already.
pub fn cut(stream: &TcpStream) {
    stream.shutdown(Shutdown::Both).ok();
}
