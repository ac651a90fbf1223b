//! What a program does itself is not mistaken for a limit.

use super::everywhere;
use serde_json::json;

#[test]
fn a_program_that_kills_itself_or_exits_like_one_that_was_killed_hit_no_limit() {
    let kill_self = "import os, signal\nos.kill(os.getpid(), signal.SIGKILL)";
    let kill_child = "sleep 60 & kill -KILL $!; wait $!; exit $?";
    let resources = json!({"memory_mb": 64, "cpu_time_s": 5});
    let episodes = [
        json!({"id": "sigkill", "argv": ["python3", "-c", kill_self], "resources": resources}),
        json!({"id": "child", "command": kill_child, "resources": resources}),
        json!({"id": "124", "command": "exit 124", "resources": resources}),
        json!({"id": "137", "command": "exit 137", "resources": resources}),
        json!({"id": "xcpu", "command": "kill -XCPU $$"}),
    ];
    let expected = [
        ("sigkill", "signaled", 137, json!(9)),
        ("child", "failed", 137, json!(null)),
        ("124", "failed", 124, json!(null)),
        ("137", "failed", 137, json!(null)),
        ("xcpu", "signaled", 152, json!(24)),
    ];
    everywhere(&episodes, |way, run| {
        for (id, status, exit_code, signal) in &expected {
            let result = run.get(id);
            assert_eq!(result["status"], *status, "{way:?}: {result}");
            assert_eq!(result["exit_code"], *exit_code, "{way:?}: {result}");
            assert_eq!(result["signal"], *signal, "{way:?}: {result}");
            assert_eq!(result["fault"], "program", "{way:?}: {result}");
            assert!(result.get("error").is_none(), "{way:?}: {result}");
        }
    });
}

#[test]
fn signals_that_merely_look_like_a_limit_are_the_programs_own() {
    // Hardly any CPU time was used and nothing was written: it sent itself the signals that those limits send.
    // Without namespaces the size of a file is limited, and what crosses that limit leaves nothing to tell it by.
    let episodes = [
        json!({"id": "xfsz", "command": "kill -XFSZ $$"}),
        json!({"id": "xcpu", "command": "kill -XCPU $$", "resources": {"cpu_time_s": 30}}),
    ];
    everywhere(&episodes, |way, run| {
        for id in ["xfsz", "xcpu"]
            .into_iter()
            .filter(|id| *id == "xcpu" || way.namespaces())
        {
            assert_eq!(run.status(id), "signaled", "{way:?}: {}", run.get(id));
        }
    });
}
