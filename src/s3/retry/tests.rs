use super::super::cancel::cancellation;
use super::super::error::Operation;
use super::super::memory::Recorder;
use super::*;
use crate::model::Bucket;

fn failure(kind: StoreErrorKind) -> StoreError {
    StoreError {
        operation: Operation::Put,
        bucket: Bucket::new("abc").unwrap(),
        key: None,
        kind,
        code: None,
        status: None,
        request_id: None,
        cause: None,
    }
}

#[test]
fn delays_double_up_to_thirty_seconds() {
    for (attempt, whole_ms) in [(1, 100), (2, 200), (3, 400), (9, 25_600), (10, 30_000)] {
        for round in 0..=50 {
            let delay = delay_after(attempt, f64::from(round) / 50.0);
            let whole = Duration::from_millis(whole_ms);
            assert!(delay >= whole / 2 && delay <= whole, "{attempt}: {delay:?}");
        }
    }
    assert!(delay_after(u32::MAX, 1.0) <= DELAY_MAX);
}

#[tokio::test(start_paused = true)]
async fn what_heals_is_asked_until_it_succeeds_and_each_failure_is_told() {
    for kind in StoreErrorKind::ALL {
        let recorder = Arc::new(Recorder::default());
        let (_canceller, cancellation) = cancellation();
        let retry = Retry::new(Arc::<Recorder>::clone(&recorder), cancellation);
        let mut asked = 0;
        let result = retry
            .run(|| {
                asked += 1;
                std::future::ready(if asked < 50 { Err(failure(kind)) } else { Ok(()) })
            })
            .await;
        if kind.healing() == Healing::Never {
            assert_eq!((result, asked), (Err(Stopped::Definite(failure(kind))), 1));
            assert_eq!(recorder.retried().len(), 0);
        } else {
            assert_eq!((result, asked), (Ok(()), 50), "{kind:?}");
            assert_eq!(recorder.retried(), vec![kind; 49]);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_cancelled_wait_ends_at_once() {
    let (canceller, cancellation) = cancellation();
    let retry = Retry::new(Arc::new(Recorder::default()), cancellation);
    let waiting = retry.run(|| std::future::ready(Err::<(), _>(failure(StoreErrorKind::Timeout))));
    let cancel = async {
        tokio::time::sleep(Duration::from_secs(3_600)).await;
        canceller.cancel();
    };
    let (result, ()) = tokio::join!(waiting, cancel);
    assert_eq!(result, Err(Stopped::Cancelled));
}

#[tokio::test(start_paused = true)]
async fn a_bounded_run_gives_the_last_failure_back() {
    let (_canceller, cancellation) = cancellation();
    let retry = Retry::new(Arc::new(Recorder::default()), cancellation);
    let mut asked = 0;
    let result = retry
        .run_at_most(3, || {
            asked += 1;
            std::future::ready(Err::<(), _>(failure(StoreErrorKind::SlowDown)))
        })
        .await;
    assert_eq!(result, Err(Stopped::Definite(failure(StoreErrorKind::SlowDown))));
    assert_eq!(asked, 3);
}

#[tokio::test(start_paused = true)]
async fn a_kind_of_failure_is_logged_once_a_minute() {
    let log = FailureLog::default();
    assert_eq!(log.admit(StoreErrorKind::AccessDenied), Some(0));
    assert_eq!(log.admit(StoreErrorKind::AccessDenied), None);
    assert_eq!(log.admit(StoreErrorKind::Timeout), Some(0), "each kind on its own");
    tokio::time::advance(LOG_INTERVAL).await;
    assert_eq!(log.admit(StoreErrorKind::AccessDenied), Some(1));
    assert_eq!(log.admit(StoreErrorKind::AccessDenied), None);
}
