//! Which episode `runner run` and `runner shell` are about.

use super::NotShown;
use crate::config::{Interaction, RunConfig, WhatToRun};
use crate::source::{self, Counters, SourceConfig};
use crate::spec::episode::Episode;
use crate::spec::parse::{FileContext, ProgramSpec, parse_program};
use crate::spec::step::Program;
use std::io::{self, Read};
use std::path::Path;
use std::sync::Arc;

/// The most that a program gets of our stdin, which is held in memory.
pub(super) const MAX_STDIN_BYTES: u64 = 256 << 20;

/// The episode that is asked for, as it is to be run.
pub(super) async fn episode(config: &RunConfig) -> Result<Episode, NotShown> {
    let mut episode = match &config.what {
        WhatToRun::Program(program) => of_program(config, program)?,
        WhatToRun::Listed { jobs, id } => {
            let id = id.clone();
            let jobs = source::open_all(jobs)?;
            find(config, jobs, id).await?
        }
    };
    match &config.interaction {
        Interaction::Output { stdin: true } => {
            episode.steps[0].stdin = all_of_stdin()?.into();
        }
        Interaction::Output { stdin: false } => {}
        Interaction::Terminal { program } => sit_down(&mut episode, program, config),
    }
    Ok(episode)
}

/// Puts a program at a terminal in the place of an episode's own.
fn sit_down(episode: &mut Episode, program: &[String], config: &RunConfig) {
    if let WhatToRun::Listed { .. } = config.what {
        let own = episode.steps[0].program.argv();
        let steps = match episode.steps.len() {
            1 => "in place of".to_owned(),
            steps => format!("in place of the first of {steps} steps,"),
        };
        eprintln!(
            "runner: {steps} {}",
            own.iter()
                .map(|argument| quoted(argument))
                .collect::<Vec<_>>()
                .join(" ")
        );
    }
    episode.steps.truncate(1);
    episode.deadline = None;
    let step = &mut episode.steps[0];
    step.program = Program::Argv(program.to_vec());
    step.timeout = config.defaults.timeout;
    // Programs at a terminal ask it what kind it is, and that is ours.
    if let Ok(kind) = std::env::var("TERM") {
        step.env.entry("TERM".into()).or_insert(kind);
    }
}

/// As a shell reads it.
fn quoted(argument: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./=:,+@%".contains(c);
    if !argument.is_empty() && argument.chars().all(is_plain) {
        argument.into()
    } else {
        format!("'{}'", argument.replace('\'', r"'\''"))
    }
}

/// The episode that the command line asks for.
fn of_program(config: &RunConfig, program: &ProgramSpec) -> Result<Episode, NotShown> {
    let context = FileContext::new(
        "the command line".into(),
        Path::new("."),
        config.defaults.clone(),
    );
    parse_program(program.clone(), &context).map_err(NotShown::Invalid)
}

fn all_of_stdin() -> Result<Vec<u8>, NotShown> {
    let mut all = Vec::new();
    let mut limited = io::stdin().lock().take(MAX_STDIN_BYTES + 1);
    limited.read_to_end(&mut all).map_err(NotShown::Stdin)?;
    if all.len() as u64 > MAX_STDIN_BYTES {
        return Err(NotShown::LongStdin);
    }
    Ok(all)
}

/// The episode of a jobs file that has this id.
async fn find(
    config: &RunConfig,
    jobs: Vec<source::Jobs>,
    id: String,
) -> Result<Episode, NotShown> {
    let mut batches = source::start(SourceConfig {
        jobs,
        defaults: config.defaults.clone(),
        shard: None,
        done: None,
        counters: Arc::new(Counters::default()),
    });
    while let Some(batch) = batches.recv().await {
        for item in batch? {
            match item.work {
                Ok(episode) if episode.id == id => return Ok(*episode),
                Err(invalid) if invalid.id == id => {
                    return Err(NotShown::Invalid(invalid.verdict.error.unwrap_or_default()));
                }
                _ => {}
            }
        }
    }
    Err(NotShown::NoSuchId(id))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_shown_so_that_it_can_be_pasted() {
        let shown = ["bash", "-lc", "it's; $x", ""].map(quoted).join(" ");
        assert_eq!(shown, r"bash -lc 'it'\''s; $x' ''");
    }
}
