//! How many processes and threads a program had lately.
//!
//! As it ends, they end one after the other: the last look may find some of them only.

/// How long the most of a look is remembered.
const REMEMBERED_NS: u64 = 500_000_000;

#[derive(Default)]
pub(super) struct Crowd {
    seen_ns: u64,
    most: u64,
}

impl Crowd {
    /// Takes a look.
    pub(super) fn see(&mut self, count: u64, now_ns: u64) {
        if count >= self.most || now_ns.saturating_sub(self.seen_ns) > REMEMBERED_NS {
            (self.seen_ns, self.most) = (now_ns, count);
        }
    }

    pub(super) fn most(&self) -> u64 {
        self.most
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_most_is_remembered_for_half_a_second() {
        let mut crowd = Crowd::default();
        crowd.see(10, 1);
        crowd.see(3, REMEMBERED_NS);
        assert_eq!(crowd.most(), 10);
        crowd.see(2, REMEMBERED_NS + 2);
        assert_eq!(crowd.most(), 2);
    }
}
