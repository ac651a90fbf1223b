//! What a slot answers, for benchmarks that have none.

use runner::spec::execution::{Collected, End, Execution, StepExecution};
use runner::spec::policy::{Enforced, Tier};
use runner::spec::warm::Start;

/// That of an episode which printed so many bytes.
pub fn execution(output: usize) -> Execution {
    Execution {
        unclean: None,
        enforced: Enforced {
            tier: Tier::Namespaces,
            landlock_abi: 7,
        },
        steps: vec![StepExecution {
            start: Start::Exec,
            end: End::Exited(0),
            prepared_ns: 1,
            forked_ns: 2,
            running_ns: 3,
            ended_ns: 4,
            cpu_us: 900,
            stalled_ns: 0,
            peak_memory_bytes: 1 << 20,
            output: vec![b'x'; output],
            streams: None,
            output_bytes: output as u64,
            truncated: false,
        }],
        collected: Collected::default(),
        handed_ns: 0,
        received_ns: 1,
        cleaned_ns: 5,
    }
}
