//! How far long work is: a bar where a person looks, a plain line now and then where a file does.
//!
//! It owns: what it writes to standard error. It does not own: results, which go to standard
//! output.

use std::fmt;
use std::io::{self, IsTerminal, Write as _};
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

/// Between two plain lines: a log of an hour stays readable.
const LINE_INTERVAL: Duration = Duration::from_secs(5);

/// Between two looks of the bar: a call for each record costs next to nothing.
const LOOK_INTERVAL: Duration = Duration::from_millis(50);

/// All bars of the process: there is one standard error, and who writes to it beside a bar has to
/// know of it.
static SCREEN: LazyLock<MultiProgress> = LazyLock::new(MultiProgress::new);

/// Standard error for logs: their lines appear above the bar, if there is one.
#[derive(Clone, Copy, Debug, Default)]
pub struct BesideBars;

impl io::Write for BesideBars {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        SCREEN.suspend(|| io::stderr().lock().write(bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().lock().flush()
    }
}

/// Writes something to the terminal without a bar in its way.
pub(super) fn suspended<T>(write: impl FnOnce() -> T) -> T {
    SCREEN.suspend(write)
}

/// Where progress is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Display {
    Bar,
    Lines,
    Hidden,
}

impl Display {
    /// A bar if standard error is a terminal, else lines.
    pub fn of_stderr() -> Self {
        if io::stderr().is_terminal() { Self::Bar } else { Self::Lines }
    }
}

/// The progress of one piece of work. Dropping it takes the bar off the screen.
#[derive(Debug)]
pub struct Progress {
    display: Display,
    label: &'static str,
    unit: &'static str,
    total: Option<u64>,
    bar: ProgressBar,
    started: Instant,
    last_look: Instant,
    last_line: Instant,
}

impl Progress {
    /// Begins at zero of `total` `unit`s; without a total the work goes on until it is stopped.
    pub fn start(
        display: Display,
        label: &'static str,
        unit: &'static str,
        total: Option<u64>,
    ) -> Self {
        let bar = match display {
            Display::Bar => SCREEN.add(visible_bar(total)),
            Display::Lines | Display::Hidden => ProgressBar::hidden(),
        };
        bar.set_prefix(label);
        let now = Instant::now();
        Self { display, label, unit, total, bar, started: now, last_look: now, last_line: now }
    }

    /// Shows that `done` units are done, with a `note` behind (may be empty). Call it as often as
    /// you like.
    pub fn set(&mut self, done: u64, note: impl fmt::Display) {
        if self.last_look.elapsed() < LOOK_INTERVAL {
            return;
        }
        self.last_look = Instant::now();
        let note = note.to_string();
        if self.display == Display::Lines && self.last_line.elapsed() >= LINE_INTERVAL {
            self.last_line = Instant::now();
            let left = left(self.started.elapsed(), done, self.total);
            self.say(&format!("{}{left}", self.describe(done, &note)));
        }
        self.bar.set_position(done);
        self.bar.set_message(note);
    }

    /// Writes a line of its own: above the bar if there is one.
    pub fn say(&self, line: &str) {
        match self.display {
            Display::Hidden => {}
            Display::Bar => self.bar.println(line),
            // Nobody reads standard error any more: no reason to stop the work.
            Display::Lines => writeln!(io::stderr().lock(), "{line}").unwrap_or_default(),
        }
    }

    /// Takes the bar away and says in one line what was done.
    pub fn finish(self, done: u64, note: &str) {
        self.bar.finish_and_clear();
        let line = self.describe(done, note);
        if self.display != Display::Hidden {
            writeln!(io::stderr().lock(), "{line}").unwrap_or_default();
        }
    }

    fn describe(&self, done: u64, note: &str) -> String {
        describe(self.label, (done, self.total), self.unit, self.started.elapsed(), note)
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

fn visible_bar(total: Option<u64>) -> ProgressBar {
    let (bar, template) = match total {
        Some(total) => (
            ProgressBar::new(total),
            "{prefix:>12} {bar:30.green} {human_pos}/{human_len} {per_sec:.0} eta {eta} {msg}",
        ),
        None => {
            (ProgressBar::new_spinner(), "{prefix:>12} {spinner} {human_pos} {per_sec:.0} {msg}")
        }
    };
    // An unknown template would only cost the looks; the test below sees to it.
    match ProgressStyle::with_template(template) {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}

/// Returns how long the rest takes at the pace so far; nothing before that can be said.
fn left(elapsed: Duration, done: u64, total: Option<u64>) -> String {
    match total {
        Some(total) if done > 0 && total > done => {
            let seconds = elapsed.as_secs_f64() * (total - done) as f64 / done as f64;
            let rest = Duration::from_secs(seconds.ceil() as u64);
            format!(", {} left", humantime::format_duration(rest))
        }
        Some(_) | None => String::new(),
    }
}

fn describe(
    label: &str,
    (done, total): (u64, Option<u64>),
    unit: &str,
    elapsed: Duration,
    note: &str,
) -> String {
    let of = total.map(|total| format!(" of {total}")).unwrap_or_default();
    let seconds = elapsed.as_secs_f64();
    let rate = if seconds > 0.0 { done as f64 / seconds } else { 0.0 };
    let dash = if note.is_empty() { "" } else { ", " };
    format!("{label}: {done}{of} {unit} in {seconds:.1} s ({rate:.0}/s){dash}{note}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_says_how_much_how_long_and_how_fast() {
        let second = Duration::from_secs(2);
        assert_eq!(
            describe("emulate", (500, Some(1_000)), "posts", second, "0 failed"),
            "emulate: 500 of 1000 posts in 2.0 s (250/s), 0 failed"
        );
        assert_eq!(
            describe("emulate", (500, None), "posts", second, ""),
            "emulate: 500 posts in 2.0 s (250/s)"
        );
        assert_eq!(
            describe("demo", (0, None), "records", Duration::ZERO, ""),
            "demo: 0 records in 0.0 s (0/s)"
        );
    }

    #[test]
    fn the_rest_is_told_when_its_length_is_known() {
        let elapsed = Duration::from_secs(10);
        assert_eq!(left(elapsed, 100, Some(1_000)), ", 1m 30s left");
        for (done, total) in [(0, Some(5)), (5, Some(5)), (5, None)] {
            assert_eq!(left(elapsed, done, total), "");
        }
    }

    #[test]
    fn both_bars_have_a_template_that_parses() {
        for total in [Some(5), None] {
            let bar = visible_bar(total);
            bar.set_draw_target(indicatif::ProgressDrawTarget::hidden());
            bar.set_position(1);
        }
        for template in ["{prefix:>12} {bar:30.green} {per_sec:.0} {eta}", "{spinner} {human_pos}"]
        {
            assert!(ProgressStyle::with_template(template).is_ok(), "{template}");
        }
    }
}
