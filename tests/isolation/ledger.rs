//! The ledger: which of the faults that let programs out of containers can be reached from a sandbox.
//!
//! `ledger.tsv` says what a program needs to reach each of them. Whether a sandbox grants that is read from the policy's
//! own tables, and tried in an episode (`inside`), so that neither they nor `LEDGER.md` can drift.

mod inside;
mod needs;
mod page;

use runner::sandbox::syscalls::Setting;
use runner::spec::policy::{Network, Tier};
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

const ENTRIES: &str = include_str!("ledger.tsv");

/// One fault, as a line of `ledger.tsv` has it.
pub struct Fault {
    pub id: &'static str,
    pub place: &'static str,
    pub class: &'static str,
    /// What a program needs to reach it, in the words of [`needs`].
    pub takes: &'static str,
    pub text: &'static str,
}

impl Fault {
    pub fn all() -> Vec<Fault> {
        let lines = ENTRIES.lines().filter(|line| !line.starts_with('#'));
        lines.map(Fault::parse).collect()
    }

    fn parse(line: &'static str) -> Fault {
        let fields: Vec<&str> = line.split('\t').collect();
        let [id, place, class, takes, text] = fields[..] else {
            panic!("five fields are needed: {line}");
        };
        assert!(CLASSES.contains(&class), "no class {class:?}: {line}");
        Fault {
            id,
            place,
            class,
            takes,
            text,
        }
    }

    /// What a program lacks in this sandbox; nothing when it can reach the fault, whether or not its slot has a uid of
    /// its own.
    pub fn lacking(&self, sandbox: Sandbox) -> Option<BTreeSet<&'static str>> {
        let settings = [true, false].map(|own_uid| Setting {
            tier: sandbox.tier,
            own_uid,
            network: sandbox.network,
        });
        let mut lacking = BTreeSet::new();
        for setting in settings {
            lacking.extend(needs::lacking(self.takes, setting)?);
        }
        Some(lacking)
    }
}

pub const CLASSES: [&str; 4] = ["kernel", "runtime", "program", "processor"];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sandbox {
    pub tier: Tier,
    pub network: Network,
}

impl Sandbox {
    /// Those of a tier, from the fewest rights to the most.
    pub fn of(tier: Tier) -> Vec<Sandbox> {
        let networks: &[Network] = match tier {
            Tier::Namespaces => &[Network::None, Network::Loopback, Network::Host],
            Tier::Landlock => &[Network::None, Network::Host],
        };
        let sandbox = |&network| Sandbox { tier, network };
        networks.iter().map(sandbox).collect()
    }
}

/// How many of these faults are out of reach, of how many.
pub fn out_of_reach(class: &str, sandbox: Sandbox) -> (usize, usize) {
    let faults = Fault::all().into_iter().filter(|f| f.class == class);
    let lacking: Vec<bool> = faults.map(|f| f.lacking(sandbox).is_some()).collect();
    (lacking.iter().filter(|l| **l).count(), lacking.len())
}

fn in_repository(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

#[test]
fn every_fault_is_there_once_but_for_the_one_that_was_listed_twice() {
    let faults = Fault::all();
    let ids: BTreeSet<&str> = faults.iter().map(|f| f.id).collect();
    assert_eq!((faults.len(), ids.len()), (98, 97));
}

#[test]
fn nine_tenths_of_the_kernels_faults_are_out_of_reach_in_the_namespaces_tier() {
    for network in [Network::None, Network::Loopback, Network::Host] {
        let tier = Tier::Namespaces;
        let (out, all) = out_of_reach("kernel", Sandbox { tier, network });
        assert!(out * 10 >= all * 9, "{network:?}: {out} of {all}");
    }
}

#[test]
fn the_page_says_what_the_tables_say() {
    let path = in_repository("tests/isolation/LEDGER.md");
    let found = fs::read_to_string(&path).expect("the page is there");
    let (prose, _) = found
        .split_once(page::MARK)
        .expect("a line that says where the generated part starts");
    let expected = format!("{prose}{}{}", page::MARK, page::generated());
    if std::env::var_os("UPDATE_EXPECT").is_some() {
        fs::write(&path, &expected).expect("the page can be written");
    } else {
        assert!(
            found == expected,
            "{} is not what tables and ledger.tsv say; UPDATE_EXPECT=1 writes it anew",
            path.display()
        );
    }
}

#[test]
fn the_shares_in_the_documentation_are_those_of_the_page() {
    for name in ["README.md", "tests/README.md"] {
        let text = fs::read_to_string(in_repository(name)).expect("a page");
        let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
        let sentence = page::sentence();
        assert!(text.contains(&sentence), "{name} lacks: {sentence}");
    }
}

/// The words mean what they say: known answers, of both kinds.
#[test]
fn needs_are_evaluated_by_the_cases_of_the_tables() {
    let setting = |tier, network| Setting {
        tier,
        own_uid: true,
        network,
    };
    let closed = setting(Tier::Namespaces, Network::None);
    let open = setting(Tier::Namespaces, Network::Host);
    let landlock = setting(Tier::Landlock, Network::None);
    for (takes, setting, reached) in [
        ("call splice", closed, false),
        ("call waitid", closed, true),
        ("call bpf/waitid", closed, true),
        ("call clone 0=CLONE_NEWUSER", closed, false),
        ("call clone", closed, true),
        ("call io_uring_setup", closed, false),
        ("socket AF_UNIX", closed, true),
        ("socket AF_UNIX", landlock, false),
        ("socketpair AF_UNIX:SOCK_STREAM", landlock, true),
        ("socketpair AF_UNIX:SOCK_DGRAM", landlock, false),
        ("socket AF_INET:SOCK_STREAM", closed, false),
        ("socket AF_INET:SOCK_STREAM", open, true),
        ("socket AF_INET:SOCK_RAW", open, false),
        ("socket AF_INET", open, true),
        ("setsockopt IPPROTO_TCP TCP_NODELAY", closed, false),
        ("setsockopt IPPROTO_TCP TCP_NODELAY", open, true),
        ("setsockopt IPPROTO_TCP TCP_ULP", open, false),
        ("setsockopt SOL_SOCKET SO_RCVBUF", open, false),
        ("capability CAP_NET_ADMIN", open, false),
        ("read /proc/self/maps", closed, true),
        ("read /proc/self/maps", landlock, false),
        ("write /dev/null", landlock, true),
        ("host-setup IPsec", closed, false),
        ("host-setup IPsec", open, true),
        ("unknown", closed, true),
        ("call bpf or call waitid", closed, true),
        ("call bpf and call waitid", closed, false),
    ] {
        let found = needs::lacking(takes, setting).is_none();
        assert_eq!(found, reached, "{takes} in {setting:?}");
    }
}
