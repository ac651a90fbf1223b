//! Every id of a run, once.
//!
//! Ids are kept as fingerprints with the line they stand on, 21 bytes each, so that a million of
//! them fit where their text would not.

use crate::spec::digest::{Fingerprint, fingerprint};
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::Arc;

/// Tables grow one at a time, so that growth never holds everything twice.
const TABLES: usize = 64;

type Table = HashMap<Fingerprint, LineNumber, BuildHasherDefault<AsIs>>;

/// The ids seen so far and where.
#[derive(Debug)]
pub struct Identities {
    tables: Vec<Table>,
    /// Name of each file, and how many lines came before it.
    files: Vec<(Arc<str>, u64)>,
}

impl Identities {
    pub(super) fn new() -> Self {
        Identities {
            tables: vec![Table::default(); TABLES],
            files: Vec::new(),
        }
    }

    /// From here on lines are those of `name`, and `before` lines came before its first.
    pub fn begin_file(&mut self, name: Arc<str>, before: u64) {
        self.files.push((name, before));
    }

    /// Takes `id` for line `n`, counted from 1 over all files. `Err` is where it was taken before,
    /// as a message says it.
    pub fn claim(&mut self, id: &str, n: u64) -> Result<(), String> {
        let fingerprint = fingerprint(id);
        match self.tables[fingerprint.part(TABLES)].entry(fingerprint) {
            Entry::Vacant(entry) => {
                entry.insert(LineNumber::new(n));
                Ok(())
            }
            Entry::Occupied(entry) => {
                let first = entry.get().get();
                Err(self.place(first))
            }
        }
    }

    /// Whether a line has it, or got it because its own was taken.
    pub fn has(&self, id: &str) -> bool {
        let fingerprint = fingerprint(id);
        self.tables[fingerprint.part(TABLES)].contains_key(&fingerprint)
    }

    /// An id that no other line has, for the result of a line whose own id is taken.
    pub fn claim_other(&mut self, id: &str, n: u64) -> String {
        let mut other = format!("{id}#{n}");
        while self.claim(&other, n).is_err() {
            other.push_str(&format!("#{n}"));
        }
        other
    }

    fn place(&self, n: u64) -> String {
        let (name, before) = self
            .files
            .iter()
            .rfind(|(_, before)| *before < n)
            .expect("begin_file comes first");
        format!("{name} line {}", n - before)
    }
}

/// A line number below 2^40, without the padding that a `u64` would bring.
#[derive(Clone, Copy, Debug)]
struct LineNumber([u8; 5]);

impl LineNumber {
    fn new(n: u64) -> Self {
        let [a, b, c, d, e, ..] = n.to_le_bytes();
        LineNumber([a, b, c, d, e])
    }

    fn get(self) -> u64 {
        let [a, b, c, d, e] = self.0;
        u64::from_le_bytes([a, b, c, d, e, 0, 0, 0])
    }
}

/// A fingerprint is a hash already.
#[derive(Default)]
struct AsIs(u64);

impl Hasher for AsIs {
    fn finish(&self) -> u64 {
        self.0
    }
    fn write(&mut self, _: &[u8]) {
        unreachable!("fingerprints hash through write_u64");
    }
    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_claim_learns_where_the_first_was() {
        let mut ids = Identities::new();
        ids.begin_file("a.jsonl".into(), 0);
        assert_eq!(ids.claim("x", 3), Ok(()));
        ids.begin_file("empty.jsonl".into(), 10);
        ids.begin_file("b.jsonl".into(), 10);
        assert_eq!(ids.claim("y", 12), Ok(()));
        assert_eq!(ids.claim("x", 13), Err("a.jsonl line 3".into()));
        assert_eq!(ids.claim("y", 14), Err("b.jsonl line 2".into()));
    }

    #[test]
    fn the_other_id_is_free_even_when_someone_uses_that_pattern() {
        let mut ids = Identities::new();
        ids.begin_file("a.jsonl".into(), 0);
        ids.claim("x", 1).unwrap();
        ids.claim("x#3", 2).unwrap();
        assert_eq!(ids.claim_other("x", 3), "x#3#3");
        assert_eq!(ids.claim_other("x", 4), "x#4");
        assert!(ids.claim("x#4", 5).is_err());
    }

    #[test]
    fn an_entry_takes_21_bytes() {
        assert_eq!(size_of::<(Fingerprint, LineNumber)>(), 21);
    }

    #[test]
    fn a_line_number_survives_its_short_form() {
        for n in [1, 255, 256, 1 << 32, (1 << 40) - 1] {
            assert_eq!(LineNumber::new(n).get(), n);
        }
    }
}
