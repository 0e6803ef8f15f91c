//! Ports for servers that are stopped and started again.
//!
//! It owns: choosing below the range from which the kernel takes ports for outgoing connections
//! (32,768 and up). A port from there could be taken by any client while its server is down, even
//! by one that tries to reach that very server and so connects to itself.
//! It does not own: holding a port; between the choice and the server's bind another process may
//! take it, so a start is tried again with others.

use std::net::TcpListener;
use std::sync::atomic::{AtomicU32, Ordering};

const FIRST: u32 = 12_000;
const COUNT: u32 = 20_000;

/// A port that nobody listens on, and that this process has not given before.
pub fn free() -> u16 {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    // Processes that start together have neighbouring ids: 97 ports for each before they meet.
    let start = std::process::id().wrapping_mul(97);
    (0..COUNT)
        .map(|_| FIRST + start.wrapping_add(NEXT.fetch_add(1, Ordering::Relaxed)) % COUNT)
        .map(|port| u16::try_from(port).expect("below 32,768"))
        .find(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok())
        .expect("there is a free port")
}
