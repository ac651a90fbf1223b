//! Sudden deaths: of the runner, of an init, of a zygote.

use crate::common::{TestCgroup, Way, pause, scratch};
use crate::left::{Sweep, is_gone, start};
use nix::sys::signal::{Signal, kill};
use nix::sys::stat::Mode;
use nix::unistd::{Pid, mkfifo};
use serde_json::{Value, json};
use std::fs::{self, File, Permissions};
use std::io::Write;
use std::ops::RangeInclusive;
use std::os::unix::fs::PermissionsExt;
use std::process::Stdio;
use std::time::{Duration, Instant};

/// Background processes that want to survive, and a step that goes on with these words.
fn stubborn(n: usize, words: &str) -> Value {
    let command = format!(
        "(setsid bash -c 'trap \"\" TERM HUP INT; sleep 300' >/dev/null 2>&1 &); echo x > $TMPDIR/file; {words}; echo done"
    );
    json!({"id": format!("e{n}"), "command": command})
}

/// Goes on when the gate is open.
const WAITS: &str = "until [ -e {gate} ]; do sleep 0.1; done";

#[test]
fn a_runner_killed_at_any_moment_leaves_nothing_and_resumes_to_every_id_once() {
    for way in Way::all() {
        for delay_ms in [5, 40, 150, 400] {
            let jobs: Vec<Value> = (0..60)
                .map(|n| stubborn(n, if n % 20 == 19 { "sleep 1.5" } else { "true" }))
                .collect();
            let mut sweep = start(
                way,
                &jobs,
                &["--output", "out.jsonl", "--resume"],
                Stdio::null(),
            );
            if delay_ms > 100 {
                sweep.wait_running(1);
            }
            std::thread::sleep(Duration::from_millis(delay_ms));
            sweep.signal(Signal::SIGKILL);
            sweep.child.wait().unwrap();
            sweep.assert_nothing_left();
            assert_eq!(
                sweep.again(&["--output", "out.jsonl", "--resume"]),
                Some(0),
                "{way:?}: {}",
                sweep.stderr()
            );
            let results = sweep.results("out.jsonl");
            assert_eq!(results.len(), 60, "{way:?}");
            assert!(results.values().all(|r| r["status"] == "ok"), "{way:?}");
        }
    }
}

#[test]
fn what_a_zygote_is_yet_to_fork_when_the_runner_is_killed_does_not_stay() {
    let Some(frozen) = TestCgroup::make("freezer", ("freezer.state", "THAWED")) else {
        eprintln!("skipped: no cgroup that freezes processes (version 1) can be made here");
        return;
    };
    let set = |name: &str, text: &str| fs::write(frozen.path.join(name), text).unwrap();
    for way in Way::all() {
        let hold = |zygote: i32| {
            set("cgroup.procs", &zygote.to_string());
            set("freezer.state", "FROZEN");
        };
        let let_go = |_| set("freezer.state", "THAWED");
        assert_launch_does_not_stay(way, hold, let_go);
    }
}

/// The kernel sends SIGHUP to a stopped process's group when nobody is left who could let it go on.
#[test]
fn where_a_zygote_is_stopped_when_the_runner_is_killed_nothing_stays() {
    for way in Way::all() {
        let tell = |signal| {
            move |zygote| {
                let _ = kill(Pid::from_raw(zygote), signal);
            }
        };
        assert_launch_does_not_stay(way, tell(Signal::SIGSTOP), tell(Signal::SIGCONT));
    }
}

/// Kills a runner when init has told a zygote to fork a program, which cannot do so until everything else has ended.
fn assert_launch_does_not_stay(way: Way, hold: impl Fn(i32), let_go: impl Fn(i32)) {
    let directory = scratch();
    let more = directory.path().join("more.jsonl");
    mkfifo(&more, Mode::empty()).unwrap();
    fs::set_permissions(&more, Permissions::from_mode(0o666)).unwrap();
    let mut jobs = File::options().read(true).write(true).open(&more).unwrap();
    // No directory of the slot's, which may be gone by then; and such an episode has a slot of another kind.
    let job = |argv: &[&str]| json!({"argv": argv, "workdir": "/usr"});
    let first = [job(&["true"])];
    let args = ["--concurrency", "1", "--output", "out.jsonl", "--jobs"];
    let args = [&args[..], &[more.to_str().unwrap()]].concat();
    let mut sweep = start(way, &first, &args, Stdio::null());
    sweep.wait_until("the first has ended", |sweep| {
        fs::read(sweep.path("out.jsonl")).is_ok_and(|results| !results.is_empty())
    });
    let zygote = sweep.slot_processes("zygote")[0];
    hold(zygote);
    let late = sweep.line(&job(&["sleep", "300"]));
    jobs.write_all(late.as_bytes()).unwrap();
    // Nothing tells that init has sent the order.
    std::thread::sleep(Duration::from_secs(1));
    sweep.signal(Signal::SIGKILL);
    sweep.child.wait().unwrap();
    std::thread::sleep(Duration::from_millis(500));
    let_go(zygote);
    sweep.assert_nothing_left();
}

#[test]
fn a_runner_killed_while_everything_sleeps_leaves_nothing() {
    for way in Way::all() {
        let jobs: Vec<Value> = (0..3).map(|n| stubborn(n, "sleep 300")).collect();
        let mut sweep = start(way, &jobs, &["--concurrency", "3"], Stdio::null());
        sweep.wait_running(9);
        sweep.signal(Signal::SIGKILL);
        sweep.child.wait().unwrap();
        sweep.assert_nothing_left();
    }
}

/// Each has a filter, and the kernel is not to free all of them at once.
#[test]
fn the_zygotes_of_very_many_slots_end_in_groups_when_the_runner_is_killed() {
    for way in Way::all() {
        let jobs = vec![json!({"argv": ["sleep", "600"]}); 140];
        let args = ["--concurrency", "140", "--warm", "none"];
        let mut sweep = start(way, &jobs, &args, Stdio::null());
        sweep.wait_running(140);
        let zygotes = sweep.slot_processes("zygote");
        assert_eq!(zygotes.len(), 140, "{way:?}");
        let begin = Instant::now();
        sweep.signal(Signal::SIGKILL);
        sweep.child.wait().unwrap();
        let mut asked = begin;
        while !zygotes.iter().all(|pid| is_gone(*pid)) {
            assert!(begin.elapsed() < Duration::from_secs(60), "{way:?}");
            pause(asked);
            asked = Instant::now();
        }
        // The third group waits as long as that, and nothing else does.
        let took = begin.elapsed();
        assert!(took >= Duration::from_millis(200), "{way:?}: {took:?}");
        sweep.assert_nothing_left();
    }
}

#[test]
fn what_a_slot_has_printed_is_told_with_its_loss() {
    if !nix::unistd::geteuid().is_root() {
        return;
    }
    for way in Way::all() {
        let mut sweep = two_at_once(way, &[stubborn(0, WAITS)], "none");
        sweep.wait_running(3);
        let init = sweep.slot_processes("init")[0];
        let name = fs::read_to_string(format!("/proc/{init}/comm")).unwrap();
        let stderr = format!("/proc/{init}/fd/2");
        let mut stderr = File::options().append(true).open(stderr).unwrap();
        writeln!(stderr, "slot99 init: of another").unwrap();
        writeln!(stderr, "{}: panicked at a line", name.trim()).unwrap();
        kill(Pid::from_raw(init), Signal::SIGKILL).unwrap();
        sweep.open_gate();
        assert_eq!(sweep.wait(), Some(0), "{way:?}: {}", sweep.stderr());
        let told = &sweep.results("out.jsonl")["e0"]["attempt_errors"];
        let died = format!("the slot died: {}: panicked at a line", name.trim());
        assert_eq!(told, &json!([died]), "{way:?}");
        sweep.assert_nothing_left();
    }
}

/// Kills one process of a slot in the middle of an episode: that one is tried again, and nothing else happens.
fn one_dies(warm: &str, victims: impl Fn(&Sweep) -> Vec<i32>) {
    for way in Way::all() {
        let jobs: Vec<Value> = (0..4).map(|n| stubborn(n, WAITS)).collect();
        let mut sweep = two_at_once(way, &jobs, warm);
        // Of each of two: its shell, and a shell and a sleep in the background.
        sweep.wait_running(6);
        let victims = victims(&sweep);
        assert_death_costs(sweep, &jobs, 1..=1, victims);
    }
}

fn two_at_once(way: Way, jobs: &[Value], warm: &str) -> Sweep {
    let output = ["--output", "out.jsonl", "--warm", warm];
    let args = [&["--concurrency", "2"], &output[..]].concat();
    start(way, jobs, &args, Stdio::null())
}

/// Kills the first of the victims and lets the episodes end; the death has cost so many attempts.
#[track_caller]
fn assert_death_costs(
    mut sweep: Sweep,
    jobs: &[Value],
    attempts_lost: RangeInclusive<u64>,
    victims: Vec<i32>,
) {
    let way = sweep.way;
    kill(Pid::from_raw(victims[0]), Signal::SIGKILL).unwrap();
    sweep.open_gate();
    assert_eq!(sweep.wait(), Some(0), "{way:?}: {}", sweep.stderr());
    let results = sweep.results("out.jsonl");
    let attempts: Vec<u64> = results
        .values()
        .map(|r| r["attempts"].as_u64().unwrap())
        .collect();
    let lost = attempts.iter().sum::<u64>() - jobs.len() as u64;
    assert!(attempts_lost.contains(&lost), "{way:?}: {attempts:?}");
    assert!(
        results
            .values()
            .all(|r| r["status"] == "ok" && r["output"] == "done\n"),
        "{way:?}: {results:?}"
    );
    sweep.assert_nothing_left();
}

#[test]
fn an_init_that_dies_costs_a_retry_of_its_episode() {
    one_dies("bash", |sweep| sweep.slot_processes("init"));
}

#[test]
fn a_zygote_that_dies_costs_a_retry_of_its_episode() {
    one_dies("none", |sweep| sweep.slot_processes("zygote"));
}

#[test]
fn a_warm_interpreter_that_dies_costs_a_retry_of_its_episode() {
    one_dies("bash", super::left::Sweep::warm_interpreters);
}

/// Somebody outside stops it; what programs stop themselves is their own affair.
fn is_stopped(way: Way, role: &str) {
    let mut jobs: Vec<Value> = (0..2).map(|n| stubborn(n, "sleep 3")).collect();
    let goes_on = "(sleep 0.2; kill -CONT $$)& kill -STOP $$; echo done";
    jobs.push(json!({"id": "stops", "command": goes_on}));
    jobs.push(json!({"id": "stays", "command": "echo begun; kill -STOP $$"}));
    for job in &mut jobs {
        job["timeout_s"] = 8.into();
    }
    let args = "--concurrency 2 --output out.jsonl --warm none".split(' ');
    let mut sweep = start(way, &jobs, &args.collect::<Vec<_>>(), Stdio::null());
    sweep.wait_running(6);
    let victim = Pid::from_raw(sweep.slot_processes(role)[0]);
    kill(victim, Signal::SIGSTOP).unwrap();
    sweep.wait_until("a timeout in the other slot", |sweep| {
        let results = fs::read_to_string(sweep.path("out.jsonl")).unwrap_or_default();
        results.contains("\"stays\"")
    });
    let begun = Instant::now();
    let ended = sweep.wait();
    let (case, took) = (format!("{way:?}: {role}"), begun.elapsed());
    assert_eq!(ended, Some(0), "{case}: {}", sweep.stderr());
    // That timeout began later. The 30 s for a slot that may be busy would be more, on a busy machine too.
    assert!(took < Duration::from_secs(20), "{case}: {took:?}");
    let results = sweep.results("out.jsonl");
    let attempts = |id: &str| results[id]["attempts"].as_u64().unwrap();
    assert_eq!(attempts("e0") + attempts("e1"), 3, "{case}: {results:?}");
    let own = [attempts("stops"), attempts("stays")];
    assert_eq!(own, [1, 1], "{case}: {results:?}");
    for (id, result) in &results {
        let expected = if id == "stays" { "timeout" } else { "ok" };
        assert_eq!(result["status"], expected, "{case}: {id}: {result}");
    }
    sweep.assert_nothing_left();
}

#[test]
fn an_init_or_zygote_that_is_stopped_costs_a_retry_soon_after_the_timeout() {
    let cases = Way::all()
        .into_iter()
        .flat_map(|way| [(way, "init"), (way, "zygote")]);
    let start = |(way, role)| std::thread::spawn(move || is_stopped(way, role));
    let threads: Vec<_> = cases.map(start).collect();
    let ended: Vec<_> = threads
        .into_iter()
        .map(std::thread::JoinHandle::join)
        .collect();
    assert!(ended.iter().all(Result::is_ok), "see above");
}

/// Two programs in forks of a warm Python, which wait for the gate. Those that a busy machine starts before their slots
/// have their copies of it do not: they see their own arguments where a fork sees its parent's.
fn of_warm_python(way: Way) -> (Sweep, Vec<Value>) {
    let path = "{gate}";
    let bash = |n| json!({"id": format!("b{n}"), "command": format!("until [ -e {path}.python ]; do sleep 0.1; done; echo done")});
    let waits = include_str!("programs/waits_in_a_fork_of_a_warm_python.py");
    let python = |n| json!({"id": format!("p{n}"), "argv": ["python3", "-c", waits, path]});
    let jobs: Vec<Value> = (0..2).map(bash).chain((0..60).map(python)).collect();
    let mut sweep = two_at_once(way, &jobs, "auto");
    // A copy for each slot, which enters it when the episode there is over.
    sweep.wait_until("a warm Python", |sweep| {
        let copies = |pid: &i32| sweep.children(*pid).len();
        sweep.warm_parents().iter().map(copies).sum::<usize>() == 2
    });
    fs::write(sweep.path("gate/open.python"), "").unwrap();
    sweep.wait_until("programs in it", |sweep| {
        let zygotes = sweep.slot_processes("python");
        zygotes.len() == 2 && zygotes.iter().all(|pid| sweep.children(*pid).len() == 1)
    });
    (sweep, jobs)
}

#[test]
fn a_warm_python_that_dies_costs_a_retry_of_its_episode() {
    for way in Way::of_tier("namespaces") {
        let (sweep, jobs) = of_warm_python(way);
        let victims = sweep.slot_processes("python");
        assert_death_costs(sweep, &jobs, 1..=1, victims);
    }
}

/// Its zygotes go with it: two episodes run in them.
#[test]
fn the_death_of_the_parent_of_warm_pythons_costs_a_retry_of_each_episode_at_most() {
    for way in Way::of_tier("namespaces") {
        let (sweep, jobs) = of_warm_python(way);
        let victims = sweep.warm_parents();
        assert_death_costs(sweep, &jobs, 0..=2, victims);
    }
}

#[test]
fn slots_that_die_idle_are_replaced_and_leave_nothing() {
    for way in Way::all() {
        let short = |id| json!({"id": id, "command": ":"});
        let jobs = [stubborn(0, WAITS), short("one"), short("other")];
        let mut sweep = start(
            way,
            &jobs,
            &["--concurrency", "3", "--output", "out.jsonl"],
            Stdio::null(),
        );
        sweep.wait_running(3);
        sweep.wait_until("three slots, two of them idle", |sweep| {
            let results = fs::read_to_string(sweep.path("out.jsonl")).unwrap_or_default();
            results.lines().count() == 2 && sweep.slot_processes("init").len() == 3
        });
        let (busy, idle): (Vec<i32>, Vec<i32>) = sweep
            .slot_processes("init")
            .into_iter()
            .partition(|init| sweep.is_busy(*init));
        assert_eq!((busy.len(), idle.len()), (1, 2), "{way:?}");
        for pid in &idle {
            kill(Pid::from_raw(*pid), Signal::SIGKILL).unwrap();
        }
        // The other one's episode is to find them dead.
        sweep.wait_until("their end", |sweep| {
            let now = sweep.slot_processes("init");
            idle.iter().all(|pid| !now.contains(pid))
        });
        kill(Pid::from_raw(busy[0]), Signal::SIGKILL).unwrap();
        sweep.open_gate();
        assert_eq!(sweep.wait(), Some(0), "{way:?}: {}", sweep.stderr());
        assert_eq!(sweep.results("out.jsonl")["e0"]["attempts"], 2, "{way:?}");
        sweep.assert_nothing_left();
    }
}
