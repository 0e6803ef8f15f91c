//! Many partitions that seal at the same moment: is the membership kept, how long until all of it is
//! committed, and what do the commits cost the broker.

use std::time::{Duration, Instant};

use crate::row;
use crate::support::daemon::Settings;
use crate::support::kafka::NewRecord;
use crate::support::process::Signal;
use crate::support::{Kafka, S3Server, unique};

const WRITTEN_IN: Duration = Duration::from_secs(300);

pub fn report(kafka: &Kafka, store: &S3Server, (release, partitions): (&str, usize)) {
    row(&[
        &format!("{partitions} partitions seal at once"),
        "protocol",
        "all committed s",
        "commits",
        "broker CPU s",
        "daemon CPU s",
        "rebalances",
    ]);
    for protocol in ["classic", "consumer"] {
        let (topic, group, bucket) = (unique("seals"), unique("group"), store.bucket("seals"));
        kafka.create_topic(&topic, partitions);
        let settings = Settings::between(kafka, store, &group, &bucket)
            .topics(&[&topic])
            .set("kafka.protocol", &format!("{protocol:?}"))
            .set("seal.age", "\"1 h\"");
        let settings = match protocol {
            "classic" => settings.set("kafka.properties.\"session.timeout.ms\"", "6000"),
            _ => settings,
        };
        let daemon = settings.start();
        let each = |partition| NewRecord::of("{\"a\":1}").on_partition(partition);
        kafka.produce(&topic, &(0..partitions as i32).map(each).collect::<Vec<_>>());
        let read = || daemon.metric("sluice_read_records_total", &[]);
        daemon.wait_until("all to be read", WRITTEN_IN, || {
            (read() >= partitions as f64).then_some(())
        });
        let rebalances = || daemon.metric("sluice_rebalances_total", &[]);
        let commits = || daemon.metric("sluice_commit_duration_seconds_count", &[]);
        let (rebalances_before, commits_before) = (rebalances(), commits());
        let processes = [kafka.process_id(0), daemon.process_id()];
        let used = processes.map(cpu_s);
        let started = Instant::now();
        daemon.signal(Signal::SealNow);
        daemon.wait_until("all to be committed", WRITTEN_IN, || {
            (kafka.lag(&group, &topic) == 0).then_some(())
        });
        let took = started.elapsed().as_secs_f64();
        let [broker, own] = processes.map(cpu_s);
        row(&[
            &format!("Kafka {release}"),
            protocol,
            &format!("{took:.1}"),
            &format!("{:.0}", commits() - commits_before),
            &format!("{:.2}", broker - used[0]),
            &format!("{:.2}", own - used[1]),
            &format!("{:.0}", rebalances() - rebalances_before),
        ]);
        daemon.stop_cleanly();
        kafka.delete_topic(&topic);
    }
}

/// Processor time of a process so far, in hundredths as the kernel counts it.
fn cpu_s(process: u32) -> f64 {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap();
    // The name in parentheses may hold spaces; behind it the fields count from the third.
    let (_, fields) = stat.rsplit_once(") ").unwrap();
    let ticks = fields.split(' ').skip(11).take(2).map(|field| field.parse::<f64>().unwrap());
    ticks.sum::<f64>() / 100.0
}
