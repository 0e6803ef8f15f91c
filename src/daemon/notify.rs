//! What systemd is told: ready, stopping, a line of state, and that the loops are alive.
//!
//! It owns: the socket of `Type=notify` and the watchdog's feeding.
//! It does not own: what alive means (`status`), nor when the daemon is ready.
//!
//! Assumes of systemd: datagrams of `KEY=value` lines to the path or abstract name in
//! `NOTIFY_SOCKET`; the watchdog bites after `WATCHDOG_USEC`. Without the socket nothing happens. A
//! message that cannot be sent is lost: systemd acts on silence by itself.
//!
//! Why not the crate's own sender: it asks the environment at each message, and knows no abstract
//! names.

use std::ffi::OsStr;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::sync::Arc;
use std::time::Duration;

use sd_notify::NotifyState;

use super::status::Health;

/// What systemd put into the environment, as found there.
#[derive(Clone, Copy, Debug, Default)]
pub struct NotifyEnvironment<'a> {
    /// `NOTIFY_SOCKET`
    pub socket: Option<&'a OsStr>,
    /// `WATCHDOG_USEC`
    pub watchdog_usec: Option<&'a OsStr>,
    /// `WATCHDOG_PID`
    pub watchdog_pid: Option<&'a OsStr>,
}

/// The way to systemd, or to nowhere. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Notify {
    socket: Option<Arc<UnixDatagram>>,
    watchdog: Option<Duration>,
}

impl Notify {
    /// Connects to systemd's socket if there is one. `pid` is this process's own.
    pub fn new(environment: NotifyEnvironment<'_>, pid: u32) -> Self {
        let socket = environment.socket.and_then(connected).map(Arc::new);
        let number = |text: &OsStr| text.to_str()?.parse::<u64>().ok();
        let is_ours = environment.watchdog_pid.is_none_or(|of| number(of) == Some(pid.into()));
        let usec = environment.watchdog_usec.and_then(number);
        let watchdog = usec.filter(|usec| is_ours && *usec > 0).map(Duration::from_micros);
        Self { socket, watchdog }
    }

    pub fn ready(&self) {
        self.send(&NotifyState::Ready);
    }

    pub fn stopping(&self) {
        self.send(&NotifyState::Stopping);
    }

    /// Shows a line in `systemctl status`.
    pub fn status(&self, line: &str) {
        let one_line = line.replace(char::is_control, " ");
        self.send(&NotifyState::Status(&one_line));
    }

    /// Asks for this much more time, from now, to start or to stop.
    pub fn extend_timeout(&self, more: Duration) {
        let usec = u32::try_from(more.as_micros()).unwrap_or(u32::MAX);
        self.send(&NotifyState::ExtendTimeoutUsec(usec));
    }

    /// Feeds the watchdog, if the loops make progress and systemd asked for it.
    pub fn feed_watchdog(&self, health: &Health) {
        match health {
            Health::Moving if self.watchdog.is_some() => self.send(&NotifyState::Watchdog),
            Health::Moving | Health::Stuck(_) => {}
        }
    }

    fn send(&self, state: &NotifyState<'_>) {
        let Some(socket) = &self.socket else { return };
        if let Err(error) = socket.send(format!("{state}\n").as_bytes()) {
            tracing::debug!(%error, "systemd did not take a message");
        }
    }
}

/// Never waits: a full queue at systemd's side must not hold up a thread of ours.
fn connected(name: &OsStr) -> Option<UnixDatagram> {
    let address = match name.as_bytes() {
        [b'@', name @ ..] => SocketAddr::from_abstract_name(name),
        _ => SocketAddr::from_pathname(name),
    };
    let connect = |address: SocketAddr| {
        let socket = UnixDatagram::unbound()?;
        socket.connect_addr(&address)?;
        socket.set_nonblocking(true)?;
        Ok(socket)
    };
    match address.and_then(connect) {
        Ok(socket) => Some(socket),
        Err(error) => {
            tracing::warn!(socket = ?name, %error, "systemd cannot be told anything");
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::status::LoopName;
    use super::*;

    struct Systemd {
        socket: UnixDatagram,
        name: std::ffi::OsString,
    }

    /// A socket as systemd has it, under an abstract name so that nothing is left behind.
    fn systemd(test: &str) -> Systemd {
        let name = format!("sluice-notify-{test}-{}", std::process::id());
        let address = SocketAddr::from_abstract_name(&name).expect("a short name");
        let socket = UnixDatagram::bind_addr(&address).expect("binds");
        socket.set_nonblocking(true).expect("a plain option");
        Systemd { socket, name: format!("@{name}").into() }
    }

    impl Systemd {
        fn environment(&self) -> NotifyEnvironment<'_> {
            NotifyEnvironment { socket: Some(&self.name), ..NotifyEnvironment::default() }
        }

        fn heard(&self) -> Option<String> {
            let mut bytes = [0; 512];
            let length = self.socket.recv(&mut bytes).ok()?;
            Some(String::from_utf8_lossy(&bytes[..length]).into_owned())
        }
    }

    #[test]
    fn systemd_hears_each_state() {
        let systemd = systemd("states");
        let notify = Notify::new(systemd.environment(), 1);
        notify.ready();
        notify.status("two\nlines");
        notify.extend_timeout(Duration::from_secs(5));
        notify.stopping();
        let expected =
            ["READY=1\n", "STATUS=two lines\n", "EXTEND_TIMEOUT_USEC=5000000\n", "STOPPING=1\n"];
        for message in expected {
            assert_eq!(systemd.heard().as_deref(), Some(message));
        }
    }

    #[test]
    fn the_watchdog_is_fed_only_while_the_loops_move() {
        let systemd = systemd("watchdog");
        let usec = Some(OsStr::new("3000000"));
        let environment = NotifyEnvironment { watchdog_usec: usec, ..systemd.environment() };
        let notify = Notify::new(environment, 1);
        notify.feed_watchdog(&Health::Stuck(vec![(LoopName::Poll, Duration::from_secs(31))]));
        assert_eq!(systemd.heard(), None);
        notify.feed_watchdog(&Health::Moving);
        assert_eq!(systemd.heard().as_deref(), Some("WATCHDOG=1\n"));
    }

    #[test]
    fn a_watchdog_of_another_process_or_a_broken_one_is_not_ours() {
        let cases = [
            (Some("1000000"), Some("7"), true),
            (Some("1000000"), None, true),
            (Some("1000000"), Some("8"), false),
            (Some("1000000"), Some("x"), false),
            (Some("0"), None, false),
            (Some("-1"), None, false),
            (None, Some("7"), false),
        ];
        for (usec, pid, is_ours) in cases {
            let environment = NotifyEnvironment {
                socket: None,
                watchdog_usec: usec.map(OsStr::new),
                watchdog_pid: pid.map(OsStr::new),
            };
            let watchdog = Notify::new(environment, 7).watchdog;
            assert_eq!(watchdog.is_some(), is_ours, "{usec:?} {pid:?}");
        }
    }

    #[test]
    fn without_a_socket_or_with_a_dead_one_nothing_happens() {
        let dead = OsStr::new("/nowhere/notify");
        for socket in [None, Some(dead), Some(OsStr::new("")), Some(OsStr::new("@"))] {
            let environment = NotifyEnvironment { socket, ..NotifyEnvironment::default() };
            Notify::new(environment, 1).ready();
        }
    }
}
