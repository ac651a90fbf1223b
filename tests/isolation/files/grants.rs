//! Paths that an episode is granted: as granted, for that episode only, and only where the run allows it.

use super::host::{SECRET, host_directory};
use crate::common::{Way, scratch};
use crate::episodes::{python_with, run_all, shell, with};
use serde_json::json;
use std::fs;

#[test]
fn a_writable_grant_is_written_through_to_the_host() {
    for way in Way::all() {
        let host = host_directory();
        let dir = host.path().display().to_string();
        let command = format!("cat {dir}/secret && echo from-inside > {dir}/new");
        let episode = with(shell("e", &command), json!({"fs_writable": [dir]}));
        let run = run_all(way, &[episode], &["--allow-path", &dir]);
        assert_eq!(run.status("e"), "ok", "{way:?}: {}", run.get("e"));
        assert_eq!(
            fs::read_to_string(host.path().join("new")).unwrap(),
            "from-inside\n",
            "{way:?}"
        );
    }
}

#[test]
fn a_grant_of_one_episode_is_not_there_for_the_next() {
    for way in Way::all() {
        let host = host_directory();
        let dir = host.path().display().to_string();
        let read = format!("cat {dir}/secret; true");
        let episodes = [
            with(shell("a", &read), json!({"fs_readable": [dir]})),
            shell("b", &read),
        ];
        let run = run_all(
            way,
            &episodes,
            &["--allow-path", &dir, "--concurrency", "1", "--ordered"],
        );
        assert!(run.output("a").contains(SECRET), "{way:?}");
        assert!(
            !run.output("b").contains(SECRET),
            "{way:?}: {}",
            run.output("b")
        );
    }
}

#[test]
fn a_path_outside_what_the_run_allows_is_an_invalid_episode() {
    for way in Way::all() {
        let host = host_directory();
        let dir = host.path().display().to_string();
        for field in ["fs_readable", "fs_writable"] {
            let run = run_all(way, &[with(shell("e", "true"), json!({field: [dir]}))], &[]);
            assert_eq!(run.status("e"), "invalid", "{way:?} {field}");
            assert!(
                run.error("e").contains("--allow-path"),
                "{way:?}: {}",
                run.error("e")
            );
        }
        let files = json!({"files": {"x": {"host_path": format!("{dir}/secret")}}});
        let run = run_all(way, &[with(shell("e", "cat x"), files.clone())], &[]);
        assert_eq!(run.status("e"), "invalid", "{way:?}");
        let run = run_all(
            way,
            &[with(shell("e", "cat x"), files)],
            &["--allow-path", &dir],
        );
        assert!(
            run.output("e").contains(SECRET),
            "{way:?}: {}",
            run.get("e")
        );
    }
}

/// In what is granted for writing, programs of other slots can put links where something else was granted.
#[test]
fn a_link_where_a_grant_lies_within_another_is_not_followed() {
    for way in Way::of_tier("namespaces") {
        let host = host_directory();
        let inner = host.path().join("directory");
        let (outer, inner) = (host.path().to_str().unwrap(), inner.to_str().unwrap());
        let swap = include_str!("../programs/swaps_a_grant_with_a_link.py");
        let swap = python_with("swap", swap, &[outer, inner]);
        let look = "ls /usr/share | wc -l";
        let mut lines = vec![
            with(swap, json!({"fs_writable": [outer]})),
            shell("look", look),
        ];
        // Each with a grant of its own besides, so that a slot is built for it.
        let others: Vec<_> = (0..40).map(|_| scratch()).collect();
        for (at, other) in others.iter().enumerate() {
            let granted = json!({"fs_writable": [outer], "fs_readable": [inner, other.path()]});
            lines.push(with(shell(&at.to_string(), look), granted));
        }
        let args = ["--allow-path", "/tmp", "--concurrency", "3"];
        let run = run_all(way, &lines, &args);
        let entries = run.output("look");
        for at in 0..40 {
            let id = at.to_string();
            match run.status(&id) {
                "ok" => assert_eq!(run.output(&id), entries, "{way:?}: {}", run.get(&id)),
                // There was a link, or nothing.
                status => assert_eq!(status, "invalid", "{way:?}: {}", run.get(&id)),
            }
        }
    }
}

#[test]
fn a_grant_within_another_is_as_it_was_asked_for() {
    for way in Way::of_tier("namespaces") {
        let host = host_directory();
        let inner = host.path().join("directory");
        let command = format!(
            "touch {0}/a; touch {0}/directory/b; true",
            host.path().display()
        );
        let granted = json!({"fs_readable": [inner], "fs_writable": [host.path()]});
        let path = host.path().to_str().unwrap();
        let run = run_all(
            way,
            &[with(shell("e", &command), granted)],
            &["--allow-path", path],
        );
        assert_eq!(run.status("e"), "ok", "{way:?}: {}", run.get("e"));
        assert!(host.path().join("a").exists(), "{way:?}: {}", run.get("e"));
        assert!(!inner.join("b").exists(), "{way:?}: {}", run.get("e"));
    }
}

/// Its mount goes with the directory that it is in.
#[test]
fn a_program_that_moves_its_grant_away_is_not_our_failure() {
    for way in Way::of_tier("namespaces") {
        let above = scratch();
        let grant = above.path().join("a/g");
        fs::create_dir_all(&grant).unwrap();
        let steps = json!([
            {"command": format!("mv {} /tmp/moved", above.path().display())},
            {"command": "cat /elsewhere/f", "files": {"/elsewhere/f": "second"}},
        ]);
        let episode = json!({"id": "e", "fs_readable": [grant], "steps": steps});
        let run = run_all(way, &[episode], &["--allow-path", "/tmp"]);
        assert_eq!(run.output("e"), "second", "{way:?}: {}", run.get("e"));
        assert_eq!(run.get("e")["attempts"], 1, "{way:?}: {}", run.get("e"));
    }
}

#[test]
fn a_host_file_that_a_program_has_replaced_is_the_line_s_failure_and_not_left_out() {
    for (at, replace) in ["ln -s /etc/passwd", "mkfifo"].into_iter().enumerate() {
        for way in Way::all() {
            let host = host_directory();
            let file = host.path().join("input");
            fs::write(&file, "input").unwrap();
            let name = file.display();
            let command = format!("rm {name}; {replace} {name}");
            let lines = [
                with(shell("a", &command), json!({"fs_writable": [host.path()]})),
                with(
                    shell("b", "cat x"),
                    json!({"files": {"x": {"host_path": file}}}),
                ),
            ];
            let path = host.path().to_str().unwrap();
            let args = ["--allow-path", path, "--concurrency", "1", "--ordered"];
            let run = run_all(way, &lines, &args);
            // The landlock tier keeps an ordinary user's programs from making some of these.
            if run.status("a") != "ok" {
                assert_eq!(
                    (at, way.namespaces()),
                    (1, false),
                    "{way:?}: {}",
                    run.get("a")
                );
                continue;
            }
            assert_eq!(run.status("b"), "invalid", "{way:?}: {}", run.get("b"));
            assert!(
                run.error("b").contains("not what it was"),
                "{way:?}: {}",
                run.get("b")
            );
        }
    }
}
