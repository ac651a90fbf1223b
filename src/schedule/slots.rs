//! What people are told of slots that can't be had, and that can be had again.

pub(super) struct Slots {
    full: usize,
    /// The fewest since there were all of them.
    fewest: usize,
}

impl Slots {
    pub(super) fn new(full: usize) -> Slots {
        Slots { full, fewest: full }
    }

    /// What to say where there are so many now.
    pub(super) fn note(&mut self, now: usize) -> Option<String> {
        if now < self.fewest {
            self.fewest = now;
            return Some(format!(
                "runner: {now} slots in place of {}, because another was refused a process or a descriptor (pids.max, ulimit -u, \
                 ulimit -n)",
                self.full
            ));
        }
        if now == self.full && self.fewest < self.full {
            self.fewest = self.full;
            return Some(format!("runner: {now} slots again"));
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_new_low_is_said_and_when_all_are_there_again() {
        let mut slots = Slots::new(8);
        let mut said = |now| slots.note(now).map(|note| note[..15].to_owned());
        let fewer = |now| Some(format!("runner: {now} slots"));
        assert_eq!(said(8), None);
        assert_eq!([said(6), said(7), said(6)], [fewer(6), None, None]);
        assert_eq!([said(5), said(8)], [fewer(5), fewer(8)]);
        assert_eq!([said(8), said(6)], [None, fewer(6)]);
    }
}
