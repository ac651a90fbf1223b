//! The order in which a forked child gives up what a program must not have: once, for the two who do it. The exec zygote's child
//! (`sandbox::child`) makes system calls by the crates of the runner; that of a warm interpreter (`guest::child`), which takes this
//! file as its own, by the C library alone.

/// What a child can do to itself.
pub(crate) trait Restrict {
    type Failure;

    /// Takes a process group of its own: `kill 0` stays inside, and one step's processes can be told from another's.
    fn process_group(&self) -> Result<(), Self::Failure>;
    /// Takes the program's stdin, stdout and stderr.
    fn stdio(&self) -> Result<(), Self::Failure>;
    fn workdir(&self) -> Result<(), Self::Failure>;
    /// From here on the program's ruleset holds; before, the working directory may be one that it can't open.
    fn landlock(&self) -> Result<(), Self::Failure>;
    /// Lets go of the zygote's descriptors and precedence, as far as the exec does not.
    fn let_go(&self) -> Result<(), Self::Failure>;
    /// Last: what comes before may need a descriptor or memory more than the program is to have.
    fn rlimits(&self) -> Result<(), Self::Failure>;
}

pub(crate) fn restrict<R: Restrict>(child: &R) -> Result<(), R::Failure> {
    child.process_group()?;
    child.stdio()?;
    child.workdir()?;
    child.landlock()?;
    child.let_go()?;
    child.rlimits()
}

/// `RLIMIT_CPU` (getrlimit(2)), the same on every architecture.
const RLIMIT_CPU: u32 = 0;

/// The hard limit that goes with a soft one. SIGXCPU comes at the soft limit and tells what happened; at the hard one it would be
/// SIGKILL.
pub(crate) fn hard_limit(resource: u32, soft: u64) -> u64 {
    soft + u64::from(resource == RLIMIT_CPU)
}
