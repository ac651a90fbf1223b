//! A process of the host that belongs to the ordinary user: the sandbox alone keeps an episode from it.

use crate::batch::{Batch, Words};
use crate::case::{Attack, Control, answer, assert_control, inside, run_attacks};
use crate::common::{NOBODY, Run, Way, scratch};
use crate::episodes::{RAW_CALLS, outside, python, run_all};
use serde_json::json;
use std::fs;
use std::io::Read;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// Ended with the test, however that ends.
struct Victim {
    child: Child,
    /// Its working directory.
    _directory: tempfile::TempDir,
}

impl Victim {
    fn id(&self) -> String {
        self.child.id().to_string()
    }

    fn is_alive(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// The start of its first mapping with these rights.
    fn address(&self, rights: &str) -> Option<String> {
        let maps = fs::read_to_string(format!("/proc/{}/maps", self.id())).ok()?;
        // Not while it is still setpriv.
        let mut lines = maps.lines().filter(|_| maps.contains("/sleep"));
        let line = lines.find(|line| line.contains(rights))?;
        Some(format!("0x{}", line.split('-').next()?))
    }

    /// An attack on it, in the probe's words.
    fn fill(&self, attack: &[&str]) -> Vec<String> {
        let place = |rights| self.address(rights).expect("it has such memory");
        let (pid, readable, writable) = (self.id(), place("r--p"), place("rw-p"));
        let fill = |word: &&str| {
            let word = word.replace("{pid}", &pid).replace("{readable}", &readable);
            word.replace("{writable}", &writable)
        };
        attack.iter().map(fill).collect()
    }
}

impl Drop for Victim {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Sleeps in a directory with a file `secret`, which is its standard input as well.
fn victim() -> Victim {
    let directory = scratch();
    let secret = directory.path().join("secret");
    fs::write(&secret, "the victim's secret").unwrap();
    let mut command = Command::new("sleep");
    if nix::unistd::geteuid().is_root() {
        let id = NOBODY.to_string();
        command = Command::new("setpriv");
        command.args([
            "--reuid",
            &id,
            "--regid",
            &id,
            "--clear-groups",
            "--",
            "sleep",
        ]);
    }
    let child = command
        .arg("120")
        .current_dir(directory.path())
        .stdin(fs::File::open(&secret).unwrap())
        .spawn()
        .unwrap();
    let victim = Victim {
        child,
        _directory: directory,
    };
    for _ in 0..1000 {
        // Not while the loader still changes what may be written to.
        let stat = fs::read_to_string(format!("/proc/{}/stat", victim.id())).unwrap_or_default();
        if stat.contains("(sleep) S") && victim.address("rw-p").is_some() {
            return victim;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    panic!("the victim does not start");
}

/// Attacks, each on a victim of its own: the run in one way, and whether each victim is alive after it. `{pid}` is the victim,
/// `{readable}` and `{writable}` are places in its memory.
static SPARED: Batch<(Run, Vec<bool>)> = Batch::new(ATTACKS);

/// Denied in every way, with the victim alive; outside the same attack succeeds.
#[track_caller]
fn assert_spared(attack: &[&str]) {
    let (number, runs) = SPARED.runs(attack, |way, attacks| {
        let mut victims: Vec<Victim> = attacks.iter().map(|_| victim()).collect();
        let attacks = attacks.iter().zip(&victims);
        let attacks = attacks.map(|(attack, spared)| Attack {
            words: spared.fill(attack),
            fields: json!({}),
        });
        let run = run_attacks(way, &attacks.collect::<Vec<_>>(), &[]);
        (run, victims.iter_mut().map(Victim::is_alive).collect())
    });
    for (way, (run, alive)) in runs {
        let answer = answer(*way, run, number);
        assert!(
            answer.starts_with("denied "),
            "{way:?}: {attack:?} {answer}"
        );
        assert!(alive[number], "{way:?}: {attack:?}");
    }
    let reached = victim();
    let words = reached.fill(attack);
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    assert_control(&words, Control::User);
}

macro_rules! spared {
    ($($(#[$about:meta])* $name:ident: [$($word:expr),+];)+) => {
        const ATTACKS: &[Words] = &[$(&[$($word),+]),+];
        $(
            $(#[$about])*
            #[test]
            fn $name() {
                assert_spared(&[$($word),+]);
            }
        )+
    };
}

spared! {
    // Its memory and descriptors.
    it_is_not_traced: ["trace-attach", "{pid}"];
    it_is_not_seized: ["trace-seize", "{pid}"];
    its_memory_is_not_read_by_call: ["vm-read", "{pid}", "{readable}"];
    its_memory_is_not_written_by_call: ["vm-write", "{pid}", "{writable}"];
    its_memory_is_not_read_from_proc: ["proc-memory", "{pid}", "{readable}"];
    its_descriptors_are_not_taken: ["take-descriptor", "{pid}"];
    it_is_not_compared_with: ["compare", "{pid}"];

    // What /proc tells of it.
    its_environment_is_not_read: ["read", "/proc/{pid}/environ"];
    its_command_line_is_not_read: ["read", "/proc/{pid}/cmdline"];
    its_map_is_not_read: ["read", "/proc/{pid}/maps"];
    its_program_is_not_read: ["read", "/proc/{pid}/exe"];
    its_descriptors_are_not_listed: ["list", "/proc/{pid}/fd"];
    its_input_is_not_opened: ["read", "/proc/{pid}/fd/0"];
    its_working_directory_is_not_listed: ["list", "/proc/{pid}/cwd"];
    its_file_is_not_read_through_its_working_directory: ["read", "/proc/{pid}/cwd/secret"];
    its_root_is_not_listed: ["list", "/proc/{pid}/root"];
    it_is_not_seen_as_a_thread: ["list", "/proc/{pid}/task/{pid}/fd"];

    // Signals.
    it_is_not_killed: ["kill", "{pid}"];
    it_is_not_killed_as_a_thread: ["tkill", "{pid}"];
    it_is_not_killed_as_a_thread_of_a_group: ["tgkill", "{pid}"];
    it_is_not_killed_by_a_queued_signal: ["queue-signal", "{pid}"];
    it_is_not_killed_by_a_signal_queued_for_a_thread: ["queue-signal-thread", "{pid}"];
    it_is_not_killed_by_descriptor: ["signal-descriptor", "{pid}"];
    it_is_not_stopped: ["kill", "{pid}", "19"];
    it_is_not_even_asked_for: ["kill", "{pid}", "0"];

    // Its share of the machine.
    its_limits_are_not_changed: ["limits", "{pid}"];
    it_is_not_made_nice: ["priority", "{pid}"];
    it_is_not_bound_to_one_core: ["affinity", "{pid}"];
    it_is_not_made_idle: ["scheduler", "{pid}"];
    its_scheduling_parameters_are_not_changed: ["scheduler-parameters", "{pid}"];
    its_scheduling_attributes_are_not_changed: ["scheduler-attributes", "{pid}"];
    its_disk_priority_is_not_changed: ["io-priority", "{pid}"];
}

/// The kernel sends the signal of an asynchronous descriptor in the name of whoever set its owner (F_SETOWN).
#[test]
fn it_is_not_killed_by_a_descriptor_that_it_is_made_the_owner_of() {
    let mut spared = victim();
    let (pid, attack) = (spared.id(), "signal-by-owner");
    for way in Way::all() {
        // The landlock tier takes the owner and keeps the signal.
        let answer = inside(way, &[attack, &pid]);
        assert!(
            !way.namespaces() || answer == "denied ESRCH",
            "{way:?}: {answer}"
        );
        std::thread::sleep(std::time::Duration::from_millis(50));
        assert!(spared.is_alive(), "{way:?}");
    }
    assert_control(&[attack, &pid], Control::User);
    assert!(
        !spared.child.wait().unwrap().success(),
        "the control kills it"
    );
}

#[test]
fn it_is_not_among_everybody() {
    let mut spared = victim();
    for way in Way::all() {
        for code in [
            "os.kill(-1,9)",
            "os.kill(0,9)",
            "os.killpg(GROUP,9)",
            "os.kill(-GROUP,9)",
        ] {
            let group =
                nix::unistd::getpgid(Some(nix::unistd::Pid::from_raw(spared.child.id() as i32)));
            let code = code.replace("GROUP", &group.unwrap().to_string());
            let code = format!("import os\ntry: {code}\nexcept OSError as e: print(e)");
            let run = run_all(way, &[python("e", &code)], &[]);
            assert_ne!(run.status("e"), "infra_error", "{way:?}: {}", run.get("e"));
            assert_eq!(run.get("e")["attempts"], 1, "{way:?}");
            assert!(spared.is_alive(), "{way:?}: {code}");
        }
    }
    let direct = format!("import os; os.kill({},15)", spared.id());
    outside(NOBODY, &["/usr/bin/python3", "-c", &direct]);
    assert!(
        !spared.child.wait().unwrap().success(),
        "the control kills it"
    );
}

crate::case::blocked! {
    asking_to_be_traced: ["trace-me"], Control::User;
}

/// Keys of a user are known by name to every process of that user, in any user namespace that maps it.
#[test]
fn the_names_of_the_users_keys_are_not_read() {
    let name = format!("runner-test-{}", std::process::id());
    let hold = format!(
        "{RAW_CALLS}\nprint(call({}, b'user', b'{name}', b'x', 1, -2), flush=True)\nimport time; time.sleep(120)",
        libc::SYS_add_key
    );
    let mut holder = Command::new("setpriv");
    if nix::unistd::geteuid().is_root() {
        let id = NOBODY.to_string();
        holder.args(["--reuid", &id, "--regid", &id, "--clear-groups"]);
    }
    holder
        .args(["--", "/usr/bin/python3", "-c", &hold])
        .stdout(Stdio::piped());
    let mut child = holder.spawn().unwrap();
    let mut said = [0; 3];
    child.stdout.take().unwrap().read_exact(&mut said).unwrap();
    let holder = Victim {
        child,
        _directory: scratch(),
    };
    assert_eq!(&said, b"ok\n");
    for way in Way::all() {
        let answer = inside(way, &["keys", &name]);
        assert!(answer.starts_with("denied "), "{way:?}: {answer}");
    }
    assert_control(&["keys", &name], Control::User);
    drop(holder);
}
