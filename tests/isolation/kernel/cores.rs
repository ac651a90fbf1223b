//! A crash leaves nothing and starts nothing.

use crate::case::{Control, inside, refused};
use crate::common::Way;
use crate::episodes::{output_of, outside, shell};

refused! {
    the_core_limit_can_not_be_raised: ["core-limit", "1048576", "1048576"], Control::User;
    // Down to 0, at which a handler of the host would be started.
    the_core_limit_can_not_be_lowered: ["core-limit", "0", "0"], Control::User;
}

#[test]
fn a_crash_leaves_no_core_file() {
    let crash = "sh -c 'kill -SEGV $$'; ls; echo listed";
    for way in Way::all() {
        let output = output_of(way, &shell("e", crash));
        assert!(output.ends_with("listed\n"), "{way:?}: {output}");
        assert!(!output.contains("core dumped"), "{way:?}: {output}");
        assert!(
            !output.lines().any(|line| line.starts_with("core")),
            "{way:?}: {output}"
        );
        let ended = inside(way, &["crash"]);
        assert!(ended.contains("SIGABRT, false"), "{way:?}: {ended}");
    }
}

/// Where the pattern names a file, the same crash leaves one outside.
#[test]
fn the_same_crash_leaves_a_core_file_outside() {
    let pattern = std::fs::read_to_string("/proc/sys/kernel/core_pattern").unwrap_or_default();
    if !pattern.starts_with("core") {
        eprintln!("no control: crashes of this host go to {pattern}");
        return;
    }
    let directory = crate::common::scratch();
    let path = directory.path().to_str().unwrap();
    let script = format!("cd {path}; ulimit -c unlimited || exit; sh -c 'kill -SEGV $$'; ls");
    let listing = outside(crate::common::NOBODY, &["sh", "-c", &script]);
    assert!(
        listing.lines().any(|line| line.starts_with("core")),
        "{listing}"
    );
}
