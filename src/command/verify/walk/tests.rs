use super::*;
use crate::command::verify::sample::{add, add_named, at, pin, range};

fn bounds(begin: i64, end: i64) -> Bounds {
    let end = at(end);
    Bounds { begin: at(begin), end, end_after: end, pending: None, first_start: None }
}

/// Returns each step as a word with its range.
fn steps(holdings: &Holdings, bounds: &Bounds) -> Vec<String> {
    let (steps, _) = walk(&pin(), holdings, bounds);
    let word = |step: &Step<'_>| match step {
        Step::Gap(range) => format!("gap {range}"),
        Step::Batch(batch, range) => format!("{} {range}", batch.id).trim_matches('0').to_owned(),
        Step::Named(objects, range) => format!("{} named {range}", objects.len()),
    };
    steps.iter().map(word).collect()
}

fn findings(holdings: &Holdings, bounds: &Bounds) -> Vec<(Kind, Option<String>)> {
    let (_, findings) = walk(&pin(), holdings, bounds);
    findings.into_iter().map(|finding| (finding.kind, finding.key)).collect()
}

#[test]
fn what_lies_between_batches_and_at_the_ends_is_a_gap() {
    let mut holdings = Holdings::default();
    assert_eq!(steps(&holdings, &bounds(0, 0)), Vec::<String>::new());
    assert_eq!(steps(&holdings, &bounds(3, 9)), ["gap [3, 9)"]);
    add(&mut holdings, 1, 5, Some(10));
    add(&mut holdings, 2, 10, Some(12));
    add(&mut holdings, 3, 20, Some(30));
    let expected =
        ["gap [0, 5)", "1 [5, 10)", "2 [10, 12)", "gap [12, 20)", "3 [20, 30)", "gap [30, 33)"];
    assert_eq!(steps(&holdings, &bounds(0, 33)), expected);
    assert_eq!(findings(&holdings, &bounds(0, 33)), []);
}

#[test]
fn a_batch_without_a_plan_goes_up_to_the_next_one_or_the_end() {
    let mut holdings = Holdings::default();
    add(&mut holdings, 1, 0, None);
    add(&mut holdings, 2, 10, Some(12));
    add(&mut holdings, 3, 12, None);
    add(&mut holdings, 4, 40, None);
    assert_eq!(steps(&holdings, &bounds(0, 33)), ["1 [0, 10)", "2 [10, 12)", "3 [12, 33)"]);
}

#[test]
fn batches_that_overlap_are_found_and_both_compared() {
    let mut holdings = Holdings::default();
    add(&mut holdings, 1, 0, Some(10));
    add(&mut holdings, 2, 5, Some(8));
    add(&mut holdings, 3, 10, Some(12));
    let expected = [(Kind::Overlap, Some("topics/2-5.json".to_owned()))];
    assert_eq!(findings(&holdings, &bounds(0, 12)), expected);
    assert_eq!(steps(&holdings, &bounds(0, 12)), ["1 [0, 10)", "2 [5, 8)", "3 [10, 12)"]);
    let mut holdings = Holdings::default();
    add(&mut holdings, 1, 0, Some(10));
    add(&mut holdings, 2, 0, Some(10));
    assert_eq!(findings(&holdings, &bounds(0, 10)).len(), 1, "two writers of one range");
}

#[test]
fn behind_the_end_only_what_was_never_planned_is_found() {
    let mut holdings = Holdings::default();
    add(&mut holdings, 1, 0, Some(10));
    add(&mut holdings, 2, 10, Some(20));
    add(&mut holdings, 3, 20, Some(30));
    add(&mut holdings, 4, 20, Some(31));
    // While the bucket was listed the daemon committed 20 and planned batch 3.
    let pending = Some(BatchId::new(3));
    let bounds = Bounds { end_after: at(20), pending, ..bounds(0, 10) };
    assert_eq!(steps(&holdings, &bounds), ["1 [0, 10)"]);
    let expected = [(Kind::Unexplained, Some("topics/4-20.json".to_owned()))];
    assert_eq!(findings(&holdings, &bounds), expected);
}

#[test]
fn the_predecessors_objects_cover_what_comes_before_ours() {
    let mut holdings = Holdings::default();
    for start in [10, 15, 30] {
        add_named(&mut holdings, "pin", start);
    }
    assert_eq!(
        steps(&holdings, &bounds(10, 40)),
        ["1 named [10, 15)", "1 named [15, 30)", "1 named [30, 40)"]
    );
    assert_eq!(
        steps(&holdings, &bounds(10, 12)),
        ["1 named [10, 12)"],
        "the rest is being written"
    );
    add(&mut holdings, 1, 25, Some(40));
    let expected = ["1 named [10, 15)", "1 named [15, 25)", "1 [25, 40)"];
    assert_eq!(steps(&holdings, &bounds(10, 40)), expected);
    let key = Some("topics/pin/pin+0+0000000030.json".to_owned());
    assert_eq!(findings(&holdings, &bounds(10, 40)), [(Kind::Unexplained, key)]);
}

/// Somebody wrote over the first object of ours, or under its name after it was deleted.
#[test]
fn nothing_behind_the_groups_own_beginning_is_the_predecessors() {
    let mut holdings = Holdings::default();
    for start in [0, 10] {
        add_named(&mut holdings, "pin", start);
    }
    add(&mut holdings, 1, 20, Some(30));
    let bounds = Bounds { first_start: Some(at(10)), ..bounds(0, 30) };
    assert_eq!(steps(&holdings, &bounds), ["1 named [0, 10)", "gap [10, 20)", "1 [20, 30)"]);
    let key = Some("topics/pin/pin+0+0000000010.json".to_owned());
    assert_eq!(findings(&holdings, &bounds), [(Kind::Unexplained, key)]);
}

#[test]
fn objects_of_several_folders_are_counted_together() {
    let mut holdings = Holdings::default();
    add_named(&mut holdings, "day=1", 10);
    add_named(&mut holdings, "day=2", 12);
    add_named(&mut holdings, "day=1", 20);
    assert_eq!(steps(&holdings, &bounds(10, 40)), ["3 named [10, 40)"]);
    assert_eq!(range(10, 40).to_string(), "[10, 40)");
}

#[test]
fn two_of_the_predecessors_objects_never_begin_together() {
    let mut holdings = Holdings::default();
    add_named(&mut holdings, "pin", 10);
    add_named(&mut holdings, "pin", 10);
    let kinds = |holdings: &Holdings| {
        let found = findings(holdings, &bounds(10, 40)).into_iter();
        found.map(|(kind, _)| kind).collect::<Vec<_>>()
    };
    assert_eq!(kinds(&holdings), [Kind::Overlap]);
    let mut holdings = Holdings::default();
    add_named(&mut holdings, "day=1", 10);
    add_named(&mut holdings, "day=2", 10);
    add_named(&mut holdings, "day=2", 20);
    assert_eq!(kinds(&holdings), [Kind::Overlap], "in two folders");
}
