//! Programs that try to break the slot, or to be given a verdict that is not theirs.

use crate::common::Way;
use crate::episodes::{RAW_CALLS, python, run_in_turn, shell, with};
use serde_json::{Value, json};

/// Runs a hostile episode between two harmless ones in one slot: it gets a verdict of its own at once, and the
/// others are none the worse.
#[track_caller]
fn verdicts(hostile: Value) -> Vec<(Way, Value)> {
    let hostile = with(hostile, json!({"id": "hostile"}));
    let mut results = Vec::new();
    for way in Way::all() {
        let run = run_in_turn(
            way,
            &[
                shell("before", "echo fine"),
                hostile.clone(),
                shell("after", "echo fine"),
            ],
        );
        let result = run.get("hostile").clone();
        assert_ne!(result["status"], "infra_error", "{way:?}: {result}");
        assert_eq!(result["attempts"], 1, "{way:?}: {result}");
        assert_eq!(run.output("after"), "fine\n", "{way:?}");
        assert_eq!(
            run.get("after")["attempts"],
            1,
            "{way:?}: {}",
            run.get("after")
        );
        results.push((way, result));
    }
    results
}

#[test]
fn a_process_cloned_beside_its_parent_does_not_cost_the_verdict() {
    let code = format!(
        "{RAW_CALLS}\nme=os.getpid()\nr=call({}, 0x8000|17, 0, 0, 0, 0)\nif os.getpid()!=me: os._exit(0)\nprint('survived')",
        libc::SYS_clone
    );
    for (way, result) in verdicts(python("", &code)) {
        assert_eq!(result["status"], "ok", "{way:?}: {result}");
    }
}

#[test]
fn a_fork_storm_at_the_end_does_not_outrun_the_clean_up() {
    let code = "import os,time\nr,w=os.pipe()\nfor _ in range(6):\n if os.fork()==0:\n  os.close(w); os.read(r,1)\n  while True:\n   try:\n    if os.fork()!=0: os._exit(0)\n   except OSError: pass\nos.close(w); time.sleep(0.1); print('storm')";
    for (way, result) in verdicts(python("", code)) {
        assert_eq!(result["status"], "ok", "{way:?}: {result}");
    }
}

/// posix_spawn waits in the kernel for the child's exec (vfork(2)), unkillable until then.
#[test]
fn a_vfork_storm_at_the_end_does_not_outrun_the_clean_up() {
    let code = "import os,time\nr,w=os.pipe()\nfor _ in range(4):\n if os.fork()==0:\n  os.setsid(); os.close(w); os.read(r,1)\n  while True:\n   try: os.posix_spawn('/bin/sleep',['sleep','9'],{})\n   except OSError: pass\nos.close(w); time.sleep(0.1); print('storm')";
    for (way, result) in verdicts(python("", code)) {
        assert_eq!(result["status"], "ok", "{way:?}: {result}");
    }
}

#[test]
fn processes_that_exhaust_the_limit_and_stop_themselves_are_cleared_away() {
    let code = "import os,signal\nn=0\nwhile True:\n try:\n  if os.fork()==0:\n   os.setsid(); os.kill(os.getpid(),signal.SIGSTOP); os._exit(0)\n  n+=1\n except OSError: break\n if n>200: break\nprint(n)";
    for (way, result) in verdicts(python("", code)) {
        let made: u32 = result["output"].as_str().unwrap().trim().parse().unwrap();
        // Without a uid of its own the limit leaves room for what else the user runs.
        assert!(made >= 60 && (!way.root || made <= 64), "{way:?}: {made}");
    }
}

#[test]
fn twenty_thousand_files_are_a_verdict_and_are_gone() {
    let code = "import os\ntry:\n for i in range(20000):\n  open(f'f{i}','w').close()\n print('made')\nexcept OSError as e: print(e.errno); raise SystemExit(1)";
    for (way, result) in verdicts(with(python("", code), json!({"resources": {"disk_mb": 8}}))) {
        if way.namespaces() {
            assert_eq!(result["status"], "disk_limit", "{way:?}: {result}");
        }
    }
}

#[test]
fn unlinked_open_files_and_detached_mappings_are_freed() {
    let code = "import mmap,os,time\nf=open('big','w+b'); f.truncate(50<<20); os.unlink('big')\nfor i in range(50): f.write(b'x'*(1<<20))\nm=mmap.mmap(-1,10<<20)\nm[:]=b'y'*(10<<20)\nif os.fork()==0: os.setsid(); time.sleep(60)";
    for (way, result) in verdicts(python("", code)) {
        assert_eq!(result["status"], "ok", "{way:?}: {result}");
    }
}

#[test]
fn a_fifo_named_as_an_input_or_collected_file_does_not_hang() {
    let steps = json!([
        {"command": "mkfifo pipe; mkfifo target", "on_failure": "continue"},
        {"command": "true", "files": {"target": "x"}, "on_failure": "continue"},
        {"command": "echo x > kept"},
    ]);
    for (way, result) in verdicts(json!({"steps": steps, "collect": ["*"]})) {
        assert!(
            result["files"]
                .as_object()
                .is_some_and(|f| f.contains_key("kept") && !f.contains_key("pipe")),
            "{way:?}: {result}"
        );
    }
}

#[test]
fn deleting_and_renaming_the_sandboxes_directories_changes_nothing_for_the_next() {
    verdicts(shell(
        "",
        "rm -rf \"$PWD\" \"$HOME\" \"$TMPDIR\" / --no-preserve-root 2>/dev/null; mv /workspace /tmp/w; mv /tmp /t; rmdir /home/runner; ln -sfn / /workspace; true",
    ));
}

#[test]
fn a_working_directory_that_became_a_link_is_not_followed_out_of_the_sandbox() {
    let steps = json!([
        {"command": "cd ..; rm -rf sub; ln -s /root sub", "workdir": "/workspace/sub"},
        {"command": "pwd -P", "workdir": "/workspace/sub", "on_failure": "continue"},
        {"command": "echo x > f", "workdir": "/workspace/sub/deeper", "on_failure": "continue"},
    ]);
    verdicts(json!({"steps": steps}));
}

#[test]
fn output_without_end_is_cut_and_ended() {
    for (way, result) in verdicts(shell("", "yes | head -c 100000000; exec sleep 0")) {
        assert!(result["truncated"].as_bool().unwrap(), "{way:?}");
        assert!(
            result["output"].as_str().unwrap().len() <= (1 << 20) + 64,
            "{way:?}"
        );
    }
}

#[test]
fn a_program_that_closes_its_output_still_runs_to_its_end() {
    for (way, result) in verdicts(shell("", "exec >&- 2>&- <&-; sleep 0.2; exit 7")) {
        assert_eq!(result["exit_code"], 7, "{way:?}: {result}");
    }
}

#[test]
fn a_program_that_ignores_every_signal_ends_at_its_timeout() {
    let code = "import signal,time,os\nfor s in range(1,65):\n try: signal.signal(s,signal.SIG_IGN)\n except (OSError,ValueError): pass\nos.setsid() if os.getpgrp()!=os.getpid() else None\nprint('up',flush=True)\nwhile True: time.sleep(1)";
    for (way, result) in verdicts(with(python("", code), json!({"timeout_s": 2}))) {
        assert_eq!(result["status"], "timeout", "{way:?}: {result}");
        assert_eq!(result["output"], "up\n", "{way:?}");
    }
}

#[test]
fn arguments_and_environments_beyond_what_exec_takes_are_not_our_failure() {
    let mut many = vec!["/bin/true".to_owned()];
    many.extend((0..30_000).map(|i| format!("argument-{i:0100}")));
    let environment: serde_json::Map<_, _> = (0..100)
        .map(|i| (format!("V{i}"), Value::from("x".repeat(60_000))))
        .collect();
    for way in Way::all() {
        let episodes = [
            json!({"id": "one", "argv": ["/bin/echo", "x".repeat(200_000)]}),
            json!({"id": "many", "argv": many}),
            json!({"id": "env", "argv": ["/bin/true"], "env": environment}),
            shell("after", "echo fine"),
        ];
        let run = run_in_turn(way, &episodes);
        for id in ["one", "many", "env"] {
            assert!(
                matches!(run.status(id), "failed" | "invalid"),
                "{way:?}: {}",
                run.get(id)
            );
        }
        assert_eq!(run.output("after"), "fine\n", "{way:?}");
    }
}

#[test]
fn limits_can_not_be_raised_from_inside() {
    let code = "import resource as r\nfor w in (r.RLIMIT_NPROC,r.RLIMIT_NOFILE,r.RLIMIT_CORE,r.RLIMIT_MEMLOCK):\n s,h=r.getrlimit(w)\n for new in (h+1,r.RLIM_INFINITY):\n  try:\n   r.setrlimit(w,(s,new))\n   if r.getrlimit(w)!=(s,h): print('RAISED',w)\n  except (OSError,ValueError): pass";
    for (way, result) in verdicts(python("", code)) {
        assert_eq!(result["output"], "", "{way:?}: {result}");
    }
}

/// Without a uid of its own per slot nothing but the secrecy of its directory's name keeps another slot's files
/// from chmod(2), which Landlock does not cover; inotify(7), which it does not cover either, tells the name.
#[test]
fn an_episode_can_not_spoil_another_one_that_runs_beside_it() {
    let spy = r"
import ctypes, os, select, struct, time
libc = ctypes.CDLL(None)
fd = libc.inotify_init1(0)
watch = libc.inotify_add_watch(fd, b'/tmp', 0xfff)
seen, end = set(), time.time() + 1.5
while watch > 0 and time.time() < end:
    if not select.select([fd], [], [], 0.1)[0]: continue
    data, at = os.read(fd, 65536), 0
    while at < len(data):
        _, _, _, length = struct.unpack_from('iIII', data, at)
        seen.add(data[at + 16:at + 16 + length].rstrip(b'\0').decode()); at += 16 + length
for name in seen:
    if name.startswith('runner-') and name not in os.getcwd():
        try: os.chmod(f'/tmp/{name}/workspace', 0); print('spoiled', name)
        except OSError: pass
";
    for way in Way::all() {
        let victim = "for i in 1 2 3 4 5 6 7 8 9; do sleep 0.25; echo x > file || exit 1; done";
        let episodes = [python("spy", spy), shell("victim", victim)];
        let run = crate::episodes::run_all(way, &episodes, &["--concurrency", "2"]);
        assert!(
            !run.output("spy").contains("spoiled"),
            "{way:?}: {}",
            run.output("spy")
        );
        assert_eq!(run.status("victim"), "ok", "{way:?}: {}", run.get("victim"));
    }
}

#[test]
fn a_tree_of_three_thousand_levels_does_not_cost_the_verdict() {
    let code = "import os\nfor i in range(3000): os.mkdir('d'); os.chdir('d')\nprint('deep')";
    for (way, result) in verdicts(python("deep", code)) {
        // Without namespaces a tree that no path can measure counts as over the disk limit.
        let measured = way.namespaces() || result["status"] != "disk_limit";
        assert!(
            !measured || result["output"] == "deep\n",
            "{way:?}: {result}"
        );
    }
}
