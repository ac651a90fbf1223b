//! Second runs (`--audit`): some episodes run again when all have begun, and their results say whether the verdict is the same.
//! Their first results wait in memory until then, as many of them as it is meant for, or until the run is stopped.

use crate::sink::weight;
use crate::spec::episode::Episode;
use crate::spec::outcome::{Audit, Outcome};
use crate::spec::step::{Content, InputFile, Program, Step};
use std::collections::{BTreeMap, VecDeque};
use xxhash_rust::xxh3::xxh3_64_with_seed;

/// What first results and their episodes may hold while they wait.
const MAX_BYTES: usize = 256 << 20;

/// Which episodes run again.
#[derive(Clone, Copy, Debug)]
pub struct Sample {
    /// From 0 to 1.
    pub share: f64,
    /// The same seed chooses the same ids.
    pub seed: u64,
}

impl Sample {
    fn chooses(self, id: &str) -> bool {
        let chance = xxh3_64_with_seed(id.as_bytes(), self.seed) as f64 / u64::MAX as f64;
        chance < self.share
    }
}

/// A first result whose episode is to run again.
pub(super) struct Held {
    pub episode: Box<Episode>,
    pub first: Outcome,
}

impl Held {
    fn bytes(&self) -> usize {
        size_of::<Held>() + episode_bytes(&self.episode) + weight(&self.first)
    }
}

/// Of the parts of an episode that can be large.
fn episode_bytes(episode: &Episode) -> usize {
    let steps = episode.steps.iter().map(step_bytes);
    let collect = episode.collect.iter().map(|pattern| text_bytes(pattern));
    let meta = episode
        .echo
        .meta
        .as_ref()
        .map_or(0, |meta| meta.get().len());
    size_of::<Episode>() + steps.sum::<usize>() + collect.sum::<usize>() + meta
}

fn step_bytes(step: &Step) -> usize {
    let program = match &step.program {
        Program::Command(command) => command.len(),
        Program::Argv(argv) => argv.iter().map(|arg| text_bytes(arg)).sum(),
    };
    let env = step.env.iter();
    let env = env.map(|(name, value)| text_bytes(name) + text_bytes(value));
    let files = step.files.iter().map(file_bytes);
    let own = size_of::<Step>() + step.stdin.len() + program;
    own + env.sum::<usize>() + files.sum::<usize>()
}

fn file_bytes(file: &InputFile) -> usize {
    let content = match &file.content {
        Content::Bytes(bytes) => bytes.len(),
        Content::HostPath(path) => path.as_os_str().len(),
        Content::Link(target) => target.len(),
        Content::Directory => 0,
    };
    size_of::<InputFile>() + file.path.len() + content
}

/// Of a text beside many others, which may all be empty.
fn text_bytes(text: &str) -> usize {
    size_of::<String>() + text.len()
}

pub(super) struct Audits {
    sample: Option<Sample>,
    held: VecDeque<Held>,
    /// Those whose episodes run again now, by id.
    again: BTreeMap<String, Outcome>,
    /// What those that wait hold of memory, and may hold.
    bytes: usize,
    most_bytes: usize,
}

impl Audits {
    pub(super) fn new(sample: Option<Sample>) -> Audits {
        Audits {
            sample,
            held: VecDeque::new(),
            again: BTreeMap::new(),
            bytes: 0,
            most_bytes: MAX_BYTES,
        }
    }

    pub(super) fn chooses(&self, episode: &Episode) -> bool {
        self.sample
            .is_some_and(|sample| sample.chooses(&episode.id))
    }

    /// Holds it until everything has begun. Gives it back where that would be more than may be held: its episode does not
    /// run again.
    pub(super) fn hold(&mut self, held: Held) -> Result<(), Box<Held>> {
        let bytes = self.bytes + held.bytes();
        if bytes > self.most_bytes {
            return Err(Box::new(held));
        }
        self.bytes = bytes;
        self.held.push_back(held);
        Ok(())
    }

    /// The next that is to run again.
    pub(super) fn next(&mut self) -> Option<Box<Episode>> {
        let held = self.take()?;
        self.again.insert(held.episode.id.clone(), held.first);
        Some(held.episode)
    }

    /// The first result of an episode that has run again.
    pub(super) fn first_of(&mut self, id: &str) -> Outcome {
        (self.again.remove(id)).expect("what runs again has run before")
    }

    /// A first result that no second one follows any more.
    pub(super) fn give_up(&mut self) -> Option<Outcome> {
        let waiting = self.take().map(|held| held.first);
        waiting.or_else(|| self.again.pop_first().map(|(_, first)| first))
    }

    fn take(&mut self) -> Option<Held> {
        let held = self.held.pop_front()?;
        self.bytes -= held.bytes();
        Some(held)
    }

    /// How many wait.
    pub(super) fn held(&self) -> usize {
        self.held.len()
    }

    /// How many run again now.
    pub(super) fn running(&self) -> usize {
        self.again.len()
    }
}

/// The first result, with what the second came to.
pub(super) fn compared(mut first: Outcome, second: &Outcome) -> Outcome {
    let status = second.verdict.status;
    first.audit = Some(Audit {
        status,
        agrees: status == first.verdict.status,
    });
    first
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::episode::Echo;
    use crate::spec::parse::{Defaults, FileContext, parse};
    use std::path::Path;
    use std::sync::Arc;

    /// Of an episode and a result with so many bytes each.
    fn held(length: usize) -> Held {
        let text = "x".repeat(length);
        let context = FileContext::new("jobs".into(), Path::new("/"), Arc::<Defaults>::default());
        let line = format!("{{\"command\":\"{text}\"}}");
        Held {
            episode: Box::new(parse(line.as_bytes(), 1, 1, &context).unwrap()),
            first: Outcome::invalid("a".into(), Echo::default(), text),
        }
    }

    #[test]
    fn no_more_is_held_than_memory_is_meant_for() {
        let mut audits = Audits::new(None);
        audits.most_bytes = 100_000;
        for _ in 0..4 {
            assert!(audits.hold(held(10_000)).is_ok());
        }
        assert!(audits.hold(held(10_000)).is_err());
        assert!(audits.hold(held(0)).is_ok());
        assert!(audits.next().is_some());
        assert!(audits.hold(held(9_000)).is_ok());
        while audits.next().is_some() {}
        assert_eq!(audits.bytes, 0);
    }

    #[test]
    fn a_seed_chooses_its_share_of_the_ids_and_the_same_again() {
        let sample = Sample {
            share: 0.1,
            seed: 7,
        };
        let chosen = |sample: Sample| {
            (0..10_000)
                .filter(|n| sample.chooses(&format!("e{n}")))
                .collect::<Vec<_>>()
        };
        assert!((900..1100).contains(&chosen(sample).len()));
        assert_eq!(chosen(sample), chosen(sample));
        assert_ne!(chosen(sample), chosen(Sample { seed: 8, ..sample }));
        assert_eq!(
            chosen(Sample {
                share: 1.0,
                ..sample
            })
            .len(),
            10_000
        );
    }
}
