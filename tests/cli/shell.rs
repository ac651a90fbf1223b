//! `runner shell`: somebody at the terminal of a sandbox.

use super::common::{Way, command, scratch};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::pty::{Winsize, openpty};
use nix::sys::signal::{Signal, kill};
use nix::sys::stat::fstat;
use nix::sys::termios::{Termios, tcgetattr};
use nix::unistd::Pid;
use std::fs::{self, File};
use std::io::{Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// However busy the machine is.
const PATIENCE: Duration = Duration::from_secs(120);

/// Somebody with a terminal, at which `runner shell` runs.
struct Person {
    hands: File,
    terminal: OwnedFd,
    before: Termios,
    runner: Child,
    /// What has been shown and not looked at yet.
    seen: String,
}

impl Person {
    fn sits_down(way: Way, args: &[&str]) -> Person {
        let size = Winsize {
            ws_row: 33,
            ws_col: 101,
            ws_xpixel: 0,
            ws_ypixel: 0,
        };
        let pair = openpty(&size, None).expect("a terminal");
        let stdio = || Stdio::from(pair.slave.try_clone().expect("a copy"));
        let mut shell = command(way.root);
        shell
            .args(["shell", "--isolation", way.tier])
            .args(args)
            .env("TERM", "vt100")
            .stdin(stdio())
            .stdout(stdio())
            .stderr(stdio());
        Person {
            before: tcgetattr(&pair.slave).expect("a terminal"),
            runner: shell.spawn().expect("the binary starts"),
            hands: pair.master.into(),
            terminal: pair.slave,
            seen: String::new(),
        }
    }

    fn types(&mut self, text: &str) {
        self.hands.write_all(text.as_bytes()).expect("a terminal");
    }

    /// What is shown up to `text`, for which this waits.
    fn sees(&mut self, text: &str) -> String {
        let end = Instant::now() + PATIENCE;
        loop {
            if let Some(at) = self.seen.find(text) {
                let rest = self.seen.split_off(at + text.len());
                return std::mem::replace(&mut self.seen, rest);
            }
            assert!(Instant::now() < end, "no {text:?} in {:?}", self.seen);
            self.looks();
        }
    }

    fn looks(&mut self) {
        let mut ready = [PollFd::new(self.hands.as_fd(), PollFlags::POLLIN)];
        if poll(&mut ready, PollTimeout::from(100u8)).expect("a terminal") > 0 {
            let mut buffer = [0; 4096];
            let length = self.hands.read(&mut buffer).expect("a terminal");
            self.seen += &String::from_utf8_lossy(&buffer[..length]);
        }
    }

    /// The exit code, once the runner has left the terminal as it was.
    fn leaves(&mut self) -> Option<i32> {
        let end = Instant::now() + PATIENCE;
        let status = loop {
            if let Some(status) = self.runner.try_wait().expect("a child") {
                break status;
            }
            assert!(Instant::now() < end, "it does not end: {:?}", self.seen);
            self.looks();
        };
        let after = tcgetattr(&self.terminal).expect("a terminal");
        assert_eq!(after, self.before);
        self.looks();
        status.code()
    }
}

#[test]
fn programs_find_a_terminal_of_their_own_and_its_end_is_that_of_the_shell() {
    for way in Way::all() {
        let mut person = Person::sits_down(way, &[]);
        let ours = fstat(&person.terminal).expect("a terminal");
        person.types("stty size; echo $TERM; stat -Lc '%d %i' /proc/self/fd/[012] /dev/fd/2; echo all\" \"said\n");
        let shown = person.sees("all said");
        assert!(shown.contains("33 101\r\nvt100\r\n"), "{way:?}: {shown}");
        let own = format!("{} {}\r\n", ours.st_dev, ours.st_ino);
        assert!(!shown.contains(&own), "{way:?}: {shown}");

        // Keys that mean something to a terminal mean it to the one inside.
        person.types("sleep 100\n");
        person.sees("sleep 100");
        std::thread::sleep(Duration::from_millis(300));
        person.types("\x03");
        person.types("echo ended\" \"with $?\n");
        person.sees("ended with 130");
        person.types("exit 7\n");
        assert_eq!(person.leaves(), Some(7), "{way:?}");
    }
}

#[test]
fn a_program_at_the_terminal_leads_a_session_of_its_own_even_where_one_is_kept_warm() {
    let way = Way::all()[0];
    let script =
        "import os; print('leads', os.getsid(0) == os.getpid(), os.tcgetpgrp(0) == os.getpid())";
    let args = ["--warm", "python", "--", "python3", "-c", script];
    let mut person = Person::sits_down(way, &args);
    person.sees("leads True True");
    assert_eq!(person.leaves(), Some(0));
}

#[test]
fn what_a_program_that_ends_at_once_has_printed_is_shown() {
    let way = Way::all()[0];
    for _ in 0..20 {
        let mut person = Person::sits_down(way, &["--", "echo", "short"]);
        person.sees("short");
        assert_eq!(person.leaves(), Some(0));
    }
}

#[test]
fn a_new_size_of_the_terminal_reaches_programs_inside() {
    let mut person = Person::sits_down(Way::all()[0], &[]);
    person.types("trap 'stty size' WINCH; echo is\" \"ready\n");
    person.sees("is ready");
    let resized = Command::new("stty")
        .args(["rows", "20", "cols", "70"])
        .stdin(person.terminal.try_clone().expect("a copy"))
        .status();
    assert!(resized.is_ok_and(|status| status.success()));
    // The kernel tells those who have the terminal as their controlling one, which this runner has not.
    kill(Pid::from_raw(person.runner.id() as i32), Signal::SIGWINCH).expect("it runs");
    person.types("\n");
    person.sees("20 70");
    person.types("exit\n");
    assert_eq!(person.leaves(), Some(0));
}

#[test]
fn with_an_id_it_is_the_sandbox_of_an_episode_before_its_first_step() {
    let directory = scratch();
    let jobs = directory.path().join("jobs.jsonl");
    let line = r#"{"id": "e17", "env": {"A": "b c"}, "files": {"in.txt": "placed"}, "timeout_s": 0.5,
        "steps": [{"command": "cat 'in.txt'"}, {"command": "false"}]}"#;
    fs::write(&jobs, line.replace('\n', "")).expect("a file");
    let jobs = jobs.to_str().expect("a path");
    for way in Way::all() {
        let mut person = Person::sits_down(way, &["--jobs", jobs, "--id", "e17", "--verdict"]);
        person.sees(r"runner: in place of the first of 2 steps, bash -lc 'cat '\''in.txt'\'''");
        person.types("cat in.txt; echo $A; sleep 0.7; exit 3\n");
        person.sees("placed");
        person.sees("b c");
        person.sees(r#""status":"failed","exit_code":3"#);
        assert_eq!(person.leaves(), Some(3), "{way:?}");
    }
}

#[test]
fn the_terminal_is_as_it_was_however_it_ends() {
    let way = Way::all()[0];
    let mut person = Person::sits_down(way, &["--timeout-s", "1"]);
    person.sees("runner: timeout: its time was over");
    assert_eq!(person.leaves(), Some(124));

    let mut person = Person::sits_down(way, &[]);
    person.types("echo is\" \"ready\n");
    person.sees("is ready");
    kill(Pid::from_raw(person.runner.id() as i32), Signal::SIGTERM).expect("it runs");
    assert_eq!(person.leaves(), Some(130));
}

#[test]
fn without_a_terminal_it_says_what_needs_none() {
    let output = command(true).arg("shell").stdin(Stdio::null()).output();
    let output = output.expect("the binary starts");
    assert_eq!(output.status.code(), Some(2));
    assert_eq!(
        String::from_utf8_lossy(&output.stderr),
        "runner: stdin and stdout have to be a terminal; `runner run` needs none\n"
    );
}
