//! Evidence: a slot built and episodes run in it, by the code that a run uses.

use crate::pool::{BuildError, Pool, PoolSettings, RunError, SlotLost};
use crate::spec::episode::{Echo, Episode, Origin};
use crate::spec::execution::{End, Execution};
use crate::spec::limits::Limits;
use crate::spec::outcome::{Outcome, Status};
use crate::spec::policy::{Enforced, Tier};
use crate::spec::sandbox::Sandbox;
use crate::spec::step::{Program, Step};
use crate::sys::clock::monotonic_ns;
use crate::wire::failure::Failure;
use std::time::Duration;

/// For each program; far more than any takes, however slow the machine's `/etc/profile` is.
const TIMEOUT: Duration = Duration::from_secs(30);

/// A tier that works, with what episodes found in it.
#[derive(Debug)]
pub(super) struct Working {
    pub enforced: Enforced,
    pub bash: Found,
    pub python3: Found,
}

/// A program, as an episode met it.
#[derive(Clone, Debug)]
pub(super) enum Found {
    /// What it said of its version.
    Version(String),
    Absent,
    Failed(String),
}

/// Why a tier does not work.
#[derive(Debug, thiserror::Error)]
pub(super) enum TrialError {
    #[error("{0}")]
    Build(BuildError),
    #[error("a slot was built, but no episode could be run in it: {0}")]
    Run(RunError),
    #[error("a slot was built, but an episode with `true` went wrong: {0}")]
    Verdict(String),
    #[error("a slot was built, but could not be cleaned after an episode")]
    NotClean,
}

impl TrialError {
    /// What the slot said, if it said anything.
    pub(super) fn failure(&self) -> Option<&Failure> {
        match self {
            TrialError::Build(BuildError::Lost(SlotLost::Refused(failure)))
            | TrialError::Run(RunError::Build(BuildError::Lost(SlotLost::Refused(failure))))
            | TrialError::Run(RunError::Lost(SlotLost::Refused(failure))) => Some(failure),
            _ => None,
        }
    }

    /// Whether `--isolation auto` goes on to the next tier.
    pub(super) fn is_refusal(&self) -> bool {
        matches!(self, TrialError::Build(error) if error.is_refusal())
    }
}

/// Builds a slot of the tier with default limits and runs episodes in it; leaves nothing behind.
pub(super) async fn attempt(tier: Tier) -> Result<Working, TrialError> {
    let settings = PoolSettings {
        warm: Vec::new(),
        pythons: Vec::new(),
        warm_episodes: u32::MAX,
        size: 1,
        spare: 1,
        open_root: false,
        tier,
        grants: Default::default(),
        processes: Limits::default().processes,
    };
    let (pool, enforced) = Pool::start(settings).await.map_err(TrialError::Build)?;
    let tried = episodes(&pool, enforced).await;
    pool.shut_down().await;
    tried
}

async fn episodes(pool: &Pool, enforced: Enforced) -> Result<Working, TrialError> {
    let argv = |words: &[&str]| Program::Argv(words.iter().map(|w| w.to_string()).collect());
    let run = async |program| {
        let episode = episode(program);
        let execution = pool.run(&episode, None).await.map_err(TrialError::Run)?;
        Ok((episode, execution))
    };
    let (episode, execution) = run(argv(&["true"])).await?;
    if execution.unclean.is_some() {
        return Err(TrialError::NotClean);
    }
    // A machine without coreutils runs other programs all the same.
    if let Found::Failed(how) = found(&episode, execution) {
        return Err(TrialError::Verdict(how));
    }
    let (episode, execution) = run(Program::Command("echo \"$BASH_VERSION\"".into())).await?;
    let bash = found(&episode, execution);
    let version = "import platform; print(platform.python_version())";
    let (episode, execution) = run(argv(&["python3", "-c", version])).await?;
    let python3 = found(&episode, execution);
    Ok(Working {
        enforced,
        bash,
        python3,
    })
}

fn found(episode: &Episode, execution: Execution) -> Found {
    let missing = |end: &End| {
        matches!(
            end,
            End::NotExecutable {
                errno: libc::ENOENT
            }
        )
    };
    if execution.steps.iter().any(|step| missing(&step.end)) {
        return Found::Absent;
    }
    let verdict = Outcome::of(episode, execution, Vec::new(), monotonic_ns()).verdict;
    // A login shell's profile may talk first.
    let output = String::from_utf8_lossy(&verdict.output.0);
    let said = output.lines().last().unwrap_or_default();
    match verdict.status {
        Status::Ok => Found::Version(said.to_owned()),
        status => Found::Failed(format!(
            "{}: {}",
            status.name(),
            verdict.error.as_deref().unwrap_or(said)
        )),
    }
}

fn episode(program: Program) -> Episode {
    Episode {
        id: "doctor".into(),
        origin: Origin {
            file: "doctor".into(),
            line: 1,
        },
        sandbox: Sandbox::default(),
        steps: vec![Step::new(program, TIMEOUT)],
        multi_step: false,
        deadline: None,
        collect: Vec::new(),
        echo: Echo::default(),
    }
}
