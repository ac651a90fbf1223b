//! Files that are put in, and files that are handed back.

use super::{assert_ok, everywhere, lines};
use crate::common::{Run, Way, command, parse, scratch};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

/// Runs a jobs file that lies in this directory.
fn run_in(directory: &Path, way: Way, jobs: &str, args: &[&str]) -> Run {
    fs::write(directory.join("jobs.jsonl"), jobs).expect("write jobs");
    let mut command = command(way.root);
    command
        .args(way.arguments())
        .args(args)
        .current_dir(directory);
    parse(command.output().expect("the binary starts"))
}

#[test]
fn files_are_written_with_their_bytes_and_modes_before_the_program_runs() {
    let all_bytes: Vec<u8> = (0..=255).collect();
    let episodes = [json!({"id": "e", "files": {
        "plain.txt": "é\n",
        "deep/er/bin.dat": {"base64": STANDARD.encode(&all_bytes)},
        "tool": {"base64": STANDARD.encode("#!/bin/sh\necho tool ran\n"), "mode": "0755"},
        "secret": {"base64": "", "mode": "0600"},
        "/tmp/there": "in tmp\n",
    }, "command": include_str!("programs/uses_its_files.sh")})];
    everywhere(&episodes, |way, run| {
        assert_ok(way, run, "e");
        let expected = "é\ntool ran\n644 3 plain.txt\n755 24 tool\n600 0 secret\n644 256 deep/er/bin.dat\nin tmp\n";
        assert_eq!(run.output("e"), format!("{expected}more\n"), "{way:?}");
    });
}

#[test]
fn all_bytes_survive_the_way_in_and_out() {
    let all_bytes: Vec<u8> = (0..=255).rev().collect();
    let encoded = STANDARD.encode(&all_bytes);
    let episodes = [
        json!({"id": "e", "argv": ["cp", "in.bin", "out.bin"], "files": {"in.bin": {"base64": encoded}}, "collect": ["out.bin"]}),
    ];
    everywhere(&episodes, |way, run| {
        assert_eq!(
            run.get("e")["files"],
            json!({"out.bin": {"base64": encoded}}),
            "{way:?}"
        );
    });
}

#[test]
fn a_host_path_copies_a_file_or_a_whole_directory_in() {
    let directory = scratch();
    let data = directory.path().join("data");
    fs::create_dir_all(data.join("sub")).expect("mkdir");
    fs::write(data.join("a.txt"), "alpha\n").expect("write");
    fs::write(data.join("sub/run.sh"), "#!/bin/sh\necho from the host\n").expect("write");
    fs::set_permissions(data.join("sub/run.sh"), Permissions::from_mode(0o755)).expect("chmod");
    let jobs = lines(&[
        json!({"id": "file", "command": "cat copied; echo changed > copied", "files": {"copied": {"host_path": "data/a.txt"}}}),
        json!({"id": "directory", "command": "cat tree/a.txt; tree/sub/run.sh; rm -r tree", "files": {"tree": {"host_path": "data"}}}),
        json!({"id": "absolute", "command": "cat x", "files": {"x": {"host_path": data.join("a.txt").to_str()}}}),
    ]);
    for way in Way::all() {
        let run = run_in(directory.path(), way, &jobs, &[]);
        for (id, output) in [
            ("file", "alpha\n"),
            ("directory", "alpha\nfrom the host\n"),
            ("absolute", "alpha\n"),
        ] {
            assert_ok(way, &run, id);
            assert_eq!(run.output(id), output, "{way:?}");
        }
        assert_eq!(
            fs::read_to_string(data.join("a.txt")).expect("read"),
            "alpha\n",
            "{way:?}: the host's file is untouched"
        );
    }
}

#[test]
fn a_host_path_outside_what_is_allowed_is_invalid() {
    let (jobs_directory, elsewhere) = (scratch(), scratch());
    let outside = elsewhere.path().join("outside.txt");
    fs::write(&outside, "outside\n").expect("write");
    std::os::unix::fs::symlink(&outside, jobs_directory.path().join("link")).expect("symlink");
    let outside = outside.to_str().expect("UTF-8");
    let up = format!(
        "../{}/outside.txt",
        elsewhere
            .path()
            .file_name()
            .and_then(|n| n.to_str())
            .expect("a name")
    );
    let episode = |id: &str, path: &str| json!({"id": id, "command": "cat x", "files": {"x": {"host_path": path}}});
    let jobs = lines(&[
        episode("absolute", outside),
        episode("up", &up),
        episode("link", "link"),
        json!({"id": "readable", "command": "true", "fs_readable": [outside]}),
        json!({"id": "inside", "command": "true"}),
    ]);
    for way in Way::all() {
        let run = run_in(jobs_directory.path(), way, &jobs, &[]);
        for id in ["absolute", "up", "link", "readable"] {
            assert_eq!(run.status(id), "invalid", "{way:?}: {}", run.get(id));
            assert!(
                run.error(id).contains("--allow-path") && !run.output(id).contains("outside"),
                "{way:?}: {}",
                run.error(id)
            );
        }
        assert_ok(way, &run, "inside");
        let run = run_in(
            jobs_directory.path(),
            way,
            &jobs,
            &["--allow-path", elsewhere.path().to_str().expect("UTF-8")],
        );
        for id in ["absolute", "up", "link"] {
            assert_ok(way, &run, id);
            assert_eq!(run.output(id), "outside\n", "{way:?}");
        }
        assert_ok(way, &run, "readable");
    }
}

#[test]
fn links_in_a_host_directory_stay_links_and_those_that_lead_out_of_it_are_named() {
    let directory = scratch();
    let (good, bad) = (directory.path().join("good"), directory.path().join("bad"));
    let pipe = directory.path().join("pipe");
    for path in [&good.join("v1"), &bad, &pipe] {
        fs::create_dir_all(path).expect("mkdir");
    }
    fs::write(good.join("v1/file"), "one\n").expect("write");
    let link = |target: &str, at: &Path| std::os::unix::fs::symlink(target, at).expect("symlink");
    link("v1", &good.join("latest"));
    link("../latest/file", &good.join("v1/back"));
    link("/etc/hostname", &bad.join("host"));
    nix::unistd::mkfifo(&pipe.join("fifo"), nix::sys::stat::Mode::S_IRWXU).expect("mkfifo");
    let episode = |id: &str| json!({"id": id, "command": "readlink d/latest; cat d/latest/file d/v1/back", "files": {"d": {"host_path": id}}});
    let jobs = lines(&["good", "bad", "pipe"].map(episode));
    for way in Way::all() {
        let run = run_in(directory.path(), way, &jobs, &[]);
        assert_ok(way, &run, "good");
        assert_eq!(run.output("good"), "v1\none\none\n", "{way:?}");
        for (id, told) in [("bad", "/etc/hostname"), ("pipe", "neither a file")] {
            assert_eq!(run.status(id), "invalid", "{way:?}: {}", run.get(id));
            assert!(run.error(id).contains(told), "{way:?}: {}", run.error(id));
        }
    }
}

#[test]
fn a_host_path_that_is_too_large_is_refused_with_the_limit_that_it_met() {
    let directory = scratch();
    for (name, mb) in [("large", 600), ("small", 3)] {
        let file = fs::File::create(directory.path().join(name)).expect("a file");
        file.set_len(mb << 20).expect("a file of holes");
    }
    let episode = |id: &str, path: &str, disk_mb: u64| json!({"id": id, "command": "true", "files": {"x": {"host_path": path}}, "resources": {"disk_mb": disk_mb}});
    let jobs = lines(&[
        episode("copied", "large", 2000),
        episode("disk", "small", 2),
    ]);
    for way in Way::all() {
        let run = run_in(directory.path(), way, &jobs, &[]);
        for (id, told) in [("copied", "more than 512 MB"), ("disk", "raise")] {
            assert_eq!(run.status(id), "invalid", "{way:?}: {}", run.get(id));
            assert!(run.error(id).contains(told), "{way:?}: {}", run.error(id));
        }
        assert!(!run.error("copied").contains("raise"), "{way:?}");
    }
}
