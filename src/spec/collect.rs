//! The bounds of `collect`. The episode decides what there is to be collected; sentences tell these numbers.

/// All that is returned, names, content and reasons together, in bytes. A file that does not fit is named with that reason.
pub(crate) const COLLECT_BYTES: u64 = 16 << 20;

/// What of that names may take, as they are counted, so that they leave room for content.
pub(crate) const COLLECT_NAME_BYTES: u64 = 4 << 20;

/// Files that are named at most, returned or not; the others are counted.
pub(crate) const COLLECT_FILES: usize = 10_000;

/// Directory entries that are looked at, so that a tree of a million files can't hold up the slot.
pub(crate) const COLLECT_ENTRIES: usize = 200_000;

/// What the paths of directories may take that are yet to be looked into, in bytes.
pub(crate) const COLLECT_WAITING_BYTES: usize = 16 << 20;

/// CPU time that searching may take, and after that reading: what else the machine does must not decide what is returned.
pub(crate) const COLLECT_CPU_SECONDS: u64 = 5;

/// How long each of them may take on any machine, so that a slot that hangs is told from one that waits for a core.
pub(crate) const COLLECT_TIMEOUT_SECONDS: u64 = 30;
