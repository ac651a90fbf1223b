//! A directory of the host that everybody may read and write, and attacks on it.
//!
//! It belongs to the ordinary user, who runs the runner in two of the four ways: only the sandbox is between the
//! attack and its target.

use crate::batch::Batch;
use crate::case::{Attack, answer, run_attacks};
use crate::common::{NOBODY, Run, Way, probe_program, scratch};
use crate::episodes::outside;
use serde_json::json;
use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::Path;

pub const SECRET: &str = "the-host's-secret";

/// `secret`, `directory`, `script` and `program`, all open to everybody.
pub fn host_directory() -> tempfile::TempDir {
    let host = scratch();
    put_secret(host.path());
    fs::create_dir(host.path().join("directory")).expect("mkdir");
    fs::copy("/bin/true", host.path().join("program")).expect("copy");
    for (name, mode) in [("", 0o777), ("directory", 0o777), ("program", 0o755)] {
        let path = host.path().join(name);
        fs::set_permissions(&path, Permissions::from_mode(mode)).expect("chmod");
        give(&path);
    }
    host
}

/// Makes a directory that everybody can enter and write to.
pub fn make_for_all(path: &Path) {
    fs::create_dir_all(path).expect("mkdir");
    fs::set_permissions(path, Permissions::from_mode(0o777)).expect("chmod");
}

pub fn put_secret(directory: &Path) {
    let secret = directory.join("secret");
    fs::write(&secret, SECRET).expect("write the secret");
    fs::set_permissions(&secret, Permissions::from_mode(0o666)).expect("chmod");
    give(&secret);
}

fn give(path: &Path) {
    if nix::unistd::geteuid().is_root() {
        chown(path, Some(NOBODY), Some(NOBODY)).expect("chown");
    }
}

/// Whether an episode may see the directory.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Grant {
    Nothing,
    Readable,
}

/// What attacks in one way came to.
pub struct Attacked {
    run: Run,
    /// The state of each one's directory, before and after.
    states: Vec<[Vec<String>; 2]>,
}

/// Attacks on directories of this kind, each on one of its own. `{host}` in an attack is the directory, `{own}` one of the
/// attacker's own.
impl Batch<Attacked> {
    /// The attack is denied in every way, the directory is afterwards what it was, and outside it succeeds.
    #[track_caller]
    pub fn assert_denied(&self, grant: Grant, attack: &[&str]) {
        let (number, runs) = self.runs(attack, |way, attacks| Attacked::by(way, grant, attacks));
        for (way, attacked) in runs {
            attacked.assert_denied(*way, number, attack);
        }
        assert_succeeds_outside(attack);
    }
}

#[track_caller]
pub fn assert_denied_in(way: Way, grant: Grant, attack: &[&str]) {
    Attacked::by(way, grant, &[attack]).assert_denied(way, 0, attack);
}

impl Attacked {
    fn by(way: Way, grant: Grant, attacks: &[&[&str]]) -> Attacked {
        let hosts: Vec<_> = attacks.iter().map(|_| host_directory()).collect();
        let states = || hosts.iter().map(|host| state(host.path()));
        let before: Vec<_> = states().collect();
        let paths = hosts
            .iter()
            .map(|host| host.path().to_str().expect("UTF-8"));
        let paths: Vec<&str> = paths.collect();
        let attacks = attacks.iter().zip(&paths).map(|(attack, path)| Attack {
            words: filled(attack, path, "."),
            fields: match grant {
                Grant::Nothing => json!({}),
                Grant::Readable => json!({"fs_readable": [path]}),
            },
        });
        let run = run_attacks(way, &attacks.collect::<Vec<_>>(), &paths);
        let states = before.into_iter().zip(states());
        let states = states.map(|(before, after)| [before, after]).collect();
        Attacked { run, states }
    }

    #[track_caller]
    fn assert_denied(&self, way: Way, number: usize, attack: &[&str]) {
        let answer = answer(way, &self.run, number);
        assert!(
            answer.starts_with("denied "),
            "{way:?}: {attack:?} {answer}"
        );
        let [before, after] = &self.states[number];
        assert_eq!(after, before, "{way:?}: {attack:?}");
    }
}

#[track_caller]
pub fn assert_succeeds_outside(attack: &[&str]) {
    let (host, own) = (host_directory(), scratch());
    let path = |directory: &tempfile::TempDir| directory.path().to_str().expect("UTF-8").to_owned();
    let words = filled(attack, &path(&host), &path(&own));
    let program = probe_program();
    let mut argv = vec![program.to_str().expect("UTF-8")];
    argv.extend(words.iter().map(String::as_str));
    let answer = outside(NOBODY, &argv);
    assert!(
        answer.starts_with("reached "),
        "the control of {attack:?} fails: {answer}"
    );
}

fn filled(attack: &[&str], host: &str, own: &str) -> Vec<String> {
    let fill = |word: &&str| word.replace("{host}", host).replace("{own}", own);
    attack.iter().map(fill).collect()
}

/// Everything about the directory that an attack could change: ctime moves with mode, owner, links, flags and
/// extended attributes (inode(7)).
fn state(directory: &Path) -> Vec<String> {
    let mut found = Vec::new();
    let mut open = vec![directory.to_owned()];
    while let Some(path) = open.pop() {
        let meta = fs::symlink_metadata(&path).expect("it is there");
        if meta.is_dir() {
            open.extend(
                fs::read_dir(&path)
                    .expect("list")
                    .map(|e| e.expect("an entry").path()),
            );
        }
        let times = (
            meta.mtime(),
            meta.mtime_nsec(),
            meta.ctime(),
            meta.ctime_nsec(),
        );
        found.push(format!(
            "{path:?} {:o} {} {} {times:?}",
            meta.mode(),
            meta.uid(),
            meta.len()
        ));
    }
    found.sort();
    found.push(fs::read_to_string(directory.join("secret")).expect("the secret"));
    found
}

/// Names tests of attacks on the directory.
macro_rules! denied {
    ($grant:ident; $($(#[$about:meta])* $name:ident: [$($word:expr),+];)+) => {
        static ATTACKS: $crate::batch::Batch<super::host::Attacked> =
            $crate::batch::Batch::new(&[$(&[$($word),+]),+]);
        $(
            $(#[$about])*
            #[test]
            fn $name() {
                ATTACKS.assert_denied(super::host::Grant::$grant, &[$($word),+]);
            }
        )+
    };
}
pub(super) use denied;
