//! `runner help`: the documentation, which the binary carries with it.

use crate::cli::Cli;
use crate::exit_status::ExitStatus;
use clap::CommandFactory;
use std::io::Write;
use std::process::ExitCode;

struct Topic {
    name: &'static str,
    about: &'static str,
    text: &'static str,
}

const TOPICS: [Topic; 9] = [
    Topic {
        name: "start",
        about: "what this is, and a first run",
        text: include_str!("../README.md"),
    },
    Topic {
        name: "jobs",
        about: "episodes, results, verdicts, every flag",
        text: include_str!("../jobs/README.md"),
    },
    Topic {
        name: "sessions",
        about: "the protocol of `runner serve`",
        text: include_str!("serve/PROTOCOL.md"),
    },
    Topic {
        name: "isolation",
        about: "which attack is stopped by what, exceptions, what is shared",
        text: include_str!("../tests/README.md"),
    },
    Topic {
        name: "programs",
        about: "which programs work in which tier",
        text: include_str!("../tests/compatibility/PROGRAMS.md"),
    },
    Topic {
        name: "warm",
        about: "interpreters that are kept warm, and where they differ",
        text: include_str!("slot/warm/WARM.md"),
    },
    Topic {
        name: "figures",
        about: "how fast it is, and the command behind each figure",
        text: include_str!("../benches/README.md"),
    },
    Topic {
        name: "troubleshooting",
        about: "what `runner doctor` says, and other trouble",
        text: include_str!("TROUBLESHOOTING.md"),
    },
    Topic {
        name: "developing",
        about: "how the source is built up, and how to change it",
        text: include_str!("README.md"),
    },
];

/// Prints a topic, the flags of a subcommand, or, without either, what there is.
pub(crate) fn run(topic: Option<&str>) -> ExitCode {
    let Some(name) = topic else {
        return print(&contents());
    };
    if let Some(topic) = TOPICS.iter().find(|topic| topic.name == name) {
        return print(topic.text);
    }
    let mut all = Cli::command();
    // So that the usage of each begins with our name.
    all.build();
    if let Some(command) = all.find_subcommand_mut(name) {
        return print(&command.render_long_help().to_string());
    }
    eprintln!(
        "runner: there is no help on {name:?}; there is some on {}",
        TOPICS.map(|topic| topic.name).join(", ")
    );
    ExitStatus::Usage.into()
}

fn contents() -> String {
    let line = |topic: &Topic| format!("  runner help {:<16} {}\n", topic.name, topic.about);
    let lines: String = TOPICS.iter().map(line).collect();
    format!("`runner --help` has the flags in short. In full:\n\n{lines}")
}

/// A pager that has had enough is no error.
fn print(text: &str) -> ExitCode {
    let _ = std::io::stdout().write_all(text.as_bytes());
    ExitStatus::Done.into()
}
