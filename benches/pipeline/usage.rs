//! What a process has cost: its own processor time and memory, as the kernel counts them.

use std::collections::BTreeMap;
use std::process::Command;

/// Of one process, threads included.
#[derive(Clone, Copy, Debug)]
pub struct Usage {
    pub user_s: f64,
    pub system_s: f64,
    pub peak_bytes: u64,
    pub resident_bytes: u64,
}

impl Usage {
    pub fn of(process: u32) -> Self {
        let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap();
        // The name in parentheses may hold spaces; behind it the fields count from the third.
        let (_, fields) = stat.rsplit_once(") ").unwrap();
        let fields: Vec<&str> = fields.split(' ').collect();
        let seconds = |index: usize| fields[index].parse::<f64>().unwrap() / ticks_per_second();
        let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap();
        let bytes = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
            line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1024
        };
        Self {
            user_s: seconds(11),
            system_s: seconds(12),
            peak_bytes: bytes("VmHWM:"),
            resident_bytes: bytes("VmRSS:"),
        }
    }

    pub fn cpu_s(&self) -> f64 {
        self.user_s + self.system_s
    }
}

fn ticks_per_second() -> f64 {
    let output = Command::new("getconf").arg("CLK_TCK").output().unwrap();
    String::from_utf8(output.stdout).unwrap().trim().parse().unwrap()
}

/// CPU-seconds of the thread that asks.
pub fn thread_cpu_s() -> f64 {
    run_s(&std::fs::read_to_string("/proc/thread-self/schedstat").unwrap())
}

/// CPU-seconds by thread of a process, those that do the same together. Threads that have ended
/// are not among them.
pub fn threads(process: u32) -> BTreeMap<&'static str, f64> {
    let mut all = BTreeMap::new();
    for task in std::fs::read_dir(format!("/proc/{process}/task")).unwrap() {
        let task = task.unwrap().path();
        // One that ends meanwhile has done nothing that counts.
        let Ok(name) = std::fs::read_to_string(task.join("comm")) else { continue };
        let Ok(spent) = std::fs::read_to_string(task.join("schedstat")) else { continue };
        *all.entry(work_of(&name)).or_default() += run_s(&spent);
    }
    all
}

/// What a thread does, by its name.
fn work_of(name: &str) -> &'static str {
    const WORKS: [(&str, &str); 3] =
        [("sluice-work", "worker"), ("rdk:", "librdkafka"), ("sluice-upload", "upload")];
    let found = WORKS.iter().find(|(begin, _)| name.starts_with(begin));
    found.map_or("rest", |(_, work)| work)
}

/// Nanoseconds on a core are the first number of `schedstat`.
fn run_s(schedstat: &str) -> f64 {
    schedstat.split(' ').next().unwrap().parse::<f64>().unwrap() / 1e9
}
