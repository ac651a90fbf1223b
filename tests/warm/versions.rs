//! Which Pythons are kept warm, and that the others are told apart.

use super::python::assert_same_in;
use crate::common::{Way, run_when, scratch};
use serde_json::json;
use std::env;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

/// Further interpreters for the cases of Python, by their full paths with colons between them.
const FURTHER: &str = "RUNNER_TEST_PYTHONS";

#[test]
fn a_program_does_the_same_warm_and_cold_in_further_pythons() {
    let Ok(pythons) = env::var(FURTHER) else {
        eprintln!("skipped: {FURTHER} names no interpreters");
        return;
    };
    for python in pythons.split(':') {
        let ways = Way::of_tier("namespaces").into_iter();
        for way in ways.filter(|way| way.root || is_reached_by_all(Path::new(python))) {
            assert_same_in(python, way, &["--warm", &format!("python={python}")]);
        }
    }
}

fn is_reached_by_all(path: &Path) -> bool {
    let mode = |path: &Path| fs::metadata(path).map_or(0, |meta| meta.permissions().mode());
    path.ancestors().all(|part| mode(part) & 0o001 != 0)
}

/// A program that says what a Python says of its version, and otherwise prints 1.
fn pretender(directory: &Path, said: &str) -> String {
    let path = |name: &str| directory.join(name).display().to_string();
    let code = format!(
        "#include <stdio.h>\nconst char *Py_GetVersion(void) {{ return \"{said}\"; }}\nint main(void) {{ puts(\"1\"); return 0; }}\n"
    );
    fs::write(path("python.c"), code).expect("write");
    let built = Command::new("cc")
        .args(["-rdynamic", "-o", &path("python3"), &path("python.c")])
        .status();
    assert!(built.is_ok_and(|status| status.success()), "cc");
    path("python3")
}

#[test]
fn a_python_that_is_not_known_is_named_and_its_programs_start_cold() {
    for (said, reason) in [
        (
            "3.15.0a1+ (main, Oct 10 2025, 08:53:45) [GCC 12.2.0]",
            "Python 3.15.0a1+, and only releases of CPython 3.9 to",
        ),
        (
            "3.8.18 (default, Oct 10 2023, 08:53:45) [GCC 12.2.0]",
            "Python 3.8.18, and only releases of CPython 3.9 to",
        ),
        (
            "3.13.7 free-threading build (main, Oct 10 2025, 08:53:45) [GCC 12.2.0]",
            "a free-threaded build of Python 3.13.7, and only",
        ),
    ] {
        let directory = scratch();
        let python = pretender(directory.path(), said);
        let job = json!({"id": "run", "argv": [python, "-c", "print(1)"]}).to_string() + "\n";
        let list = format!("python={python}");
        let readable = directory.path().to_str().expect("UTF-8");
        let args = ["--warm", &list, "--fs-readable", readable];
        let way = Way::of_tier("namespaces")[0];
        let run = run_when(way, &job, 2, &args, |_, said| {
            said.contains("not kept warm")
        });
        assert!(run.stderr.contains(reason), "{said}: {}", run.stderr);
        assert!(run.stderr.contains("--warm python=PATH"), "{}", run.stderr);
        assert_eq!(
            run.stderr.matches("not kept warm").count(),
            1,
            "{}",
            run.stderr
        );
        assert_eq!(run.output("run"), "1\n", "{said}");
        assert_eq!(run.get("run")["start"], "exec", "{said}");
    }
}
