//! What showed that a limit ended a program, in a sentence.

use crate::spec::execution::DiskEvidence;
use crate::spec::limits::{Limits, MB};
use crate::spec::policy::Tier;
use crate::spec::sandbox::Sandbox;

pub(super) fn cpu(limits: &Limits, used_us: u64) -> String {
    let limit = limits.cpu_time.map_or(0.0, |limit| limit.as_secs_f64());
    format!(
        "used {:.2} s of CPU time; the limit is {limit} s",
        used_us as f64 / 1e6
    )
}

pub(super) fn processes(limits: &Limits, count: u32) -> String {
    format!(
        "had {count} processes and threads shortly before its end; the limit is {}, and the kernel refuses more; raise \
         resources.processes or --processes",
        limits.processes
    )
}

pub(super) fn disk(limits: &Limits, evidence: DiskEvidence) -> String {
    let limit = limits.disk_bytes / MB;
    match evidence {
        DiskEvidence::Bytes(bytes) => {
            format!(
                "no space was left: {} MB written; the limit is {limit} MB",
                bytes.div_ceil(MB)
            )
        }
        DiskEvidence::Inodes(inodes) => {
            format!(
                "no file could be added: {inodes} files and directories, the most for disk_mb {limit}"
            )
        }
        DiskEvidence::FileSize => format!("a file outgrew the limit of {limit} MB (SIGXFSZ)"),
        DiskEvidence::Hidden(descriptors) => format!(
            "processes that forbid inspection have {descriptors} files open, which may be of any size; the limit is {limit} MB"
        ),
        DiskEvidence::Uncounted => format!(
            "directories more than 100 deep were moved or closed while they were counted, or one could not be read to its \
             end, and they may hold anything; the limit is {limit} MB"
        ),
    }
}

/// Why a file or directory of the spec could not be put in place, before any program had run.
pub(super) fn not_prepared(sandbox: &Sandbox, tier: Tier, errno: i32) -> String {
    match errno {
        libc::ENOSPC | libc::EDQUOT => format!(
            "does not fit under disk_mb {}; raise resources.disk_mb",
            sandbox.limits.disk_bytes / MB
        ),
        libc::EACCES if tier == Tier::Landlock => {
            "can't be made without namespaces, where only /workspace, /tmp and /home/runner exist; \
             use one of them, or allow user namespaces on this machine"
                .into()
        }
        libc::EXDEV | libc::EROFS | libc::EACCES => {
            "lies in a directory of the host that the sandbox does not write to; use /workspace"
                .into()
        }
        _ => format!(
            "can't be made: {}",
            std::io::Error::from_raw_os_error(errno)
        ),
    }
}
