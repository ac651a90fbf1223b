//! Python: every case of `python.jsonl` comes out the same from a warm interpreter as from a new one.

use crate::common::equivalence::{assert_same, without_chance};
use crate::common::{Run, Way, run, run_when, run_when_warm, scratch};
use serde_json::{Value, json};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

const PYTHON: &str = "/usr/bin/python3";

fn one(id: &str, code: &str) -> String {
    json!({"id": id, "argv": ["python3", "-c", code]}).to_string() + "\n"
}

fn run_warm(way: Way, jobs: &str, args: &[&str]) -> Run {
    let all = [&["--warm", "python"], args].concat();
    run_when_warm(way, jobs, 2, &all)
}

#[test]
fn a_program_does_the_same_warm_and_cold() {
    for way in Way::of_tier("namespaces") {
        assert_same_in(PYTHON, way, &["--warm", "python"]);
    }
}

/// Runs the cases in new Pythons and in warm ones, which `warm` names.
#[track_caller]
pub fn assert_same_in(python: &str, way: Way, warm: &[&str]) {
    let cases = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/warm/python.jsonl");
    let text = fs::read_to_string(cases).expect("the cases");
    let mut jobs = String::new();
    for line in text.lines() {
        let mut case: Value = serde_json::from_str(line).expect("a case is JSON");
        if case["collect"].is_null() {
            case["collect"] = json!(["**"]);
        }
        if python != PYTHON {
            start(&mut case, python);
        }
        jobs += &format!("{case}\n");
    }
    let prefix = prefix(python);
    let mut args = vec!["--memory-mb", "1500"];
    if python != PYTHON {
        args.extend(["--fs-readable", &prefix]);
    }
    let cold = run(way, &jobs, &[&["--warm", "none"], &args[..]].concat());
    let warm = run_when_warm(way, &jobs, 2, &[warm, &args[..]].concat());
    assert_same((python, way), &cold, &warm, without_chance);
    let served = warm.results.values();
    let served = served.filter(|r| r["start"] == "warm-python").count();
    assert!(
        served > 150,
        "{python} {way:?}: only {served} were warm\n{}",
        warm.stderr
    );
}

/// Where it has its library.
fn prefix(python: &str) -> String {
    let prefix = Path::new(python).parent().and_then(Path::parent);
    prefix.expect("a full path").display().to_string()
}

/// Makes an episode, or its steps, start this Python where it starts the usual one.
fn start(case: &mut Value, python: &str) {
    let is_usual = |program: &Value| program == "python3" || program == PYTHON;
    for step in case["steps"].as_array_mut().into_iter().flatten() {
        start(step, python);
    }
    if let Some(program) = case.pointer_mut("/argv/0")
        && is_usual(program)
    {
        *program = json!(python);
    }
}

#[test]
fn what_needs_a_start_of_its_own_gets_one() {
    let mut jobs = one("plain", "1");
    for (id, argv, env) in [
        ("option", json!(["python3", "-u", "-c", "1"]), json!({})),
        (
            "variable",
            json!(["python3", "-c", "1"]),
            json!({"PYTHONPATH": "/tmp"}),
        ),
        (
            "locale",
            json!(["python3", "-c", "1"]),
            json!({"LC_ALL": "C"}),
        ),
        ("stdin", json!(["python3", "-"]), json!({})),
    ] {
        jobs += &(json!({"id": id, "argv": argv, "env": env}).to_string() + "\n");
    }
    let run = run_warm(Way::of_tier("namespaces")[0], &jobs, &[]);
    assert_eq!(run.get("plain")["start"], "warm-python", "{}", run.stderr);
    for id in ["option", "variable", "locale", "stdin"] {
        assert_eq!(run.get(id)["start"], "exec", "{id}");
    }
}

#[test]
fn random_numbers_differ_from_episode_to_episode() {
    let code = include_str!("programs/random_numbers.py");
    let jobs: String = (0..20).map(|i| one(&format!("n{i}"), code)).collect();
    let modules: &[&str] = if has("numpy") {
        &["--warm", "python,numpy"]
    } else {
        &["--warm", "python"]
    };
    let run = run_when_warm(Way::of_tier("namespaces")[0], &jobs, 2, modules);
    let mut words = std::collections::BTreeSet::new();
    for i in 0..20 {
        let result = run.get(&format!("n{i}"));
        assert_eq!(result["start"], "warm-python", "{}", run.stderr);
        for word in result["output"].as_str().unwrap().split_whitespace() {
            assert!(words.insert(word.to_owned()), "{word} came twice");
        }
    }
    assert_eq!(words.len(), 100);
}

/// By which the processes of a program trust each other, and take any object from each other.
#[test]
fn no_two_programs_have_the_same_key_of_multiprocessing() {
    let code = include_str!("programs/key_of_multiprocessing.py");
    let jobs: String = (0..6).map(|i| one(&format!("n{i}"), code)).collect();
    let modules = ["--warm", "python=/usr/bin/python3:multiprocessing"];
    let run = run_when_warm(Way::of_tier("namespaces")[0], &jobs, 2, &modules);
    let mut keys = std::collections::BTreeSet::new();
    for i in 0..6 {
        let result = run.get(&format!("n{i}"));
        assert_eq!(result["start"], "warm-python", "{}", run.stderr);
        let words: Vec<&str> = result["output"]
            .as_str()
            .unwrap()
            .split_whitespace()
            .collect();
        assert_eq!((words[1], words[2] == words[0]), ("32", true), "{result}");
        assert!(keys.insert(words[0].to_owned()), "two have the same key");
    }
}

fn has(module: &str) -> bool {
    let import = Command::new(PYTHON)
        .args(["-c", &format!("import {module}")])
        .output();
    import.is_ok_and(|o| o.status.success())
}

#[test]
fn an_episode_cant_reach_the_zygote() {
    let attack = include_str!("programs/reaches_for_the_zygote.py");
    let change = "import json,builtins,sys;json.x=1;builtins.y=1;sys.modules['re']=None;sys.setrecursionlimit(50)";
    let check = "import json,builtins,sys,re\nprint(hasattr(json,'x'),hasattr(builtins,'y'),sys.getrecursionlimit())";
    let fork = include_str!("programs/forks_until_it_can_not.py");
    for way in Way::of_tier("namespaces") {
        let rounds = ["a", "b", "c"].map(|round| {
            let ids = ["attack", "change", "fork", "check"].map(|id| format!("{id} {round}"));
            one(&ids[0], attack)
                + &one(&ids[1], change)
                + &one(&ids[2], fork)
                + &one(&ids[3], check)
        });
        let run = run_warm(way, &rounds.concat(), &["--ordered", "--processes", "20"]);
        for round in ["a", "b", "c"] {
            let id = |name: &str| format!("{name} {round}");
            assert_eq!(run.output(&id("attack")), "attacked\n", "{way:?}");
            assert_eq!(run.output(&id("check")), "False False 1000\n", "{way:?}");
            for name in ["attack", "change", "fork", "check"] {
                assert_eq!(
                    run.get(&id(name))["start"],
                    "warm-python",
                    "{way:?} {}",
                    id(name)
                );
            }
        }
    }
}

#[test]
fn a_slot_is_replaced_after_its_episodes_and_the_next_is_warm_too() {
    // Long enough for the next interpreter to come before all is over.
    let code = "import time;time.sleep(0.05);print(hash('x'))";
    let jobs: String = (0..120).map(|i| one(&format!("n{i}"), code)).collect();
    let run = run_warm(
        Way::of_tier("namespaces")[0],
        &jobs,
        &["--warm-episodes", "20"],
    );
    let warm = run.results.values().filter(|r| r["start"] == "warm-python");
    let seeds: std::collections::BTreeSet<String> = warm.map(|r| r["output"].to_string()).collect();
    assert!(
        seeds.len() > 1,
        "all episodes had the same seed\n{}",
        run.stderr
    );
}

#[test]
fn a_list_that_cant_be_had_is_one_error_before_anything_runs() {
    for (list, named) in [
        ("python=/nonexistent/python3", "/nonexistent/python3"),
        ("python,nonesuch_module", "nonesuch_module"),
        ("numpy", "numpy"),
        ("bash,none", "none"),
        ("python,a-b", "a-b"),
        ("python,python", "twice"),
    ] {
        let run = run(
            Way::of_tier("namespaces")[0],
            &one("never", "1"),
            &["--warm", list],
        );
        assert_eq!(run.code, Some(2), "{list}: {}", run.stderr);
        assert!(run.lines.is_empty(), "{list}");
        assert!(run.stderr.contains(named), "{list}: {}", run.stderr);
        assert_eq!(run.stderr.lines().count(), 1, "{list}: {}", run.stderr);
    }
}

/// A virtual environment with modules that can't be kept warm.
fn bad_modules(directory: &Path) -> PathBuf {
    let venv = directory.join("venv");
    let made = Command::new(PYTHON)
        .args(["-m", "venv", "--without-pip"])
        .arg(&venv)
        .status();
    assert!(
        made.is_ok_and(|status| status.success()),
        "a virtual environment"
    );
    let mut libraries = fs::read_dir(venv.join("lib")).expect("lib");
    let packages = libraries
        .next()
        .unwrap()
        .unwrap()
        .path()
        .join("site-packages");
    for (name, code) in [
        ("crashes", "import os; os.abort()"),
        (
            "threads",
            "import threading,time; threading.Thread(target=time.sleep,args=(99,),daemon=True).start()",
        ),
        ("prints", "print('hello')"),
        ("fails", "1/0"),
        ("leaves", "raise SystemExit(0)"),
        ("hangs", "import time; time.sleep(9999)"),
    ] {
        fs::write(packages.join(format!("bad_{name}.py")), code).expect("a module");
    }
    venv.join("bin/python3")
}

#[test]
fn a_module_that_cant_be_kept_is_named_and_the_run_goes_on_cold() {
    let directory = scratch();
    let python = bad_modules(directory.path());
    for name in ["crashes", "threads", "prints", "fails", "leaves", "hangs"] {
        let module = format!("bad_{name}");
        let list = format!("python={}:{module}", python.display());
        let readable = directory.path().to_str().unwrap();
        let job = json!({"id": "run", "argv": [python, "-c", "print(1)"]}).to_string() + "\n";
        let args = ["--warm", &list, "--fs-readable", readable];
        // That it takes longer than a minute is known after a minute; nobody waits for that.
        let is_said = |said: &str| name == "hangs" || said.contains(&module);
        let way = Way::of_tier("namespaces")[0];
        let run = run_when(way, &job, 2, &args, |_, said| is_said(said));
        let is_reported = is_said(&run.stderr);
        assert!(is_reported, "{name}: {}", run.stderr);
        assert_eq!(run.output("run"), "1\n", "{name}");
        assert_eq!(run.get("run")["start"], "exec", "{name}");
    }
}

#[test]
fn a_virtual_environment_is_warm_with_its_own_modules() {
    let directory = scratch();
    let python = bad_modules(directory.path());
    let job = |id: &str| {
        let code = "import sys;print(sys.prefix,sys.executable,any('venv' in p for p in sys.path))";
        json!({"id": id, "argv": [python, "-c", code]}).to_string() + "\n"
    };
    let list = format!("python={}", python.display());
    let readable = directory.path().to_str().unwrap();
    let args = ["--warm", &list, "--fs-readable", readable];
    let warm = run_when_warm(Way::of_tier("namespaces")[0], &job("v"), 2, &args);
    let cold = run(
        Way::of_tier("namespaces")[0],
        &job("v"),
        &["--warm", "none", "--fs-readable", readable],
    );
    assert_eq!(warm.get("v")["start"], "warm-python", "{}", warm.stderr);
    assert_same(python, &cold, &warm, str::to_owned);
}

#[test]
fn several_interpreters_are_warm_at_once() {
    let directory = scratch();
    let python = bad_modules(directory.path());
    let code = "import sys;print(sys.prefix)";
    let jobs = json!({"id": "own", "argv": [python, "-c", code]}).to_string()
        + "\n"
        + &one("system", code);
    let list = format!("bash,python={}:json,python={PYTHON}:re", python.display());
    let readable = directory.path().to_str().unwrap();
    let args = ["--warm", &list, "--fs-readable", readable];
    for way in Way::of_tier("namespaces")
        .into_iter()
        .filter(|way| way.root)
    {
        let run = run_when_warm(way, &jobs, 2, &args);
        for id in ["own", "system"] {
            assert_eq!(run.get(id)["start"], "warm-python", "{id}: {}", run.stderr);
        }
        assert_ne!(run.output("own"), run.output("system"));
    }
}

#[test]
fn a_program_is_not_in_the_memory_of_the_next_one() {
    // A pattern that does not match itself.
    let search = include_str!("programs/searches_its_memory.py");
    let own = format!("own='secret-of-before'\n{search}");
    for way in Way::of_tier("namespaces") {
        let secret = json!({"id": "before", "argv": ["python3", "-c", "import os", "secret-of-before"],
                            "env": {"WORD": "secret-of-before"}, "workdir": "/workspace/secret-of-before"});
        let jobs = format!("{secret}\n{}{}", one("after", search), one("control", &own));
        let run = run_warm(way, &jobs, &["--ordered"]);
        for id in ["before", "after", "control"] {
            assert_eq!(run.get(id)["start"], "warm-python", "{way:?} {id}");
        }
        assert_ne!(run.output("control"), "0\n", "{way:?}");
        assert_eq!(run.output("after"), "0\n", "{way:?}");
    }
}
