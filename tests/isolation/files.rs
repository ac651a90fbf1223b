//! Files of the host: unseen unless granted, and then as granted.

use crate::common::{NOBODY, Way, scratch};
use crate::probe::{output_of, outside, run_all, shell, with};
use serde_json::json;
use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::Path;

const SECRET: &str = "the-host's-secret";

/// A directory of the host that everybody may read and write, with a file in it.
fn host_directory() -> tempfile::TempDir {
    let directory = scratch();
    put_secret(directory.path());
    directory
}

fn put_secret(directory: &Path) {
    let secret = directory.join("secret");
    fs::write(&secret, SECRET).expect("write the secret");
    fs::set_permissions(&secret, Permissions::from_mode(0o666)).expect("chmod");
}

#[test]
fn a_host_file_is_unreadable_and_its_directory_unwritable_without_a_grant() {
    for way in Way::all() {
        let host = host_directory();
        let dir = host.path().display();
        let command = format!(
            "cat {dir}/secret; echo new > {dir}/new; echo more >> {dir}/secret; ls {dir}; true"
        );
        let inside = output_of(way, &shell("e", &command));
        assert!(!inside.contains(SECRET), "{way:?}: {inside}");
        assert!(!host.path().join("new").exists(), "{way:?}");
        assert_eq!(
            fs::read_to_string(host.path().join("secret")).unwrap(),
            SECRET,
            "{way:?}"
        );

        let control = outside(NOBODY, &["bash", "-c", &command]);
        assert!(control.contains(SECRET), "the control reads it: {control}");
        assert!(host.path().join("new").exists(), "the control writes");
    }
}

#[test]
fn a_readable_grant_is_seen_at_the_same_path_and_is_read_only() {
    for way in Way::all() {
        let host = host_directory();
        let dir = host.path().display().to_string();
        let command = format!(
            "cat {dir}/secret; echo x > {dir}/new; echo x >> {dir}/secret; rm -f {dir}/secret; mkdir {dir}/d; true"
        );
        let episode = with(shell("e", &command), json!({"fs_readable": [dir]}));
        let run = run_all(way, &[episode], &["--allow-path", &dir]);
        assert!(
            run.output("e").contains(SECRET),
            "{way:?}: {}",
            run.get("e")
        );
        assert_eq!(fs::read_dir(host.path()).unwrap().count(), 1, "{way:?}");
        assert_eq!(
            fs::read_to_string(host.path().join("secret")).unwrap(),
            SECRET,
            "{way:?}"
        );
    }
}

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

#[test]
fn the_password_hashes_of_the_host_are_unreadable() {
    for way in Way::all() {
        let inside = output_of(way, &shell("e", "cat /etc/shadow; ls /root/; true"));
        assert!(!inside.contains("root:"), "{way:?}: {inside}");
        if nix::unistd::geteuid().is_root() {
            assert!(
                outside(0, &["cat", "/etc/shadow"]).contains("root:"),
                "the control reads it"
            );
        }
    }
}

#[test]
fn system_directories_are_read_only() {
    for way in Way::all() {
        let command = "for d in /usr /usr/bin /etc /lib /opt /dev / /var; do touch $d/leak 2>/dev/null && echo WROTE $d; done; true";
        let inside = output_of(way, &shell("e", command));
        assert_eq!(inside, "", "{way:?}");
    }
}

#[test]
fn mode_and_owner_of_host_files_do_not_change() {
    for way in Way::all() {
        let host = host_directory();
        let secret = host.path().join("secret");
        let before = fs::metadata(&secret).unwrap();
        let path = secret.display();
        let command = format!(
            "chmod 000 {path}; chown $(id -u) {path}; touch -d 2001-01-01 {path}; chmod 777 /usr/bin/env /dev/null /etc/hosts; true"
        );
        output_of(way, &shell("e", &command));
        let after = fs::metadata(&secret).unwrap();
        assert_eq!(
            (before.mode(), before.uid(), before.mtime()),
            (after.mode(), after.uid(), after.mtime()),
            "{way:?}"
        );
        assert_eq!(
            fs::metadata("/dev/null").unwrap().mode() & 0o777,
            0o666,
            "{way:?}"
        );
    }
}

/// In the landlock tier an ordinary user's episodes have that user's uid, and Landlock does not cover chmod(2).
#[test]
fn mode_of_host_files_of_the_same_user_does_not_change() {
    for way in Way::all() {
        let host = host_directory();
        let secret = host.path().join("secret");
        if nix::unistd::geteuid().is_root() {
            chown(&secret, Some(NOBODY), Some(NOBODY)).unwrap();
        }
        let command = format!(
            "chmod 000 {0}; touch -d 2001-01-01 {0}; true",
            secret.display()
        );
        output_of(way, &shell("e", &command));
        assert_eq!(
            fs::metadata(&secret).unwrap().mode() & 0o777,
            0o666,
            "{way:?}"
        );
        outside(NOBODY, &["bash", "-c", &command]);
        assert_eq!(
            fs::metadata(&secret).unwrap().mode() & 0o777,
            0,
            "the control changes it"
        );
    }
}

/// Under /var/tmp, which the landlock tier does not rename.
fn outside_tmp() -> tempfile::TempDir {
    let host = tempfile::Builder::new()
        .prefix("runner-test-")
        .tempdir_in("/var/tmp")
        .expect("a directory");
    fs::set_permissions(host.path(), Permissions::from_mode(0o755)).expect("chmod");
    put_secret(host.path());
    host
}

#[test]
fn collect_returns_nothing_of_the_host() {
    for way in Way::all() {
        let host = outside_tmp();
        let patterns = [
            format!("{}/*", host.path().display()),
            "/etc/*".into(),
            "own".into(),
        ];
        let run = run_all(
            way,
            &[with(
                shell("e", "echo mine > own"),
                json!({"collect": patterns}),
            )],
            &[],
        );
        if run.status("e") == "invalid" {
            continue;
        }
        let files = run.get("e")["files"].as_object().expect("files");
        let names: Vec<_> = files.keys().collect();
        assert_eq!(names, ["own"], "{way:?}");
    }
}

#[test]
fn collect_does_not_follow_a_working_directory_that_became_a_link() {
    for way in Way::all() {
        let host = outside_tmp();
        let command = format!(
            "touch kept; cd ..; mv sub old; ln -s {} sub",
            host.path().display()
        );
        let episode = with(
            shell("e", &command),
            json!({"workdir": "/workspace/sub", "collect": ["*"]}),
        );
        let run = run_all(way, &[episode], &[]);
        let result = run.get("e").to_string();
        assert!(!result.contains(SECRET), "{way:?}: {result}");
        let control = with(
            shell("e", "touch kept"),
            json!({"workdir": "/workspace/sub", "collect": ["*"]}),
        );
        assert!(
            run_all(way, &[control], &[]).get("e")["files"]["kept"].is_string(),
            "{way:?}"
        );
    }
}

#[test]
fn files_of_a_later_step_do_not_leave_the_sandbox_through_links() {
    for way in Way::all() {
        let host = host_directory();
        for target in [
            host.path().display().to_string(),
            "/proc/self/root".into(),
            "/proc/1/cwd".into(),
        ] {
            let link = format!(
                "ln -s {target} link; ln -s {}/secret file",
                host.path().display()
            );
            let steps = json!([
                {"command": link, "on_failure": "continue"},
                {"command": "true", "files": {"link/planted": "x"}, "on_failure": "continue"},
                {"command": "true", "files": {"file": "x"}, "on_failure": "continue"},
            ]);
            let run = run_all(way, &[json!({"id": "e", "steps": steps})], &[]);
            assert_ne!(run.status("e"), "infra_error", "{way:?}: {}", run.get("e"));
            assert!(!host.path().join("planted").exists(), "{way:?}");
            assert_eq!(
                fs::read_to_string(host.path().join("secret")).unwrap(),
                SECRET,
                "{way:?}"
            );
        }
    }
}

/// An episode that may write to a granted directory puts a link where a later episode's path leads through.
#[test]
fn a_path_that_was_checked_can_not_be_led_elsewhere_by_a_link() {
    let swap = |fields: serde_json::Value| {
        for way in Way::all() {
            let (host, elsewhere) = (host_directory(), host_directory());
            let inner = host.path().join("inner");
            fs::create_dir(&inner).expect("mkdir");
            fs::set_permissions(&inner, Permissions::from_mode(0o777)).expect("chmod");
            fs::write(inner.join("secret"), "harmless").expect("write");
            let (root, link) = (host.path().display(), elsewhere.path().display());
            let text = fields
                .to_string()
                .replace("{inner}", &inner.display().to_string());
            let fields: serde_json::Value = serde_json::from_str(&text).expect("JSON");
            let read = format!(
                "cat secret {}/secret; echo x >> {}/secret; true",
                inner.display(),
                inner.display()
            );
            let episodes = [
                with(
                    shell(
                        "swaps",
                        &format!("cd {root} && mv inner old && ln -s {link} inner"),
                    ),
                    json!({"fs_writable": [host.path()]}),
                ),
                with(shell("reads", &read), fields),
            ];
            let allow = host.path().display().to_string();
            let run = run_all(
                way,
                &episodes,
                &["--concurrency", "1", "--ordered", "--allow-path", &allow],
            );
            assert_eq!(run.status("swaps"), "ok", "{way:?}: {}", run.get("swaps"));
            assert!(
                !run.output("reads").contains(SECRET),
                "{way:?}: {}",
                run.get("reads")
            );
            let kept = fs::read_to_string(elsewhere.path().join("secret")).expect("read");
            assert_eq!(kept, SECRET, "{way:?}");
        }
    };
    swap(json!({"fs_writable": ["{inner}"]}));
    swap(json!({"files": {"secret": {"host_path": "{inner}/secret"}}}));
    swap(json!({"files": {".": {"host_path": "{inner}"}}}));
}
