//! Files in and out: whole, as they are, and never from outside of the sandbox.

use crate::common::Way;
use crate::common::client::{Item, Server, code, file};
use serde_json::{Value, json};

/// Bytes that look like nothing in particular.
fn noise(length: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state as u8
    };
    // Made once and repeated, with a byte between that shifts it.
    let mut piece: Vec<u8> = (0..length.min(1 << 20)).map(|_| next()).collect();
    piece.push(7);
    let mut noise = piece.repeat(length / piece.len() + 1);
    noise.truncate(length);
    noise
}

#[test]
fn a_hundred_megabytes_go_in_and_come_back_the_same() {
    for way in [Way::all()[0], Way::of_tier("landlock")[0]] {
        let server = Server::start(way, &["--disk-mb", "200"]);
        let mut client = server.connect();
        let mut session = client.start(json!({}));
        let content = noise(100 << 20);
        let answer = session.upload("/workspace/big", &[file("", &content)]);
        assert_eq!(
            answer["result"],
            json!({"entries": 1, "bytes": 100 << 20}),
            "{way:?}"
        );
        let (items, answer) = session.download("big");
        assert_eq!(answer["result"]["bytes"], 100 << 20);
        assert!(
            items.len() == 1 && items[0].1 == content,
            "{way:?}: it is not the same"
        );
        // Neither side has held it whole.
        let status = std::fs::read_to_string(format!("/proc/{}/status", server.pid()));
        let status = status.expect("the server runs");
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let peak: u64 = peak
            .expect("a peak")
            .trim()
            .trim_end_matches(" kB")
            .parse()
            .expect("kB");
        assert!(peak < 64 << 10, "the server held {peak} kB");
    }
}

#[test]
fn a_directory_comes_back_with_its_modes_links_and_empty_directories() {
    for way in Way::all() {
        let server = Server::start(way, &[]);
        let mut client = server.connect();
        let mut session = client.start(json!({}));
        let directory = |path: &str, mode: &str| -> Item {
            (
                json!({"path": path, "kind": "directory", "mode": mode}),
                Vec::new(),
            )
        };
        let run = json!({"path": "bin/run", "kind": "file", "mode": "0755"});
        let link = json!({"path": "link", "kind": "link", "target": "bin/run"});
        let sent = [
            directory("", "0755"),
            directory("bin", "0755"),
            (run, b"#!/bin/sh\necho ran\n".to_vec()),
            (
                json!({"path": "bytes", "kind": "file", "mode": "0600"}),
                vec![0, 255, 10, 13, 0],
            ),
            directory("empty", "0700"),
            (link, Vec::new()),
        ];
        let answer = session.upload("/workspace/tree", &sent);
        assert_eq!(answer["result"]["entries"], 6, "{way:?} {answer}");
        let (received, _) = session.download("/workspace/tree");
        assert_eq!(received, sent, "{way:?}");
        assert_eq!(session.output("tree/bin/run"), "ran\n", "{way:?}");
    }
}

#[test]
fn a_file_that_is_uploaded_replaces_what_had_its_name() {
    for way in Way::all() {
        let server = Server::start(way, &[]);
        let mut client = server.connect();
        let mut session = client.start(json!({}));
        session.output("echo old > a; chmod 0444 a; echo other > b; ln -s b c; mkdir d");
        for name in ["a", "c"] {
            let answer = session.upload(name, &[file("", b"new")]);
            assert!(answer["result"].is_object(), "{way:?} {name}: {answer}");
        }
        assert_eq!(session.output("cat a b c"), "newother\nnew", "{way:?}");
        assert_eq!(
            code(&session.upload("d", &[file("", b"new")])),
            "is_directory",
            "{way:?}"
        );
    }
}

#[test]
fn a_path_that_leads_out_of_the_sandbox_is_refused() {
    for way in Way::all() {
        let server = Server::start(way, &[]);
        let mut client = server.connect();
        let mut session = client.start(json!({}));
        session.output(
            "ln -s /etc etc; ln -s / root; ln -s /proc/self/root magic; ln -s /etc/passwd passwd; ln -s /proc/1 one",
        );
        let out = [
            "/etc/passwd",
            "etc/passwd",
            "root/etc/passwd",
            "magic/etc/passwd",
            "passwd",
            "one/environ",
            "/proc/1/environ",
            "/usr/bin/env",
            "/dev/null",
            "../../etc/passwd",
            "/../etc/passwd",
        ];
        for path in out {
            let (items, answer) = session.download(path);
            assert!(items.is_empty(), "{way:?} {path}: {items:?}");
            let code = code(&answer);
            assert!(
                ["refused", "not_found", "bad_request"].contains(&code),
                "{path}: {answer}"
            );
        }
        let server_files = server.directory.path().display().to_string();
        for path in [
            "/usr/x",
            "root/usr/x",
            "magic/usr/x",
            "/proc/x",
            &server_files,
        ] {
            // Where it is taken, it is in a place of the sandbox's own by that name.
            session.upload(path, &[file("", b"x")]);
        }
        assert!(!std::path::Path::new("/usr/x").exists(), "{way:?}");
        assert!(server.directory.path().is_dir(), "{way:?}");
        if way.namespaces() {
            assert_eq!(
                code(&session.upload("root/usr/x", &[file("", b"x")])),
                "refused"
            );
        }
        for path in ["../x", "/x", "a/../../x"] {
            let answer = session.upload("up", &[file(path, b"x")]);
            assert_eq!(code(&answer), "bad_request", "{way:?} {path}: {answer}");
        }
        assert!(!server.directory.path().join("x").exists());
    }
}

#[test]
fn what_is_no_file_is_left_out_with_the_reason_and_what_is_not_there_is_said() {
    let server = Server::start(Way::all()[0], &[]);
    let mut client = server.connect();
    let mut session = client.start(json!({}));
    session.output("mkdir d; mkfifo d/pipe; echo x > d/file; mkfifo pipe");
    let (items, answer) = session.download("d");
    let names: Vec<&Value> = items.iter().map(|(entry, _)| &entry["path"]).collect();
    assert_eq!(names, ["", "file"]);
    let skipped = &answer["result"]["skipped"];
    assert_eq!(skipped[0]["path"], "pipe", "{answer}");
    assert!(
        skipped[0]["reason"]
            .as_str()
            .is_some_and(|why| why.contains("pipe"))
    );
    assert_eq!(code(&session.download("pipe").1), "refused");
    assert_eq!(code(&session.download("nothing").1), "not_found");
    assert_eq!(code(&session.download("d/file/below").1), "not_found");
}

#[test]
fn names_that_are_not_utf8_stay_apart_and_closed_files_come_and_stay_closed() {
    for way in Way::all() {
        let server = Server::start(way, &[]);
        let mut client = server.connect();
        let mut session = client.start(json!({}));
        let make = r"mkdir d; for n in $'\xff' $'\xfe' '\xff'; do echo x > d/$n; done; (umask 777; : > d/closed)";
        session.output(make);
        let (items, answer) = session.download("d");
        let names: Vec<&Value> = items.iter().map(|(entry, _)| &entry["path"]).collect();
        let expected = ["", r"\x5cxff", "closed", r"\xfe", r"\xff"];
        assert_eq!(names, expected, "{way:?}: {answer}");
        assert_eq!(session.output("stat -c %a d/closed"), "0\n", "{way:?}");
    }
}

#[test]
fn what_does_not_fit_is_said_and_the_session_goes_on() {
    for way in Way::of_tier("namespaces") {
        let server = Server::start(way, &["--disk-mb", "10"]);
        let mut client = server.connect();
        let mut session = client.start(json!({}));
        let answer = session.upload("big", &[file("", &noise(30 << 20))]);
        assert_eq!(code(&answer), "no_space", "{answer}");
        assert_eq!(session.output("rm -f big; echo fine"), "fine\n", "{way:?}");
    }
}

#[test]
fn a_tree_of_long_names_is_refused_before_it_fills_the_slot_and_the_session_goes_on() {
    for way in [Way::all()[0], Way::of_tier("landlock")[0]] {
        let server = Server::start(way, &["--disk-mb", "1024"]);
        let mut client = server.connect();
        let mut session = client.start(json!({}));
        let make = include_str!("programs/a_tree_of_long_names.py");
        session.exec(json!({"argv": ["/usr/bin/python3", "-c", make]}));
        let (_, answer) = session.download("d");
        assert_eq!(code(&answer), "refused", "{way:?} {answer}");
        let message = answer["error"]["message"].as_str().expect("a message");
        assert!(message.contains("pack it with tar"), "{message}");
        let (items, _) = session.download("few");
        assert_eq!(items.len(), 10, "{way:?}");
        assert_eq!(session.output("ls d | wc -l"), "60000\n", "{way:?}");
    }
}

#[test]
fn a_deep_tree_comes_with_whole_paths_in_order() {
    let server = Server::start(Way::all()[0], &[]);
    let mut client = server.connect();
    let mut session = client.start(json!({}));
    session.output("mkdir -p t/a/b/c t/a/d t/e; touch t/a/b/c/1 t/a/b/2 t/a/3 t/e/4 t/5");
    let (items, _) = session.download("t");
    let paths: Vec<&str> = items
        .iter()
        .map(|(entry, _)| entry["path"].as_str().expect("a path"))
        .collect();
    assert_eq!(
        paths,
        [
            "", "5", "a", "a/3", "a/b", "a/b/2", "a/b/c", "a/b/c/1", "a/d", "e", "e/4"
        ]
    );
}

#[test]
fn a_wrong_frame_ends_the_upload_and_nothing_else() {
    let server = Server::start(Way::all()[0], &[]);
    let mut client = server.connect();
    let mut session = client.start(json!({}));
    let frames = [
        json!({"data": "eA=="}),
        json!({"entry": {"path": "a", "kind": "weird"}}),
        json!({"entry": {"path": "a", "kind": "file", "mode": "rw"}}),
        json!({"entry": {"path": "a", "kind": "link"}}),
        json!({"entry": {"kind": "file"}}),
        json!({"data": "not base64!"}),
        json!({"end": true, "data": ""}),
        json!({}),
    ];
    for frame in frames {
        let id = session.ask("upload", json!({"path": "up"}));
        assert_eq!(session.client.receive()["ready"], true);
        let mut sent = frame.clone();
        sent["id"] = id.into();
        session.client.send(&sent);
        // What is still under way.
        session.client.send(&json!({"id": id, "data": "eA=="}));
        session.client.send(&json!({"id": id, "end": true}));
        let answer = session.client.receive();
        assert_eq!(
            (code(&answer), &answer["id"]),
            ("bad_request", &id.into()),
            "{frame}: {answer}"
        );
    }
    let id = session.ask("upload", json!({"path": "up"}));
    assert_eq!(session.client.receive()["ready"], true);
    session.client.send(&json!({"id": id, "abort": true}));
    assert_eq!(code(&session.client.receive()), "cancelled");
    assert_eq!(session.output("echo fine"), "fine\n");
}

#[test]
fn what_a_program_closed_to_itself_comes_and_is_closed_again() {
    for way in Way::all() {
        let server = Server::start(way, &[]);
        let mut client = server.connect();
        let mut session = client.start(json!({}));
        session.output("mkdir -p d/closed/in; echo a >d/closed/in/a; echo b >d/b");
        // As an ordinary user in the landlock tier no program can change a mode.
        session.output("chmod 0 d/b d/closed/in d/closed 2>/dev/null; true");
        let modes = "stat -c %a d/b d/closed";
        let closed = session.output(modes);
        assert_eq!(closed == "0\n0\n", way.root || way.namespaces(), "{way:?}");
        let (items, answer) = session.download("d");
        assert!(answer.get("result").is_some(), "{way:?}: {answer}");
        let content = |path: &str| {
            let found = items.iter().find(|(entry, _)| entry["path"] == path);
            found.map(|(_, content)| content.as_slice())
        };
        assert_eq!(content("b"), Some(&b"b\n"[..]), "{way:?}: {items:?}");
        assert_eq!(
            content("closed/in/a"),
            Some(&b"a\n"[..]),
            "{way:?}: {items:?}"
        );
        assert_eq!(session.output(modes), closed, "{way:?}");
    }
}

#[test]
fn a_file_of_holes_is_refused_where_they_are_more_than_the_disk_could_hold() {
    for way in Way::all() {
        let server = Server::start(way, &["--disk-mb", "64"]);
        let mut client = server.connect();
        let mut session = client.start(json!({}));
        session.output(
            "truncate -s 1M some; mkdir many; for i in 1 2 3; do truncate -s 30M many/$i; done",
        );
        let (items, _) = session.download("some");
        assert_eq!(items[0].1.len(), 1 << 20, "{way:?}");
        let (_, answer) = session.download("many");
        assert_eq!(code(&answer), "refused", "{way:?}: {answer}");
        assert_eq!(session.output("echo goes on"), "goes on\n", "{way:?}");
    }
}
