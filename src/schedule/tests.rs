//! Scheduling, retries, the ordered window and stopping, with a mock in the place of the pool.

mod attempts;
mod mock;

use crate::sink::SinkError;
use crate::spec::outcome::Status;
use mock::{Act, Case, Then, case, fails, takes};
use proptest::prelude::*;
use std::time::Duration;

fn seconds(s: f64) -> Duration {
    Duration::from_secs_f64(s)
}

#[test]
fn all_slots_are_used_and_never_more() {
    for concurrency in [1, 3, 8] {
        let mut even = case((0..24).map(|_| takes(1000)).collect());
        even.settings.concurrency = concurrency;
        let ran = even.run();
        assert_eq!(ran.log.most_running, concurrency);
        let rounds = 24 / concurrency as u64;
        let expected = Duration::from_secs(rounds);
        assert!(
            ran.took >= expected && ran.took < expected + seconds(0.5),
            "{:?}",
            ran.took
        );
    }
}

#[test]
fn where_there_are_fewer_slots_no_more_run() {
    let mut few = case((0..24).map(|_| takes(1000)).collect());
    few.settings.concurrency = 8;
    few.slots = 3;
    assert_eq!(few.run().log.most_running, 3);
}

#[test]
fn one_slow_episode_does_not_hold_up_the_others() {
    let mut acts = vec![takes(60_000)];
    acts.extend((0..20).map(|_| takes(1)));
    let ran = case(acts).run();
    assert_eq!(ran.ids().last(), Some(&"e0"));
    assert!(ran.took < seconds(61.0), "{:?}", ran.took);
}

#[test]
fn without_items_the_sweep_ends_at_once() {
    let ran = case(Vec::new()).run();
    assert!(ran.results.is_empty() && !ran.end.interrupted);
    assert!(ran.took < seconds(0.5));
}

#[test]
fn statistics_count_every_result_retry_and_start() {
    let ran = case(vec![
        takes(1),
        fails(1, Then::Exit(0)),
        fails(2, Then::Exit(1)),
        fails(9, Then::Exit(0)),
        fails(0, Then::Refuse),
        Act::InvalidLine,
    ])
    .run();
    let counts = ran.statistics.counts();
    let shown = [
        Status::Ok,
        Status::Failed,
        Status::InfraError,
        Status::Invalid,
    ];
    assert_eq!(shown.map(|status| counts.get(status)), [2, 1, 1, 2]);
    assert_eq!(counts.total(), 6);
    // The second, third and fourth, with one, two and two extra attempts.
    assert_eq!(
        (ran.statistics.retried(), ran.statistics.extra_attempts()),
        (3, 5)
    );
    // Only what ran has a startup: 300 ns in the mock.
    assert_eq!(ran.statistics.startup().len(), 3);
    assert_eq!(ran.statistics.startup().max(), 300);
    assert_eq!(ran.statistics.within_target(), 3);
    assert_eq!(ran.written.unwrap().lines, 6);
}

#[test]
fn a_source_that_breaks_still_gets_results_for_all_it_delivered() {
    let mut broken = case((0..10).map(|_| takes(5)).collect());
    broken.broken_source = true;
    let ran = broken.run();
    assert_eq!(ran.results.len(), 10);
    let error = ran.end.source_error.unwrap().to_string();
    assert!(error.starts_with("jobs.jsonl cannot be read"), "{error}");
}

fn ordered(acts: Vec<Act>, window: usize) -> Case {
    let mut case = case(acts);
    case.settings.concurrency = 4;
    case.settings.window = Some(window);
    case
}

#[test]
fn ordered_results_wait_for_a_slow_first_and_the_window_bounds_how_many() {
    let mut acts = vec![takes(10_000)];
    acts.extend((0..40).map(|_| takes(1)));
    let ran = ordered(acts, 7).run();
    let expected: Vec<String> = (0..41).map(|n| format!("e{n}")).collect();
    assert_eq!(ran.ids(), expected);
    assert_eq!(ran.log.furthest_ahead, 6);
    assert!(ran.log.most_running <= 4);
}

#[test]
fn without_order_nothing_bounds_how_far_the_others_run_ahead() {
    let mut acts = vec![takes(10_000)];
    acts.extend((0..40).map(|_| takes(1)));
    let mut unordered = ordered(acts, 7);
    unordered.settings.window = None;
    assert_eq!(unordered.run().log.furthest_ahead, 40);
}

/// Two at a time, a second each.
fn stopped(each_s: u64, signals: &[f64]) -> Case {
    let mut case = case((0..10).map(|_| takes(each_s * 1000)).collect());
    case.signals = signals.iter().map(|&s| seconds(s)).collect();
    case
}

#[test]
fn after_one_signal_what_runs_may_finish_and_nothing_starts() {
    let ran = stopped(1, &[1.5]).run();
    assert_eq!((ran.log.started(), ran.results.len()), (4, 4));
    assert!(ran.end.interrupted);
    assert_eq!((ran.end.given_up, ran.log.dropped), (0, 0));
    assert!(
        ran.took >= seconds(2.0) && ran.took < seconds(2.2),
        "{:?}",
        ran.took
    );
}

#[test]
fn what_outlasts_the_grace_period_is_given_up_and_counted() {
    let ran = stopped(60, &[1.0]).run();
    assert!(ran.end.interrupted);
    assert_eq!((ran.end.given_up, ran.log.dropped), (2, 2));
    assert_eq!((ran.log.started(), ran.results.len()), (2, 0));
    assert!(
        ran.took >= seconds(6.0) && ran.took < seconds(6.2),
        "{:?}",
        ran.took
    );
}

#[test]
fn a_second_signal_gives_up_at_once() {
    let ran = stopped(60, &[1.0, 2.0]).run();
    assert_eq!((ran.end.given_up, ran.log.dropped), (2, 2));
    assert!(
        ran.took >= seconds(2.0) && ran.took < seconds(2.2),
        "{:?}",
        ran.took
    );
}

#[test]
fn an_episode_that_keeps_failing_does_not_outlast_the_grace_period() {
    let mut retrying = case(vec![Act::Run {
        delay: seconds(2.0),
        failures: 99,
        then: Then::Exit(0),
    }]);
    retrying.signals = vec![seconds(1.0)];
    retrying.settings.retries = 100;
    let ran = retrying.run();
    assert!(ran.end.interrupted);
    assert_eq!((ran.end.given_up, ran.results.len()), (1, 0));
    assert!(ran.took < seconds(6.2), "{:?}", ran.took);
}

#[test]
fn when_results_cannot_be_written_no_new_episode_is_started() {
    let mut full = case((0..2000).map(|_| takes(2)).collect());
    full.output = Some("/dev/full".into());
    full.real_time = true;
    let ran = full.run();
    assert!(ran.end.interrupted);
    assert!(ran.log.started() < 500, "{} started", ran.log.started());
    assert_eq!((ran.end.given_up, ran.log.dropped), (0, 0));
    let started = ran.log.started() as u64;
    match ran.written {
        Err(SinkError::Write { unwritten, .. }) => assert_eq!(unwritten, started),
        other => panic!("{other:?}"),
    }
}

fn act() -> impl Strategy<Value = Act> {
    let then = prop_oneof![4 => (0..3i32).prop_map(Then::Exit), 1 => Just(Then::Refuse)];
    prop_oneof![
        1 => Just(Act::InvalidLine),
        6 => (0..50u64, prop_oneof![3 => Just(0), 1 => 0..6u32], then).prop_map(
            |(ms, failures, then)| Act::Run { delay: Duration::from_millis(ms), failures, then }
        ),
    ]
}

/// Status and executions that an item must come to.
fn expected(act: &Act, retries: u32) -> (&'static str, u32) {
    match act {
        Act::InvalidLine => ("invalid", 0),
        Act::Run { failures, .. } if *failures > retries => ("infra_error", retries + 1),
        Act::Run { failures, then, .. } => {
            let status = match then {
                Then::Exit(0) => "ok",
                Then::Exit(_) => "failed",
                Then::Killed(_) | Then::BothKilled(..) => "infra_error",
                Then::Refuse => "invalid",
                Then::Starve(_) => unreachable!("none is among these"),
            };
            (status, failures + 1)
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn every_item_gets_exactly_one_result_whatever_fails_and_however_long_it_takes(
        acts in prop::collection::vec(act(), 0..60),
        concurrency in 1..9usize,
        retries in 0..4u32,
        window in prop::option::of(1..20usize),
    ) {
        let mut random = case(acts.clone());
        random.settings.concurrency = concurrency;
        random.settings.retries = retries;
        random.settings.window = window;
        let ran = random.run();
        prop_assert_eq!(ran.results.len(), acts.len());
        for (item, act) in acts.iter().enumerate() {
            let (status, attempts) = expected(act, retries);
            prop_assert_eq!(ran.result(item)["status"].as_str(), Some(status));
            prop_assert_eq!(ran.log.attempts[item], attempts);
        }
        prop_assert!(ran.log.most_running <= concurrency);
        if let Some(window) = window {
            prop_assert!(ran.log.furthest_ahead < window);
            let in_order: Vec<String> = (0..acts.len()).map(|n| format!("e{n}")).collect();
            prop_assert_eq!(ran.ids(), in_order);
        }
        prop_assert!(!ran.end.interrupted && ran.end.given_up == 0);
        prop_assert_eq!(ran.statistics.counts().total(), acts.len() as u64);
    }

    #[test]
    fn a_signal_at_any_moment_leaves_each_item_with_one_result_or_none(
        acts in prop::collection::vec(act(), 0..60),
        concurrency in 1..9usize,
        window in prop::option::of(1..20usize),
        signals in prop::collection::vec(0..400u64, 1..3),
    ) {
        let mut random = case(acts.clone());
        random.settings.concurrency = concurrency;
        random.settings.window = window;
        random.settings.grace = Duration::from_millis(20);
        random.signals = signals.into_iter().map(Duration::from_millis).collect();
        let ran = random.run();
        for (item, act) in acts.iter().enumerate() {
            if ran.ids().contains(&format!("e{item}").as_str()) {
                let (status, attempts) = expected(act, 2);
                prop_assert_eq!(ran.result(item)["status"].as_str(), Some(status));
                prop_assert_eq!(ran.log.attempts[item], attempts);
            }
        }
        // What was started has a result or was given up.
        let invalid = ran.results.iter().filter(|r| r["error"] == "not an episode").count();
        prop_assert_eq!(ran.log.started(), ran.results.len() - invalid + ran.end.given_up);
        prop_assert_eq!(ran.statistics.counts().total(), ran.results.len() as u64);
        prop_assert!(ran.end.interrupted || ran.results.len() == acts.len());
    }
}
