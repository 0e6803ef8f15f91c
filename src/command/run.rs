//! `sluice run`: the daemon in the foreground, as the service runs it.
//!
//! It owns: signals, the exit code. It does not own: the daemon (`daemon::run`).
//!
//! SIGTERM and SIGINT stop in order within `limits.drain`; a second one stops at once, which is
//! safe too. SIGUSR1 seals every open batch now. SIGHUP reads the configuration again and tries stopped
//! partitions again.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGUSR1};
use signal_hook::flag;
use signal_hook::iterator::Signals;
use tracing::warn;

use super::settings::{Common, EXIT_CONFIG, say, start_log};
use crate::config::Running;
use crate::daemon::log::LevelHandle;
use crate::daemon::notify::{Notify, NotifyEnvironment};
use crate::daemon::run::{Control, Unwatched, run};
use crate::mutant::Mutant;

/// What a shell reports for a program that SIGTERM ended: 128 + 15.
const EXIT_AT_ONCE: i32 = 143;
const EXIT_BUG: u8 = 70;

/// Runs the daemon: reads the topics and writes objects until it is stopped
///
/// SIGTERM stops it in order: open batches are written and committed within `limits.drain`; a
/// second SIGTERM stops it at once. Both are safe: whatever was planned is finished by the next
/// start. SIGUSR1 writes everything that is open now. SIGHUP reads the configuration again (what has
/// changed under [layout], [seal], [records], [quarantine], [[override]], in `kafka.topics` and the
/// limits holds for each batch that is opened from then on; what only a restart can take is named;
/// a file with a fault changes nothing) and tries every stopped partition again.
#[derive(Clone, Debug, clap::Args)]
pub struct Arguments {}

pub(super) fn main(common: &Common, _arguments: &Arguments) -> u8 {
    let settings = match common.load() {
        Ok(settings) => Arc::new(settings),
        Err(code) => return code,
    };
    let level = match start_log(&settings) {
        Ok(level) => level,
        Err(code) => return code,
    };
    if let Some(mutant) = Mutant::of_the_process() {
        warn!(
            mutant = mutant.name(),
            "a rule of the protocol is broken on purpose: this is a test"
        );
    }
    let reloader = match common.running(&settings) {
        Ok(running) => Reloader { common: common.clone(), running, level },
        Err(faults) => {
            say(&faults.to_string());
            return EXIT_CONFIG;
        }
    };
    let control = Control::default();
    if let Err(error) = listen(&control, reloader) {
        say(&format!("signals cannot be listened to: {error}"));
        return EXIT_BUG;
    }
    let (socket, usec, pid) = (
        std::env::var_os("NOTIFY_SOCKET"),
        std::env::var_os("WATCHDOG_USEC"),
        std::env::var_os("WATCHDOG_PID"),
    );
    let environment = NotifyEnvironment {
        socket: socket.as_deref(),
        watchdog_usec: usec.as_deref(),
        watchdog_pid: pid.as_deref(),
    };
    let notify = Notify::new(environment, std::process::id());
    match run(settings, &control, &notify, &Unwatched) {
        Ok(()) => 0,
        Err(error) => {
            say(&format!("sluice: {error}"));
            error.exit_code()
        }
    }
}

/// Reads the configuration again.
#[derive(Debug)]
struct Reloader {
    common: Common,
    running: Running,
    level: LevelHandle,
}

impl Reloader {
    /// What every thread logs through changes here, the rest is handed to the daemon.
    fn reload(&mut self, control: &Control) {
        let read = self.common.reload(&mut self.running);
        if let Ok(reloaded) = &read
            && let Err(error) = self.level.set(&reloaded.settings.log.level)
        {
            warn!(%error, "the level of the log stays as it was");
        }
        control.reload(read);
        control.try_again();
    }
}

/// Turns signals into wishes. The second stop ends the process inside the handler itself, so that
/// no thread that hangs can keep it.
fn listen(control: &Control, mut reloader: Reloader) -> std::io::Result<()> {
    let is_stopping = Arc::new(AtomicBool::new(false));
    for signal in [SIGTERM, SIGINT] {
        flag::register_conditional_shutdown(signal, EXIT_AT_ONCE, Arc::clone(&is_stopping))?;
        flag::register(signal, Arc::clone(&is_stopping))?;
    }
    let mut signals = Signals::new([SIGTERM, SIGINT, SIGUSR1, SIGHUP])?;
    let control = control.clone();
    // Lives as long as the process: nothing else waits for signals.
    thread::Builder::new().name("sluice-signals".to_owned()).spawn(move || {
        for signal in signals.forever() {
            match signal {
                SIGUSR1 => control.seal(),
                SIGHUP => reloader.reload(&control),
                _ => {
                    is_stopping.store(true, Ordering::SeqCst);
                    control.stop();
                }
            }
        }
    })?;
    Ok(())
}
