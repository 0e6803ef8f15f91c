//! Each rule of the committer by itself, then any order of events against what must hold always.

use proptest::prelude::*;

use super::waiting::UNLISTED_MAX;
use super::*;

fn at(seconds: u64) -> Uptime {
    Uptime::new(Duration::from_secs(seconds))
}

fn offset(value: i64) -> Offset {
    Offset::new(value).unwrap()
}

fn member(generation: i32) -> Membership {
    Membership { member: "m".to_owned(), generation }
}

/// A committer with tokens 0 to `tokens`, in generation 1.
fn committer(tokens: u64) -> Committer {
    let mut committer = Committer::new(GroupProtocol::Classic);
    committer.membership(member(1));
    for token in 0..tokens {
        let index = i32::try_from(token).unwrap();
        committer.assigned(Address(token), TopicPartition::new("pin", index).unwrap());
    }
    committer
}

fn fault(fault: CommitFault) -> Vec<FaultCode> {
    vec![FaultCode { fault, code: "CODE".to_owned() }]
}

fn answer(committer: &mut Committer, id: u64, faults: Vec<FaultCode>) -> Vec<Outcome> {
    committer.answered(at(1), &CommitAnswer { id, faults });
    std::iter::from_fn(|| committer.poll_outcome()).collect()
}

fn enqueue(committer: &mut Committer, address: u64) {
    committer.enqueue(at(0), Address(address), offset(7), format!("plan {address}"));
}

#[test]
fn sends_what_is_ready_together_and_nothing_until_the_answer() {
    let mut committer = committer(3);
    enqueue(&mut committer, 0);
    enqueue(&mut committer, 1);
    let request = committer.poll_request(at(0)).unwrap();
    assert_eq!(request.entries.len(), 2);
    enqueue(&mut committer, 2);
    assert_eq!(committer.poll_request(at(0)), None);
    let outcomes = answer(&mut committer, request.id, Vec::new());
    assert_eq!(outcomes, [Outcome::Committed(Address(0)), Outcome::Committed(Address(1))]);
    assert_eq!(committer.poll_request(at(0)).unwrap().entries.len(), 1);
}

#[test]
fn a_request_carries_at_most_64_partitions() {
    let mut committer = committer(100);
    (0..100).for_each(|address| enqueue(&mut committer, address));
    assert_eq!(committer.poll_request(at(0)).unwrap().entries.len(), ENTRIES_MAX);
}

/// 256 KiB; 64 plans of the longest kind are far below.
#[test]
fn a_request_carries_only_so_many_bytes() {
    for (bytes, entries) in [(1_200, 64), (4_096, 64), (5_000, 52), (300_000, 1)] {
        let mut committer = committer(64);
        for address in 0..64 {
            committer.enqueue(at(0), Address(address), offset(7), "m".repeat(bytes));
        }
        assert_eq!(committer.poll_request(at(0)).unwrap().entries.len(), entries, "{bytes}");
    }
}

/// A restart of a partition: the old address is dead, and what it had waiting must be answered
/// before.
#[test]
fn a_token_moves_to_another_address_only_while_nothing_of_it_is_on_its_way() {
    let mut committer = committer(2);
    let partition = TopicPartition::new("pin", 0).unwrap();
    let of = |committer: &Committer| committer.addresses_of(std::slice::from_ref(&partition));
    assert!(!committer.replace(Address(9), Address(10)), "a dead one");
    enqueue(&mut committer, 0);
    assert!(!committer.replace(Address(0), Address(10)), "it has a commit waiting");
    let request = committer.poll_request(at(0)).unwrap();
    assert!(!committer.replace(Address(0), Address(10)), "it is on its way");
    answer(&mut committer, request.id, Vec::new());
    assert_eq!(of(&committer), [Address(0)]);
    assert!(committer.replace(Address(0), Address(10)));
    assert_eq!(of(&committer), [Address(10)]);
    assert_eq!(committer.partition_of(Address(10)), Some(&partition));
    assert_eq!(committer.partition_of(Address(0)), None);
    assert_eq!([0, 1, 10].map(|one| committer.is_alive(Address(one))), [false, true, true]);
}

/// The old client's answer may still come, to a number that must not be given again.
#[test]
fn a_late_answer_to_another_client_reaches_nobody() {
    let mut committer = committer(1);
    enqueue(&mut committer, 0);
    let late = committer.poll_request(at(0)).unwrap().id;
    committer.client_is_new();
    committer.membership(member(2));
    committer.assigned(Address(1), TopicPartition::new("pin", 0).unwrap());
    enqueue(&mut committer, 1);
    let request = committer.poll_request(at(0)).unwrap();
    assert_eq!(answer(&mut committer, late, Vec::new()), []);
    assert_eq!(answer(&mut committer, request.id, Vec::new()), [Outcome::Committed(Address(1))]);
}

#[test]
fn a_mixed_answer_is_unknown_for_all_and_each_is_repeated_alone_and_identically() {
    let mut committer = committer(2);
    enqueue(&mut committer, 0);
    enqueue(&mut committer, 1);
    let first = committer.poll_request(at(0)).unwrap();
    let outcomes = answer(&mut committer, first.id, fault(CommitFault::Refused));
    assert_eq!(outcomes, [Outcome::Retried { code: "CODE".to_owned() }]);
    for entry in &first.entries {
        let alone = committer.poll_request(at(1)).unwrap();
        assert_eq!(alone.entries, std::slice::from_ref(entry));
        answer(&mut committer, alone.id, Vec::new());
    }
}

#[test]
fn a_refusal_counts_only_for_a_request_of_its_own() {
    let mut committer = committer(1);
    enqueue(&mut committer, 0);
    let request = committer.poll_request(at(0)).unwrap();
    let outcomes = answer(&mut committer, request.id, fault(CommitFault::Refused));
    let refused = Outcome::Refused { address: Address(0), code: "CODE".to_owned() };
    assert_eq!(outcomes.first(), Some(&refused));
    assert_eq!(committer.poll_request(at(1)), None);
}

#[test]
fn who_was_refused_once_never_travels_in_a_group_again() {
    let mut committer = committer(3);
    enqueue(&mut committer, 1);
    let request = committer.poll_request(at(0)).unwrap();
    answer(&mut committer, request.id, fault(CommitFault::Refused));
    (0..3).for_each(|address| enqueue(&mut committer, address));
    let mut sizes = Vec::new();
    while let Some(request) = committer.poll_request(at(1)) {
        sizes.push(request.entries.len());
        answer(&mut committer, request.id, Vec::new());
    }
    assert_eq!(sizes, [2, 1]);
}

#[test]
fn what_is_ambiguous_is_repeated_identically_for_ever() {
    let mut committer = committer(1);
    enqueue(&mut committer, 0);
    let first = committer.poll_request(at(0)).unwrap();
    let mut request = first.clone();
    for round in 1..100 {
        answer(&mut committer, request.id, fault(CommitFault::Ambiguous));
        request = committer.poll_request(at(round * 10)).unwrap();
        assert_eq!(request.entries, first.entries);
    }
}

#[test]
fn a_code_in_no_list_is_repeated_ten_times_and_then_refuses() {
    let mut committer = committer(1);
    enqueue(&mut committer, 0);
    let mut rounds = 0;
    while let Some(request) = committer.poll_request(at(1_000 + rounds * 10)) {
        answer(&mut committer, request.id, fault(CommitFault::Unlisted));
        rounds += 1;
    }
    assert_eq!(rounds, u64::from(UNLISTED_MAX));
}

#[test]
fn a_freeze_holds_back_until_the_next_callback_or_generation() {
    for thaw in [
        |committer: &mut Committer| committer.rebalanced(),
        |committer: &mut Committer| {
            committer.membership(member(2));
        },
    ] {
        let mut committer = committer(1);
        enqueue(&mut committer, 0);
        let first = committer.poll_request(at(0)).unwrap();
        answer(&mut committer, first.id, fault(CommitFault::Freeze));
        assert!(committer.is_frozen());
        assert_eq!(committer.poll_request(at(5)), None);
        thaw(&mut committer);
        assert_eq!(committer.poll_request(at(5)).unwrap().entries, first.entries);
    }
}

#[test]
fn a_freeze_that_is_older_than_the_present_generation_does_not_freeze() {
    let mut committer = committer(1);
    enqueue(&mut committer, 0);
    let first = committer.poll_request(at(0)).unwrap();
    committer.membership(member(2));
    answer(&mut committer, first.id, fault(CommitFault::Freeze));
    assert!(!committer.is_frozen());
    assert!(committer.poll_request(at(0)).is_some());
}

#[test]
fn a_freeze_from_before_a_rebalance_does_not_freeze() {
    let mut committer = committer(1);
    enqueue(&mut committer, 0);
    let first = committer.poll_request(at(0)).unwrap();
    committer.rebalanced();
    answer(&mut committer, first.id, fault(CommitFault::Freeze));
    assert!(!committer.is_frozen());
    assert!(committer.poll_request(at(0)).is_some());
}

#[test]
fn whoever_waits_is_told_when_to_come_again() {
    let mut committer = committer(1);
    assert_eq!(committer.poll_deadline(), None, "nothing waits");
    enqueue(&mut committer, 0);
    let first = committer.poll_request(at(0)).unwrap();
    assert_eq!(committer.poll_deadline(), None, "the answer comes by itself");
    answer(&mut committer, first.id, fault(CommitFault::Ambiguous));
    let again = committer.poll_deadline().unwrap();
    assert!(again > at(1));
    assert_eq!(committer.poll_request(at(1)), None);
    let second = committer.poll_request(again).unwrap();
    committer.answered(again, &CommitAnswer { id: second.id, faults: fault(CommitFault::Freeze) });
    assert_eq!(committer.poll_deadline(), Some(again.after(FREEZE_MAX)));
}

#[test]
fn a_kill_takes_every_token_and_lets_nothing_through_under_that_membership() {
    let mut committer = committer(2);
    enqueue(&mut committer, 0);
    let request = committer.poll_request(at(0)).unwrap();
    enqueue(&mut committer, 1);
    answer(&mut committer, request.id, fault(CommitFault::Kill));
    assert!(!committer.is_alive(Address(0)) && !committer.is_alive(Address(1)));
    assert_eq!(committer.poll_request(at(100)), None);
    committer.rebalanced();
    committer.assigned(Address(9), TopicPartition::new("pin", 0).unwrap());
    enqueue(&mut committer, 9);
    assert_eq!(committer.poll_request(at(100)).unwrap().entries.len(), 1);
}

#[test]
fn frozen_or_killed_for_fifteen_seconds_subscribes_anew() {
    let mut committer = committer(1);
    enqueue(&mut committer, 0);
    let request = committer.poll_request(at(0)).unwrap();
    answer(&mut committer, request.id, fault(CommitFault::Freeze));
    committer.tick(at(15));
    assert_eq!(committer.poll_outcome(), None);
    committer.tick(at(16));
    assert_eq!(committer.poll_outcome(), Some(Outcome::Resubscribe));
}

#[test]
fn commits_nothing_outside_of_a_generation() {
    for (protocol, outside, inside) in
        [(GroupProtocol::Classic, -1, 0), (GroupProtocol::Consumer, 0, 1)]
    {
        let mut committer = Committer::new(protocol);
        committer.assigned(Address(0), TopicPartition::new("pin", 0).unwrap());
        committer.membership(member(outside));
        enqueue(&mut committer, 0);
        assert_eq!(committer.poll_request(at(0)), None);
        committer.membership(member(inside));
        assert!(committer.poll_request(at(0)).is_some());
    }
}

#[test]
fn a_late_answer_to_a_dead_token_reaches_nobody() {
    let mut committer = committer(1);
    enqueue(&mut committer, 0);
    let request = committer.poll_request(at(0)).unwrap();
    committer.kill(&[Address(0)]);
    assert!(committer.is_in_flight(&[Address(0)]));
    committer.assigned(Address(1), TopicPartition::new("pin", 0).unwrap());
    assert_eq!(answer(&mut committer, request.id, Vec::new()), []);
}

#[test]
fn a_commit_lasts_from_its_enqueue_through_every_try() {
    let mut committer = committer(2);
    enqueue(&mut committer, 0);
    let first = committer.poll_request(at(0)).unwrap();
    assert_eq!(committer.in_flight_since(), Some(at(0)));
    answer(&mut committer, first.id, fault(CommitFault::Ambiguous));
    assert_eq!(committer.in_flight_since(), None);
    committer.enqueue(at(9), Address(1), offset(7), "plan".to_owned());
    committer.poll_request(at(10)).unwrap();
    assert_eq!(committer.in_flight_since(), Some(at(0)));
}

fn any_fault() -> impl Strategy<Value = Option<CommitFault>> {
    prop_oneof![
        Just(None),
        Just(Some(CommitFault::Ambiguous)),
        Just(Some(CommitFault::Freeze)),
        Just(Some(CommitFault::Kill)),
        Just(Some(CommitFault::Refused)),
        Just(Some(CommitFault::Unlisted)),
    ]
}

#[derive(Clone, Debug)]
enum Event {
    Enqueue(u64),
    Answer(Option<CommitFault>),
    Kill(u64),
    Rebalanced,
    Generation(i32),
}

fn any_event() -> impl Strategy<Value = Event> {
    prop_oneof![
        4 => (0..8_u64).prop_map(Event::Enqueue),
        4 => any_fault().prop_map(Event::Answer),
        1 => (0..8_u64).prop_map(Event::Kill),
        1 => Just(Event::Rebalanced),
        1 => (-1..4).prop_map(Event::Generation),
    ]
}

proptest! {
    /// Whatever happens: one request at a time, nothing of a dead token, nothing outside of a
    /// generation, and one outcome at most for what was enqueued.
    #[test]
    fn any_order_of_events_keeps_the_rules(events in proptest::collection::vec(any_event(), 1..200)) {
        let mut committer = committer(8);
        let (mut waiting, mut alive, mut flight) = ([false; 8], [true; 8], None);
        let mut generation = 1;
        for (step, event) in events.into_iter().enumerate() {
            let now = at(u64::try_from(step).unwrap() * 3);
            match event {
                Event::Enqueue(token) if !waiting[usize::try_from(token).unwrap()] => {
                    enqueue(&mut committer, token);
                    waiting[usize::try_from(token).unwrap()] = alive[usize::try_from(token).unwrap()];
                }
                Event::Enqueue(_) => {}
                Event::Answer(found) => if let Some(id) = flight.take() {
                    let faults = found.map(fault).unwrap_or_default();
                    committer.answered(now, &CommitAnswer { id, faults });
                },
                Event::Kill(token) => {
                    committer.kill(&[Address(token)]);
                    alive[usize::try_from(token).unwrap()] = false;
                }
                Event::Rebalanced => committer.rebalanced(),
                Event::Generation(next) => { generation = next; committer.membership(member(next)); }
            }
            while let Some(outcome) = committer.poll_outcome() {
                match outcome {
                    Outcome::Committed(address) | Outcome::Refused { address, .. } => {
                        let token = usize::try_from(address.0).unwrap();
                        prop_assert!(alive[token] && waiting[token]);
                        waiting[token] = false;
                    }
                    Outcome::KilledAll { .. } => alive = [false; 8],
                    _ => {}
                }
            }
            if let Some(request) = committer.poll_request(now) {
                prop_assert!(flight.is_none() && generation >= 0);
                flight = Some(request.id);
                for entry in &request.entries {
                    let token = usize::try_from(entry.partition.partition.value()).unwrap();
                    prop_assert!(alive[token] && waiting[token]);
                }
            }
        }
    }
}

/// What the rule is worth: its test fails without it.
#[test]
fn a_broken_rule_fails_its_test() {
    let kill = a_kill_takes_every_token_and_lets_nothing_through_under_that_membership;
    assert!(Mutant::CommitsOutsideOfGroup.fails(commits_nothing_outside_of_a_generation));
    assert!(Mutant::RefusalsAreRepeated.fails(kill));
}
