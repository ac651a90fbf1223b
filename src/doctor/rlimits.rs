//! Resource limits that this process inherited and that a run with default limits would meet.

use super::facts::{Container, Facts};
use super::report::Check;
use crate::spec::limits::{DEFAULT_STACK_BYTES, Limits, MB};

/// One limit: its name, its flag of prlimit(1), what there is and what is wanted.
struct Row {
    name: &'static str,
    flag: &'static str,
    has: u64,
    wanted: u64,
    bytes: bool,
}

impl Row {
    fn amount(&self, n: u64) -> String {
        match n {
            u64::MAX => "unlimited".to_owned(),
            n if self.bytes => format!("{} MB", n / MB),
            n => n.to_string(),
        }
    }

    /// For containers with an engine's flags. Where the soft limit is what counts, it is lifted altogether: a
    /// number could lower the hard one.
    fn remedy(&self, engine: bool) -> String {
        let (flag, wanted) = (self.flag, self.wanted);
        match (engine, flag) {
            (true, "nproc") => " --ulimit nproc=-1".to_owned(),
            // Engines know no limit of address space.
            (true, "as") => String::new(),
            (true, _) => format!(" --ulimit {flag}={wanted}"),
            (false, "nproc" | "as") => format!(" --{flag}=unlimited"),
            (false, _) => format!(" --{flag}={wanted}"),
        }
    }
}

/// Compares them with what `slots` episodes at one time want, each of so many processes.
pub(super) fn check(facts: &Facts, slots: usize, processes: u32) -> Check {
    let rows = rows(facts, slots, processes);
    let low: Vec<&Row> = rows.iter().filter(|row| row.has < row.wanted).collect();
    if low.is_empty() {
        // A limit on address space is rare; it has no place on the screen unless it is too low.
        let values = rows[..3].iter();
        let values = values.map(|row| format!("{} {}", row.name, row.amount(row.has)));
        return Check::ok("rlimits", values.collect::<Vec<_>>().join(", "));
    }
    let values = low.iter().map(|row| {
        let (has, wanted) = (row.amount(row.has), row.amount(row.wanted));
        format!("{} {has} of {wanted}", row.name)
    });
    let engine = match facts.container {
        Some(Container::Docker) => Some("docker"),
        Some(Container::Podman) => Some("podman"),
        _ => None,
    };
    let flags: String = low.iter().map(|row| row.remedy(engine.is_some())).collect();
    let remedy = match engine {
        Some(engine) if !flags.is_empty() => format!("{engine} run{flags} …"),
        Some(_) => "ulimit -v unlimited".to_owned(),
        None => format!("sudo prlimit --pid $${flags}"),
    };
    Check::limited("rlimits", values.collect::<Vec<_>>().join(", "), remedy)
}

fn rows(facts: &Facts, slots: usize, processes: u32) -> [Row; 4] {
    let limits = Limits::default();
    [
        Row {
            name: "processes",
            flag: "nproc",
            // The kernel holds a slot's user namespace to the soft limit of who made it, for all slots together
            // (Linux 5.14).
            has: facts.processes.0,
            wanted: slots as u64 * u64::from(processes),
            bytes: false,
        },
        Row {
            name: "open files",
            flag: "nofile",
            has: facts.open_files.1,
            wanted: limits.open_files.into(),
            bytes: false,
        },
        Row {
            name: "stack",
            flag: "stack",
            has: facts.stack.1,
            wanted: DEFAULT_STACK_BYTES,
            bytes: true,
        },
        Row {
            name: "memory",
            flag: "as",
            has: facts.address_space.0,
            wanted: limits.memory_bytes,
            bytes: true,
        },
    ]
}
