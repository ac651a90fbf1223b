//! What a busy machine makes of a program's time: what the host kept from it is not taken from its timeout, and a program
//! can't pass off as such what it does itself.

use super::{assert_ok, lines, number, ordinary_user, run, share_processes};
use crate::common::{Run, Way, run_in};
use nix::fcntl::FlockArg;
use nix::sched::{CpuSet, sched_getaffinity};
use nix::unistd::Pid;
use serde_json::{Value, json};
use std::process::{Child, Command};
use std::sync::atomic::{AtomicUsize, Ordering};

/// Cores on which processes only compute, until this is dropped.
struct BusyCores {
    list: String,
    hogs: Vec<Child>,
}

impl BusyCores {
    /// One core; the others are left to the tests beside this one.
    fn one(hogs: usize) -> BusyCores {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        let all = all_cores();
        BusyCores::of(
            &[all[NEXT.fetch_add(1, Ordering::Relaxed) % all.len()]],
            hogs,
        )
    }

    fn of(cores: &[usize], hogs: usize) -> BusyCores {
        let list = cores
            .iter()
            .map(usize::to_string)
            .collect::<Vec<_>>()
            .join(",");
        let hog = |_| {
            Command::new("taskset")
                .args(["-c", &list, "sh", "-c", "while :; do :; done"])
                .spawn()
                .expect("taskset starts")
        };
        let hogs = (0..hogs).map(hog).collect();
        BusyCores { list, hogs }
    }

    /// A run that has these cores alone, `beginning` with such words of a command line.
    fn run(&self, way: Way, beginning: &str, jobs: &str, arguments: &[&str]) -> Run {
        let _lock = share_processes(FlockArg::LockShared);
        let uid = if way.root { 0 } else { ordinary_user() };
        let script = format!("exec taskset -c {} {beginning} \"$@\"", self.list);
        run_in(&script, uid, way, jobs, arguments)
    }
}

impl Drop for BusyCores {
    fn drop(&mut self) {
        for hog in &mut self.hogs {
            let _ = hog.kill();
            let _ = hog.wait();
        }
    }
}

fn all_cores() -> Vec<usize> {
    let ours = sched_getaffinity(Pid::from_raw(0)).expect("one's own cores");
    (0..CpuSet::count())
        .filter(|core| ours.is_set(*core) == Ok(true))
        .collect()
}

fn python(id: &str, program: &str) -> Value {
    let prelude = include_str!("programs/compute.py");
    json!({"id": id, "argv": ["python3", "-c", format!("{prelude}{program}")], "timeout_s": 1})
}

#[test]
fn what_the_host_kept_from_a_program_is_not_taken_from_its_timeout() {
    let mut episodes = [
        python("computes", "compute(2)"),
        python(
            "in children",
            include_str!("programs/computes_in_children.py"),
        ),
        python("never ends", "compute(1000)"),
    ];
    // Beside other tests they may have to wait for the disk when they start: that is no time of a core that they lose.
    for episode in &mut episodes {
        episode["timeout_s"] = 4.into();
    }
    let busy = BusyCores::one(2);
    for way in Way::all() {
        let flags = ["--stretch", "100", "--concurrency", "3"];
        let run = &busy.run(way, "", &lines(&episodes), &flags);
        assert_ok(way, run, "computes");
        assert_ok(way, run, "in children");
        let result = run.get("never ends");
        assert_eq!(result["status"], "timeout", "{way:?}: {result}");
        assert!(
            number(run, "never ends", "stalled_ms") > 0.0,
            "{way:?}: {result}"
        );
        assert!(
            number(run, "never ends", "cpu_ms") > 2000.0,
            "{way:?}: {result}"
        );
    }
}

#[test]
fn what_an_earlier_step_left_behind_has_computed_is_no_part_of_a_later_ones_time() {
    let leave = include_str!("programs/leaves_a_process_that_computed.py");
    let program = |text: &str| python("", text)["argv"].clone();
    let steps = json!([
        {"argv": program(leave), "timeout_s": 60},
        {"argv": program("compute(0.6)"), "timeout_s": 1},
    ]);
    let episode = json!({"id": "beside", "steps": steps}).to_string();
    let busy = BusyCores::one(2);
    for way in Way::all() {
        if way.root != (way.tier == "namespaces") {
            continue;
        }
        let run = &busy.run(way, "", &episode, &["--stretch", "100"]);
        assert_ok(way, run, "beside");
    }
}

#[test]
fn what_a_program_does_to_itself_is_no_loss_of_time() {
    let mut episodes = vec![
        python("sleeps", "time.sleep(1000)"),
        python("stops itself", "os.kill(os.getpid(), signal.SIGSTOP)"),
        python("lowers its priority", "os.nice(19)\ncompute(1000)"),
        python(
            "lowers that of its threads",
            "import threading\nos.nice(19)\n\
             for _ in range(3): threading.Thread(target=compute, args=(1000,)).start()",
        ),
    ];
    let cores = all_cores();
    if cores.len() > 1 {
        let narrowed = "os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})\ncompute(1000)";
        episodes.push(python("narrows its choice of cores", narrowed));
    }
    let busy = BusyCores::of(&cores, 2 * cores.len());
    for way in Way::all() {
        let run = &busy.run(
            way,
            "",
            &lines(&episodes),
            &["--stretch", "100", "--concurrency", "5"],
        );
        for episode in &episodes {
            let id = episode["id"].as_str().unwrap();
            let result = run.get(id);
            assert_eq!(result["status"], "timeout", "{way:?}: {result}");
            // Before it lowers anything, and when it has just woken, it may lose a little.
            assert!(number(run, id, "wall_ms") < 15_000.0, "{way:?}: {result}");
        }
    }
}

/// At the lowest priority beside others, the host has next to nothing for it.
#[test]
fn what_the_host_had_no_time_for_is_an_infra_error_that_was_tried_once_more() {
    let mut episode = python("computes", "compute(1000)");
    // Beside other tests it may have to wait for the disk when it starts: that is no time of a core that it lost.
    episode["timeout_s"] = 3.into();
    let busy = BusyCores::one(4);
    for way in Way::all() {
        // The looks have precedence in one, and none in the other.
        if way.root != (way.tier == "namespaces") {
            continue;
        }
        let run = &busy.run(way, "nice -n 19", &episode.to_string(), &["--stretch", "2"]);
        let result = run.get("computes");
        assert_eq!(result["status"], "infra_error", "{way:?}: {result}");
        assert_eq!(result["attempts"], 2, "{way:?}: {result}");
        assert!(
            run.error("computes").contains("the machine was too busy"),
            "{way:?}: {result}"
        );
        let first = result["attempt_errors"][0].as_str().unwrap();
        assert!(
            first.contains("the machine was too busy"),
            "{way:?}: {result}"
        );
    }
}

#[test]
fn a_program_runs_for_no_less_time_than_it_computes() {
    let episode = |n| json!({"id": format!("e{n}"), "argv": ["python3", "-S", "-c", "pass"], "timeout_s": 60});
    let episodes: Vec<Value> = (0..100).map(episode).collect();
    let busy = BusyCores::one(3);
    for way in Way::all() {
        let run = &busy.run(
            way,
            "",
            &lines(&episodes),
            &["--concurrency", "4", "--warm", "none"],
        );
        for n in 0..100 {
            let id = format!("e{n}");
            let (wall_ms, cpu_ms) = (number(run, &id, "wall_ms"), number(run, &id, "cpu_ms"));
            // Of its CPU time, what the start takes is no part of the other.
            assert!(2.0 * wall_ms > cpu_ms, "{way:?}: {}", run.get(&id));
        }
    }
}

#[test]
fn a_deadline_ends_an_episode_whatever_time_its_steps_have_left() {
    let step = json!({"command": "sleep 3; echo done", "on_failure": "continue"});
    let steps = vec![step; 6];
    let episode = |id: &str, deadline_s: f64| json!({"id": id, "steps": steps, "timeout_s": 60, "deadline_s": deadline_s});
    let episodes = [episode("short", 12.0), episode("long", 600.0)];
    for way in Way::all() {
        if way.root != (way.tier == "namespaces") {
            continue;
        }
        let run = &run(way, &lines(&episodes), &[]);
        assert_ok(way, run, "long");
        let result = run.get("short");
        assert_eq!(result["status"], "timeout", "{way:?}: {result}");
        assert_eq!(result["steps"][0]["status"], "ok", "{way:?}: {result}");
    }
}
