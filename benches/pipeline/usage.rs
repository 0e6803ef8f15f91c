//! What a process has cost: its own processor time and memory, as the kernel counts them.

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
