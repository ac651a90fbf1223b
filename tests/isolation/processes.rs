//! Processes: who an episode runs as, whom it sees, whom it can touch, what it starts with.

use crate::common::{NOBODY, Way, binary, command, scratch};
use crate::probe::{output_of, outside, python, run_all, run_in_turn, shell};
use std::fs;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// The uid on the host of the process whose command line holds this text.
fn host_uid(text: &str) -> Option<u32> {
    for entry in fs::read_dir("/proc").unwrap().flatten() {
        let line = fs::read(entry.path().join("cmdline")).unwrap_or_default();
        // Not the shell or runner that has it as part of a longer argument.
        if line
            .split(|b| *b == 0)
            .any(|argument| argument == text.as_bytes())
        {
            let status = fs::read_to_string(entry.path().join("status")).ok()?;
            let uids = status.lines().find_map(|l| l.strip_prefix("Uid:"))?;
            return uids.split_whitespace().next()?.parse().ok();
        }
    }
    None
}

#[test]
fn an_episode_never_runs_as_root_of_the_host() {
    for way in Way::all() {
        let directory = scratch();
        let unique = format!(
            "1.{}{}",
            std::process::id(),
            u32::from(way.root) + 2 * u32::from(way.namespaces())
        );
        fs::write(
            directory.path().join("jobs.jsonl"),
            shell("e", &format!("sleep {unique}")).to_string(),
        )
        .unwrap();
        let mut child = command(way.root)
            .args(["--isolation", way.tier, "--jobs", "jobs.jsonl"])
            .current_dir(directory.path())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let patience = Instant::now() + Duration::from_secs(5);
        let uid = loop {
            if let Some(uid) = host_uid(&unique) {
                break uid;
            }
            assert!(
                Instant::now() < patience,
                "{way:?}: the episode's process is not seen"
            );
            std::thread::sleep(Duration::from_millis(10));
        };
        child.wait().unwrap();
        assert_ne!(uid, 0, "{way:?}");
        if way.root {
            assert!(uid > 1_000_000, "{way:?}: {uid} may belong to somebody");
        } else if nix::unistd::geteuid().is_root() {
            assert_eq!(uid, NOBODY, "{way:?}");
        }
    }
}

#[test]
fn an_episode_sees_no_process_of_the_host() {
    let code = "import os\ntry:\n p=[e for e in os.listdir('/proc') if e.isdigit()]\n print('SEEN',len(p))\nexcept OSError as e: print('denied')";
    for way in Way::all() {
        let inside = output_of(way, &python("e", code));
        let expected = if way.namespaces() {
            "SEEN 2\n"
        } else {
            "denied\n"
        };
        assert_eq!(inside, expected, "{way:?}");
        let parent = output_of(
            way,
            &shell(
                "e",
                &format!("cat /proc/{}/cmdline; true", std::process::id()),
            ),
        );
        assert!(!parent.contains("isolation"), "{way:?}: {parent}");
    }
    assert!(outside(NOBODY, &["/usr/bin/python3", "-c", code]).starts_with("SEEN "));
}

#[test]
fn a_process_of_the_same_user_outside_can_not_be_signalled() {
    let code = |pid: u32| {
        format!(
            "import os,signal\nfor p in ({pid},-1,{}):\n for s in (15,9):\n  try:\n   os.kill(p,s)\n  except OSError as e: print(e)",
            std::process::id()
        )
    };
    // kill(-1) reaches the program's own processes at most; the program itself is spared by the kernel.
    for way in Way::all() {
        let mut victim = victim();
        let result = run_all(way, &[python("e", &code(victim.id()))], &[]);
        assert_ne!(
            result.status("e"),
            "infra_error",
            "{way:?}: {}",
            result.get("e")
        );
        assert_eq!(result.get("e")["attempts"], 1, "{way:?}");
        assert!(
            victim.try_wait().unwrap().is_none(),
            "{way:?}: the victim is dead"
        );
        let direct = format!("import os\nos.kill({},15)", victim.id());
        outside(NOBODY, &["/usr/bin/python3", "-c", &direct]);
        assert!(!victim.wait().unwrap().success(), "the control kills it");
    }
}

fn victim() -> std::process::Child {
    if nix::unistd::geteuid().is_root() {
        let id = NOBODY.to_string();
        Command::new("setpriv")
            .args([
                "--reuid",
                &id,
                "--regid",
                &id,
                "--clear-groups",
                "--",
                "sleep",
                "60",
            ])
            .spawn()
            .unwrap()
    } else {
        Command::new("sleep").arg("60").spawn().unwrap()
    }
}

#[test]
fn signals_to_its_own_group_and_to_everybody_leave_the_slot_alive() {
    for way in Way::all() {
        let episodes = [
            shell("group", "kill -9 0"),
            shell("after-group", "echo fine"),
            python("all", "import os; os.kill(-1, 9)"),
            shell("after-all", "echo fine"),
            shell(
                "parent",
                "kill -9 $PPID 1; kill -STOP $PPID 1; kill -TERM 1; true",
            ),
            shell("after-parent", "echo fine"),
            shell(
                "stopped",
                "(sleep 0.2; kill -CONT $$) & kill -STOP $$; wait",
            ),
            shell("after-stopped", "echo fine"),
        ];
        let run = run_in_turn(way, &episodes);
        assert_eq!(
            run.status("group"),
            "signaled",
            "{way:?}: {}",
            run.get("group")
        );
        for id in [
            "group",
            "after-group",
            "all",
            "after-all",
            "parent",
            "after-parent",
            "stopped",
            "after-stopped",
        ] {
            assert_eq!(run.get(id)["attempts"], 1, "{way:?}: {}", run.get(id));
        }
        for id in ["after-group", "after-all", "after-parent", "after-stopped"] {
            assert_eq!(run.output(id), "fine\n", "{way:?}: {id}");
        }
    }
}

#[test]
fn exactly_the_three_standard_descriptors_are_open_at_the_start() {
    let code =
        "import os\nfor n in range(1024):\n try:\n  os.fstat(n); print(n)\n except OSError: pass";
    for way in Way::all() {
        assert_eq!(output_of(way, &python("e", code)), "0\n1\n2\n", "{way:?}");
        if way.namespaces() {
            // 3 is the directory that ls itself lists.
            assert_eq!(
                output_of(way, &shell("e", "ls /proc/self/fd | tr '\\n' ' '")),
                "0 1 2 3 ",
                "{way:?}"
            );
        }
    }
}

#[test]
fn descriptors_that_the_caller_left_open_do_not_reach_an_episode() {
    let code = "import os\ntry: print('READ',os.read(9,5))\nexcept OSError: print('closed')";
    for way in Way::all() {
        let directory = scratch();
        fs::write(directory.path().join("secret"), "secret").unwrap();
        fs::write(
            directory.path().join("jobs.jsonl"),
            python("e", code).to_string(),
        )
        .unwrap();
        let runner = command(way.root);
        let argv = std::iter::once(runner.get_program()).chain(runner.get_args());
        let open = "exec 9<secret; exec \"$@\"";
        let output = Command::new("bash")
            .args(["-c", open, "bash"])
            .args(argv)
            .args(["--isolation", way.tier, "--jobs", "jobs.jsonl"])
            .current_dir(directory.path())
            .output()
            .unwrap();
        assert_eq!(
            crate::common::parse(output).output("e"),
            "closed\n",
            "{way:?}"
        );
        let control = Command::new("bash")
            .args(["-c", open, "bash", "/usr/bin/python3", "-c", code])
            .current_dir(directory.path())
            .output()
            .unwrap();
        assert_eq!(
            control.stdout, b"READ b'secre'\n",
            "the control inherits it"
        );
    }
}

#[test]
fn nothing_of_the_callers_environment_reaches_an_episode() {
    for way in Way::all() {
        let directory = scratch();
        let jobs = format!(
            "{}\n{}",
            shell("env", "env; cat /proc/self/environ /proc/1/environ; true"),
            python("set", "import os; print(sorted(os.environ))")
        );
        fs::write(directory.path().join("jobs.jsonl"), jobs).unwrap();
        let output = command(way.root)
            .args(["--isolation", way.tier, "--jobs", "jobs.jsonl"])
            .env("CALLERS_SECRET", "hunter2")
            .env("LD_LIBRARY_PATH", "/hunter2")
            .current_dir(directory.path())
            .output()
            .unwrap();
        let run = crate::common::parse(output);
        assert!(
            !run.output("env").contains("hunter2"),
            "{way:?}: {}",
            run.output("env")
        );
        assert_eq!(
            run.output("set"),
            "['HOME', 'LANG', 'PATH', 'TMPDIR', 'USER']\n",
            "{way:?}"
        );
    }
}

#[test]
fn an_episode_has_no_terminal_even_when_the_runner_has_one() {
    let code = "import os\ntry:\n os.open('/dev/tty',os.O_RDWR); print('TERMINAL')\nexcept OSError as e: print('none')\nprint([os.isatty(n) for n in range(3)], os.tcgetpgrp.__name__ and os.read(0,1))";
    for way in Way::all() {
        let directory = scratch();
        fs::write(
            directory.path().join("jobs.jsonl"),
            python("e", code).to_string(),
        )
        .unwrap();
        let inner = format!(
            "{}{} --isolation {} --jobs jobs.jsonl --output out.jsonl --progress never",
            if way.root || !nix::unistd::geteuid().is_root() {
                String::new()
            } else {
                format!("setpriv --reuid {NOBODY} --regid {NOBODY} --clear-groups -- ")
            },
            binary().display(),
            way.tier,
        );
        let probe = format!(
            "/usr/bin/python3 -c \"import os; os.open('/dev/tty',2); print('CONTROL')\"; {inner}"
        );
        let output = Command::new("script")
            .args(["-qec", &probe, "/dev/null"])
            .current_dir(directory.path())
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(
            text.contains("CONTROL"),
            "the control has a terminal: {text}"
        );
        let result = fs::read_to_string(directory.path().join("out.jsonl")).unwrap();
        let result: serde_json::Value = serde_json::from_str(&result).unwrap();
        assert_eq!(
            result["output"], "none\n[False, False, False] b''\n",
            "{way:?}"
        );
    }
}

#[test]
fn the_result_says_what_was_enforced() {
    for way in Way::all() {
        let run = run_all(way, &[shell("e", "true")], &[]);
        let sandbox = &run.get("e")["sandbox"];
        assert_eq!(sandbox["tier"], way.tier, "{way:?}");
        assert!(
            sandbox["landlock_abi"].as_u64().unwrap() >= 6,
            "{way:?}: {sandbox}"
        );
    }
}
