//! Paths that an episode is granted: as granted, for that episode only, and only where the run allows it.

use super::host::{SECRET, host_directory};
use crate::common::Way;
use crate::episodes::{run_all, shell, with};
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
