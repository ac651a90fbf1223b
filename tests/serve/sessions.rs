//! What lasts from one command to the next, and what each command gets.

use crate::common::Way;
use crate::common::client::{Server, code};
use serde_json::json;
use std::time::{Duration, Instant};

/// A server for every way of running.
fn servers() -> impl Iterator<Item = (Way, Server)> {
    Way::all()
        .into_iter()
        .map(|way| (way, Server::start(way, &[])))
}

#[test]
fn files_and_background_processes_live_from_one_command_to_the_next() {
    for (way, server) in servers() {
        let mut client = server.connect();
        let mut session = client.start(json!({}));
        session.output("echo kept > file; (while :; do sleep 1; done) & echo $! > pid");
        assert_eq!(session.output("cat file"), "kept\n", "{way:?}");
        // The landlock tier lets no command signal another's processes, nor see them.
        if way.namespaces() {
            assert_eq!(
                session.output("kill -0 $(cat pid) && echo lives"),
                "lives\n"
            );
        }
    }
}

#[test]
fn results_have_the_fields_of_the_contract_and_commands_run_in_the_warm_bash() {
    for (way, server) in servers() {
        let mut client = server.connect();
        assert_eq!(client.greeting["protocol"], 1);
        assert_eq!(client.greeting["tier"], way.tier);
        let mut session = client.start(json!({"capture": "split"}));
        let result = session.exec(json!({"command": "echo out; echo err >&2; exit 3"}));
        assert_eq!(result["status"], "failed", "{result}");
        assert_eq!(result["exit_code"], 3);
        assert_eq!(result["stdout"], "out\n");
        assert_eq!(result["stderr"], "err\n");
        assert_eq!(result["start"], "warm-bash");
        let result = session.exec(json!({"argv": ["cat"], "stdin": "said"}));
        assert_eq!(result["output"], "said");
        // What ran before could have made it.
        let result = session.exec(json!({"argv": ["/nope"]}));
        assert_eq!(result["status"], "failed", "{result}");
        assert_eq!(result["exit_code"], 127, "{result}");
    }
}

#[test]
fn of_long_output_a_session_keeps_what_its_start_says() {
    for (way, server) in servers() {
        let mut client = server.connect();
        let print = "echo begin; head -c 3000 /dev/zero | tr '\\0' x; echo; echo end";
        for (keep, begins, ends) in [
            ("head", true, false),
            ("tail", false, true),
            ("ends", true, true),
        ] {
            let fields = match keep {
                // As it is where nothing is said.
                "ends" => json!({"resources": {"output_kb": 1}}),
                _ => json!({"resources": {"output_kb": 1}, "output_keep": keep}),
            };
            let result = client.start(fields).exec(json!({"command": print}));
            let output = result["output"].as_str().expect("output");
            assert_eq!(
                output.starts_with("begin\n"),
                begins,
                "{way:?} {keep}: {output}"
            );
            assert_eq!(
                output.ends_with("\nend\n"),
                ends,
                "{way:?} {keep}: {output}"
            );
            assert_eq!(
                output.contains(" bytes left out …]\n"),
                keep == "ends",
                "{way:?} {keep}: {output}"
            );
            assert_eq!(result["truncated"], true, "{way:?} {keep}");
        }
    }
}

#[test]
fn what_is_missing_from_the_beginning_is_the_request_s_fault() {
    for (way, server) in servers() {
        let mut client = server.connect();
        let result = client.start(json!({})).exec(json!({"argv": ["/nope"]}));
        assert_eq!(result["status"], "invalid", "{way:?}: {result}");
        assert_eq!(result["fault"], "spec", "{way:?}: {result}");
    }
}

#[test]
fn what_a_start_says_of_env_workdir_and_timeout_holds_for_every_command_that_says_nothing() {
    let server = Server::start(Way::all()[0], &[]);
    let mut client = server.connect();
    let mut session = client.start(json!({
        "env": {"A": "1", "B": "1"}, "workdir": "/app", "timeout_s": 6,
        "files": {"x": "content", "/tests/run.sh": {"base64": "ZWNobyBoaQo=", "mode": "0755"}},
    }));
    let all = json!({"command": "echo $A$B $PWD; cat x; /tests/run.sh", "env": {"B": "2"}});
    assert_eq!(session.exec(all)["output"], "12 /app\ncontenthi\n");
    let other = json!({"command": "pwd", "workdir": "/testbed/a"});
    assert_eq!(session.exec(other)["output"], "/testbed/a\n");
    assert_eq!(
        session.exec(json!({"command": "pwd", "workdir": "sub"}))["output"],
        "/app/sub\n"
    );
    assert_eq!(
        session.exec(json!({"command": "sleep 60"}))["status"],
        "timeout"
    );
    let longer = json!({"command": "sleep 6.5; echo done", "timeout_s": 60});
    assert_eq!(session.exec(longer)["output"], "done\n");
}

#[test]
fn a_command_that_times_out_returns_what_it_printed_and_ends_nothing_else() {
    for (way, server) in servers() {
        let mut client = server.connect();
        let mut session = client.start(json!({}));
        session.output("(while echo tick; do sleep 0.05; done) > ticks &");
        let slow = json!({"command": "echo part; setsid sleep 100 & sleep 100", "timeout_s": 6});
        let result = session.exec(slow);
        assert_eq!(result["status"], "timeout", "{way:?} {result}");
        assert_eq!(result["exit_code"], 124);
        assert_eq!(result["output"], "part\n");
        let ticks = "wc -l < ticks";
        let before = session.output(ticks);
        let begin = Instant::now();
        while session.output(ticks) == before {
            let waits = begin.elapsed() < Duration::from_secs(30);
            assert!(waits, "{way:?}: it ticks no more at {before}");
        }
        if way.namespaces() {
            assert_eq!(session.output("pgrep -c -f -x 'sleep 100'"), "0\n");
        }
    }
}

#[test]
fn a_tmux_server_lives_on_between_commands() {
    if !std::path::Path::new("/usr/bin/tmux").exists() {
        eprintln!("skipped: there is no tmux");
        return;
    }
    for way in Way::of_tier("namespaces") {
        let server = Server::start(way, &[]);
        let mut client = server.connect();
        let mut session = client.start(json!({}));
        session.output("tmux new-session -d -s t -x 80 -y 24");
        session.output("tmux send-keys -t t 'echo $((6*7))' Enter");
        let begin = Instant::now();
        while !session
            .output("tmux capture-pane -p -t t")
            .contains("\n42\n")
        {
            assert!(
                begin.elapsed() < Duration::from_secs(20),
                "no answer in the pane"
            );
        }
        assert_eq!(
            session.exec(json!({"command": "sleep 9", "timeout_s": 0.1}))["status"],
            "timeout"
        );
        assert_eq!(
            session.exec(json!({"command": "tmux has-session -t t"}))["status"],
            "ok"
        );
    }
}

#[test]
fn any_place_of_the_private_root_can_be_written_to_and_no_system_directory() {
    for way in Way::of_tier("namespaces") {
        let server = Server::start(way, &[]);
        let mut client = server.connect();
        let mut session = client.start(json!({}));
        let container = include_str!("programs/writes_anywhere.sh");
        assert_eq!(session.output(container), "1\n", "{way:?}");
        for place in [
            "/usr/x",
            "/bin/x",
            "/opt/x",
            "/etc/passwd",
            "/etc/profile.d/x",
            "/proc/self/comm",
            "/dev/x",
        ] {
            let result = session.exec(json!({"command": format!("echo x > {place}")}));
            assert_eq!(result["status"], "failed", "{way:?} {place}: {result}");
        }
        assert_eq!(
            session.exec(json!({"command": "cat /etc/shadow /etc/ssh/*"}))["status"],
            "failed"
        );
    }
}

#[test]
fn the_landlock_tier_says_why_a_container_path_can_t_be_had() {
    for way in Way::of_tier("landlock") {
        let server = Server::start(way, &[]);
        let mut client = server.connect();
        let mut session = client.start(json!({}));
        let answer = session.upload("/tests/x", &[crate::common::client::file("", b"x")]);
        assert_eq!(code(&answer), "refused", "{answer}");
        let message = answer["error"]["message"].as_str().expect("a message");
        assert!(message.contains("landlock tier"), "{message}");
        let result = session.exec(json!({"command": "true", "workdir": "/app"}));
        assert_eq!(result["status"], "invalid", "{result}");
    }
}

#[test]
fn limits_hold_between_commands_too() {
    for way in Way::of_tier("namespaces") {
        let server = Server::start(way, &[]);
        let mut client = server.connect();
        let mut session = client.start(json!({"resources": {"memory_mb": 100}}));
        let hog = "python3 -c 'import time; time.sleep(0.5); x = b\"x\" * 300_000_000; time.sleep(600)' \
                   >/dev/null 2>&1 & echo $!";
        let pid = session.output(hog);
        let look = format!("kill -0 {} 2>/dev/null || echo gone", pid.trim());
        let begin = Instant::now();
        while session.output(&look) != "gone\n" {
            assert!(begin.elapsed() < Duration::from_secs(60), "{way:?}");
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

#[test]
fn a_command_that_crosses_a_limit_leaves_the_session_usable() {
    for (way, server) in servers() {
        let mut client = server.connect();
        let mut session = client.start(json!({"resources": {"memory_mb": 100, "disk_mb": 20}}));
        let hog = json!({"argv": ["/usr/bin/python3", "-c", "x = b'x' * 500_000_000"]});
        assert_eq!(session.exec(hog)["status"], "memory_limit", "{way:?}");
        let full = json!({"command": "head -c 50000000 /dev/zero > full"});
        assert_eq!(session.exec(full)["status"], "disk_limit", "{way:?}");
        assert_eq!(session.output("rm full; echo fine"), "fine\n", "{way:?}");
    }
}

#[test]
fn a_request_can_be_cancelled() {
    let server = Server::start(Way::all()[0], &[]);
    let mut client = server.connect();
    let mut session = client.start(json!({}));
    let running = session.ask("exec", json!({"command": "sleep 60"}));
    let waiting = session.ask("exec", json!({"command": "echo never > never"}));
    std::thread::sleep(Duration::from_millis(100));
    let begin = Instant::now();
    for of in [waiting, running] {
        session.ask("cancel", json!({"of": of}));
    }
    let mut codes = std::collections::BTreeMap::new();
    for _ in 0..4 {
        let answer = session.client.receive();
        let id = answer["id"].as_u64().expect("a number");
        codes.insert(id, answer["error"]["code"].as_str().map(str::to_owned));
    }
    assert!(begin.elapsed() < Duration::from_secs(30));
    for id in [running, waiting] {
        assert_eq!(codes[&id].as_deref(), Some("cancelled"));
    }
    assert_eq!(session.output("ls; echo fine"), "fine\n");
    // One that is over, or never was, is no error: the two may always cross.
    assert_eq!(
        session.call("cancel", json!({"of": running}))["result"],
        json!({})
    );
}

#[test]
fn a_session_has_the_network_it_asked_for() {
    let server = || "python3 -c 'import socket; s = socket.create_server((\"127.0.0.1\", 0)); print(s.getsockname()[0])'";
    for way in Way::of_tier("namespaces") {
        let running = Server::start(way, &["--allow-host-network"]);
        let mut client = running.connect();
        let mut own = client.start(json!({"network": "loopback"}));
        assert_eq!(own.output(server()), "127.0.0.1\n", "{way:?}");
        let mut none = client.start(json!({}));
        assert_eq!(
            none.exec(json!({"command": server()}))["status"],
            "failed",
            "{way:?}"
        );
        let mut host = client.start(json!({"network": "host"}));
        assert_eq!(host.output(server()), "127.0.0.1\n", "{way:?}");
    }
}

#[test]
fn two_sessions_see_nothing_of_each_other() {
    for (way, server) in servers() {
        let (mut one, mut other) = (server.connect(), server.connect());
        let (mut one, mut other) = (one.start(json!({})), other.start(json!({})));
        one.output("echo secret > /tmp/secret; sleep 1000 > /dev/null & echo");
        let seen = other.exec(json!({"command": "cat /tmp/secret; pgrep -x sleep"}));
        assert_eq!(seen["status"], "failed", "{way:?} {seen}");
        assert!(
            !seen["output"]
                .as_str()
                .expect("a string")
                .contains("secret\n"),
            "{seen}"
        );
    }
}

#[test]
fn executions_of_different_sessions_run_side_by_side() {
    let server = Server::start(Way::all()[0], &[]);
    let mut client = server.connect();
    let names: Vec<String> = (0..3).map(|_| client.start(json!({})).name).collect();
    let begin = Instant::now();
    for name in &names {
        client.ask("exec", json!({"session": name, "command": "sleep 6"}));
    }
    for _ in &names {
        assert_eq!(client.receive()["result"]["status"], "ok");
    }
    assert!(
        begin.elapsed() < Duration::from_secs(17),
        "{:?}",
        begin.elapsed()
    );
}

#[test]
fn stats_count_what_was_done() {
    let server = Server::start(Way::all()[0], &["--sessions", "5"]);
    let mut client = server.connect();
    assert_eq!(client.greeting["sessions"], 5);
    let mut session = client.start(json!({}));
    session.output("true");
    session.exec(json!({"command": "false"}));
    let stats = client.call("stats", json!({}))["result"].clone();
    assert_eq!(stats["sessions"], 1, "{stats}");
    assert_eq!(stats["started"], 1);
    assert_eq!(stats["executions"]["status"]["ok"], 1);
    assert_eq!(stats["executions"]["status"]["failed"], 1);
    assert_eq!(stats["executions"]["startup_ms"]["count"], 2);
}
