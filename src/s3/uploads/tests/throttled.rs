//! A store that asks for less gets less, below the prefix that it means.

use super::*;

fn puts_under_way(bench: &Bench) -> usize {
    let requests = bench.store.requests().into_iter();
    requests.filter(|(operation, key)| *operation == Operation::Put && key != "topics/1").count()
}

#[tokio::test(start_paused = true)]
async fn a_prefix_that_is_slowed_down_has_fewer_requests_at_once() {
    for (fault, expected) in [(None, REQUESTS_MAX), (Some("SlowDown"), REQUESTS_MAX / 2)] {
        let bench = Bench::new();
        if let Some(code) = fault {
            bench.store.fail(Operation::Put, "topics/1", 1, Fault::answer(code, 503));
        }
        bench.put(1);
        assert_eq!(bench.next().await, ("put", PUBLISHED));
        for id in 100..200 {
            bench.store.fail(Operation::Put, &format!("/{id}"), 1, Fault::Hang(When::Before));
            bench.put(id);
        }
        bench.settle().await;
        assert_eq!(puts_under_way(&bench), expected, "after {fault:?}");
    }
}
