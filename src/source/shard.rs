//! `--shard I/N`: which episodes of a run are this machine's.

use std::str::FromStr;
use thiserror::Error;

/// One of `count` equal parts of a run; `index` counts from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shard {
    index: u64,
    count: u64,
}

/// A text that is not a shard.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{0:?} is not a shard; write I/N with I from 1 to N, such as 2/8")]
pub struct BadShard(String);

impl Shard {
    /// Whether the item at `position` (0-based over all jobs files) belongs to this shard.
    pub fn has(self, position: u64) -> bool {
        position % self.count == self.index - 1
    }

    /// How many of `total` items belong to this shard.
    pub fn share_of(self, total: u64) -> u64 {
        (total + self.count - self.index) / self.count
    }
}

impl FromStr for Shard {
    type Err = BadShard;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let bad = || BadShard(text.to_owned());
        let (index, count) = text.split_once('/').ok_or_else(bad)?;
        let index = index.parse().map_err(|_| bad())?;
        let count = count.parse::<u32>().map_err(|_| bad())?.into();
        if !(1..=count).contains(&index) {
            return Err(bad());
        }
        Ok(Shard { index, count })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shards_of_a_run_have_every_position_once() {
        for count in 1..=5u64 {
            let shards: Vec<Shard> = (1..=count)
                .map(|i| format!("{i}/{count}").parse().unwrap())
                .collect();
            for position in 0..20 {
                assert_eq!(shards.iter().filter(|shard| shard.has(position)).count(), 1);
            }
            for total in 0..20 {
                for shard in &shards {
                    let has = (0..total).filter(|position| shard.has(*position)).count() as u64;
                    assert_eq!(shard.share_of(total), has);
                }
            }
        }
    }

    #[test]
    fn what_is_not_a_shard_is_refused() {
        for text in [
            "",
            "1",
            "0/2",
            "3/2",
            "1/0",
            "a/b",
            "-1/2",
            "1/2/3",
            "1/99999999999",
        ] {
            assert!(text.parse::<Shard>().is_err(), "{text}");
        }
    }
}
