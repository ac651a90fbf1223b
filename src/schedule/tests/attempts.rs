//! Further attempts: after failures of our side and the host's, in quiet, and for an audit.

use super::mock::{Act, Case, Then, case, fails, takes};
use crate::schedule::Sample;
use crate::spec::host_fault::{CountedBy, HostFault, RefusedBy};
use std::time::Duration;

#[test]
fn a_failure_of_our_side_is_retried_and_attempts_says_so() {
    let ran = case((0..3).map(|n| fails(n, Then::Exit(0))).collect()).run();
    for item in 0..3 {
        assert_eq!(ran.result(item)["status"], "ok");
        assert_eq!(ran.result(item)["attempts"], item as u64 + 1);
        assert_eq!(ran.log.attempts[item], item as u32 + 1);
    }
}

#[test]
fn the_cause_of_each_attempt_that_was_retried_is_kept_in_order() {
    let ran = case(vec![
        fails(0, Then::Exit(0)),
        fails(2, Then::Exit(1)),
        fails(9, Then::Exit(0)),
    ])
    .run();
    assert_eq!(ran.result(0).get("attempt_errors"), None);
    let causes = serde_json::json!(["attempt 1 failed", "attempt 2 failed"]);
    assert_eq!(ran.result(1)["attempt_errors"], causes);
    assert_eq!(ran.result(1).get("error"), None);
    assert_eq!(ran.result(2)["attempt_errors"], causes);
    assert_eq!(ran.result(2)["error"], "attempt 3 failed");
}

#[test]
fn after_the_last_retry_the_result_is_an_infra_error_with_the_last_cause() {
    let ran = case(vec![fails(9, Then::Exit(0)), takes(1)]).run();
    let result = ran.result(0);
    assert_eq!(result["status"], "infra_error");
    assert_eq!(result["fault"], "infra");
    assert_eq!(result["attempts"], 3);
    assert_eq!(result["error"], "attempt 3 failed");
    assert_eq!(ran.log.attempts, [3, 1]);
    assert_eq!(ran.result(1)["status"], "ok");
    assert!(!ran.end.interrupted);
}

#[test]
fn what_the_machine_had_no_time_for_runs_once_more_in_quiet() {
    let cores = std::thread::available_parallelism().map_or(1, |n| n.get());
    let mut acts = vec![fails(0, Then::Starve(1)), fails(0, Then::Starve(2))];
    acts.extend((0..100).map(|_| takes(20)));
    let mut many = case(acts);
    many.settings.concurrency = 4 * cores;
    let ran = many.run();
    assert_eq!(ran.result(0)["status"], "ok");
    assert_eq!(ran.result(1)["status"], "infra_error");
    for item in 0..2 {
        let result = ran.result(item);
        assert_eq!(result["attempts"], 2, "{result}");
        let cause = result["attempt_errors"][0].as_str().unwrap();
        assert!(cause.contains("the machine was too busy"), "{result}");
        assert!(ran.log.beside[item] <= (cores / 2).max(1), "{:?}", ran.log);
    }
    assert!((2..102).all(|item| ran.result(item)["attempts"] == 1));
}

#[test]
fn first_attempts_that_the_machine_had_no_time_for_count_where_second_ones_end_well() {
    let cores = std::thread::available_parallelism().map_or(1, |n| n.get());
    let full = 8 * cores;
    let mut acts: Vec<Act> = (0..full).map(|_| fails(0, Then::Starve(1))).collect();
    acts.extend((0..100).map(|_| takes(20)));
    let mut busy = case(acts);
    busy.settings.concurrency = full;
    let ran = busy.run();
    assert!(ran.results.iter().all(|result| result["status"] == "ok"));
    let beside = ran.log.beside[full..].iter().max();
    assert_eq!(beside, Some(&(full / 2)));
}

#[test]
fn what_an_audit_chooses_runs_again_when_all_have_begun() {
    let mut acts: Vec<Act> = (0..10).map(|_| takes(1)).collect();
    acts.push(Act::InvalidLine);
    acts.push(fails(0, Then::Starve(1)));
    let mut audited = case(acts);
    audited.settings.retries = 0;
    audited.settings.audit = Some(Sample {
        share: 1.0,
        seed: 1,
    });
    let ran = audited.run();
    for item in 0..10 {
        assert_eq!(ran.log.attempts[item], 2);
        let audit = serde_json::json!({"status": "ok", "agrees": true});
        assert_eq!(ran.result(item)["audit"], audit);
    }
    assert_eq!(ran.result(11)["status"], "infra_error");
    let audit = serde_json::json!({"status": "ok", "agrees": false});
    assert_eq!(ran.result(11)["audit"], audit);
    assert_eq!(ran.results.len(), 12);
}

/// Ten episodes of two seconds each, two at a time, each of which is to run again.
fn audited(signals: &[u64]) -> Case {
    let mut audited = case((0..10).map(|_| takes(2000)).collect());
    audited.settings.audit = Some(Sample {
        share: 1.0,
        seed: 1,
    });
    audited.settings.grace = Duration::from_secs(1);
    audited.signals = signals
        .iter()
        .map(|ms| Duration::from_millis(*ms))
        .collect();
    audited
}

#[test]
fn first_verdicts_of_an_audit_are_written_when_it_is_interrupted() {
    // In the middle of first runs and of second runs; twice, so that nothing is waited for.
    for signals in [&[4500][..], &[12_500], &[4500, 4600], &[12_500, 12_600]] {
        let first = signals[0];
        let ran = audited(signals).run();
        let have_run = if first < 10_000 { 4 } else { 10 };
        assert_eq!(ran.results.len(), have_run, "{signals:?}");
        assert!(ran.results.iter().all(|result| result["status"] == "ok"));
        assert!(ran.end.interrupted);
        let given_up = if first < 10_000 { 2 } else { 0 };
        assert_eq!(ran.end.given_up, given_up, "{signals:?}");
        let again = ran.results.iter().filter(|r| r.get("audit").is_some());
        let agree = if first < 10_000 { 0 } else { 2 };
        assert_eq!(again.count(), agree, "{signals:?}");
    }
}

#[test]
fn what_the_host_killed_is_repeated_and_an_infra_error_at_last() {
    let killed = Then::Killed(HostFault::Killed(CountedBy::SlotCgroup));
    let ran = case(vec![fails(0, killed)]).run();
    assert_eq!(ran.log.attempts, [3]);
    let result = ran.result(0);
    assert_eq!(
        (&result["status"], &result["fault"]),
        (&"infra_error".into(), &"infra".into())
    );
    assert_eq!(
        (&result["exit_code"], &result["signal"]),
        (&137.into(), &9.into())
    );
    let causes = result["attempt_errors"].as_array().unwrap();
    assert_eq!(causes.len(), 2);
    let cause = "the host ran out of memory and killed the program: ";
    assert!(
        causes
            .iter()
            .all(|told| told.as_str().unwrap().starts_with(cause))
    );
}

#[test]
fn evidence_that_may_be_of_another_process_excuses_a_program_once() {
    let shared = [
        HostFault::Killed(CountedBy::RunnerCgroup),
        HostFault::NoProcesses(RefusedBy::Cgroup),
        HostFault::NoProcesses(RefusedBy::User { limit: 60 }),
    ];
    let ran = case(shared.map(|fault| fails(0, Then::Killed(fault))).into()).run();
    assert_eq!(ran.log.attempts, [2, 2, 2]);
    for item in 0..3 {
        let result = ran.result(item);
        assert_eq!(
            (&result["status"], &result["fault"]),
            (&"signaled".into(), &"program".into())
        );
        assert_eq!((&result["signal"], result.get("error")), (&9.into(), None));
        assert_eq!(result["attempt_errors"].as_array().unwrap().len(), 1);
    }
}

#[test]
fn evidence_that_is_certain_is_taken_beside_some_that_is_not() {
    let refused = HostFault::NoProcesses(RefusedBy::Cgroup);
    let killed = HostFault::Killed(CountedBy::SlotCgroup);
    let acts = [(refused, killed), (killed, refused)];
    let ran = case(acts.map(|(a, b)| fails(0, Then::BothKilled(a, b))).into()).run();
    assert_eq!(ran.log.attempts, [3, 3]);
}

#[test]
fn without_retries_there_is_one_attempt() {
    let mut once = case(vec![fails(1, Then::Exit(0))]);
    once.settings.retries = 0;
    let ran = once.run();
    assert_eq!(ran.log.attempts, [1]);
    assert_eq!(ran.result(0)["status"], "infra_error");
}

#[test]
fn what_the_spec_makes_impossible_is_not_retried() {
    let ran = case(vec![fails(0, Then::Refuse)]).run();
    assert_eq!(ran.log.attempts, [1]);
    assert_eq!(ran.result(0)["status"], "invalid");
    assert_eq!(ran.result(0)["fault"], "spec");
    assert_eq!(ran.result(0)["error"], "can't be done");
}

#[test]
fn a_program_that_fails_is_not_retried() {
    let ran = case(vec![fails(0, Then::Exit(3))]).run();
    assert_eq!(ran.log.attempts, [1]);
    assert_eq!(ran.result(0)["status"], "failed");
    assert_eq!(ran.result(0)["exit_code"], 3);
}
