use super::*;
use crate::command::verify::finding::Kind;
use crate::command::verify::sample::{at, pin};

fn subject(deep: bool) -> Subject {
    Subject {
        sluice_verify: VERSION,
        cluster: "cluster".to_owned(),
        group: "group".to_owned(),
        bucket: "bucket".to_owned(),
        deep,
    }
}

fn tally(records: u64) -> Tally {
    Tally { records, ..Tally::NOTHING }
}

fn finding(key: &str) -> Finding {
    Finding::new(Kind::Differs, pin(), "line 2 is another").key(key)
}

/// Does two steps, of which the second finds something, and a third that waits for its line.
fn write(path: &Path) {
    let mut resume = Resume::open(path, &subject(true)).unwrap();
    assert_eq!(resume.take(&pin(), "7"), None);
    resume.done(&pin(), Some(at(10)), (&tally(10), &mut Vec::new())).unwrap();
    let mut fresh = vec![finding("a")];
    resume.done(&pin(), Some(at(20)), (&tally(20), &mut fresh)).unwrap();
    assert_eq!(fresh, [], "it is written down");
    resume.done(&pin(), Some(at(30)), (&tally(30), &mut Vec::new())).unwrap();
    resume.done(&pin(), None, (&tally(30), &mut Vec::new())).unwrap();
}

#[test]
fn what_was_done_is_read_back() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state");
    write(&path);
    let done = Done { until: at(30), tally: tally(30), findings: vec![finding("a")] };
    let mut resume = Resume::open(&path, &subject(true)).unwrap();
    assert_eq!(resume.take(&pin(), "7"), Some(done));
    assert_eq!(resume.take(&pin(), "7"), None, "once");
    drop(resume);
    let mut resume = Resume::open(&path, &subject(true)).unwrap();
    assert_eq!(resume.take(&pin(), "8"), None, "the topic was created anew");
}

#[test]
fn a_line_that_was_cut_is_done_again() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state");
    write(&path);
    let whole = std::fs::read(&path).unwrap();
    for length in 0..whole.len() {
        std::fs::write(&path, &whole[..length]).unwrap();
        let mut resume = Resume::open(&path, &subject(true)).unwrap();
        let until = resume.take(&pin(), "7").map(|done| done.until);
        assert!([None, Some(at(20))].contains(&until), "{length}");
        let mut fresh = vec![finding("b")];
        resume.done(&pin(), Some(at(40)), (&tally(40), &mut fresh)).unwrap();
        let mut again = Resume::open(&path, &subject(true)).unwrap();
        assert_eq!(again.take(&pin(), "7").map(|done| done.until), Some(at(40)), "{length}");
    }
}

#[test]
fn files_of_something_else_are_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state");
    write(&path);
    let before = std::fs::read(&path).unwrap();
    let other = Resume::open(&path, &subject(false)).unwrap_err().to_string();
    assert_eq!(
        other,
        format!(
            "`{}` belongs to another comparison (group `group`, bucket `bucket`, cluster `cluster`, \
             deep: true): name another file",
            path.display()
        )
    );
    assert_eq!(std::fs::read(&path).unwrap(), before);
    for text in ["my notes", "my notes\n", "{\"sluice_verify\":1}\n"] {
        std::fs::write(&path, text).unwrap();
        let foreign = Resume::open(&path, &subject(true));
        assert!(matches!(foreign, Err(ResumeError::Foreign { .. })), "{text}");
        assert_eq!(std::fs::read_to_string(&path).unwrap(), text);
    }
}
