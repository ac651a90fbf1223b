//! A fork of the warm Python has restricted itself, and is then as confined as a program that was started: every kind of
//! probe gets the same answer from below it. (Each probe by itself also runs in a fork of the warm bash: `case`.)

use crate::common::{Way, probe_program, run_when_warm};
use serde_json::json;

/// One of every kind, as arguments of the probe.
pub const PROBES: &str = "\
read /etc/shadow|read /etc/ssh/sshd_config|open /proc/1/environ r|open /proc/keys r\
|open /proc/kmsg r|open /proc/sysrq-trigger w|open /proc/sys/kernel/core_pattern w|open /dev/mem r|open /dev/kvm rw\
|open /dev/fuse rw|open /sys/kernel/debug r|mknod|mknod-block|acct|adjtimex|bpf-map|bpf-program\
|capset|chroot|clone user|clone mnt|clone pid|clone net|clone3 user|clone-high-bits user|fsopen|fsmount|fspick\
|int80-getpid|int80-socket|ioperm|iopl|kcmp|keyctl|mount|bind-mount|listmount|new-privileges|personality 400000|quotactl\
|reboot|seccomp-listener|securebits|setns mnt|setns user|setuid|setgid|setgroups|setresuid|sethostname|settimeofday\
|socket 2 1 0|socket 2 2 0|socket 2 3 255|socket 2 1 262|socket 10 1 0|socket 16 3 0|socket 17 3 768|socket 38 5 0\
|socket 40 1 0|trace-attach 1|trace-seize 1|vm-read 1 0x400000|take-descriptor 1|limits 1|priority 1|affinity 1\
|scheduler 1|compare 1";

#[test]
fn every_kind_of_probe_gets_the_same_answer_below_a_warm_python() {
    let program = probe_program();
    let code = include_str!("programs/runs_probes.py");
    let files = json!({"probe": {"host_path": program, "mode": "0755"}});
    let argv = json!(["/usr/bin/python3", "-c", code, PROBES]);
    let episodes = [
        json!({"id": "warm", "argv": argv, "files": files}),
        // An option makes it start anew.
        json!({"id": "cold", "argv": ["/usr/bin/python3", "-s", "-c", code, PROBES], "files": files}),
    ];
    let directory = program.parent().expect("a directory").display().to_string();
    for way in Way::of_tier("namespaces") {
        let lines = episodes.each_ref().map(|episode| format!("{episode}\n"));
        let allowed = ["--allow-path", &directory];
        let run = run_when_warm(way, &lines.concat(), 1, &allowed);
        let starts = ["warm", "cold"].map(|id| &run.get(id)["start"]);
        assert_eq!(starts, ["warm-python", "exec"], "{way:?}");
        let lines = |id| run.output(id).lines().collect::<Vec<_>>();
        let (warm, cold) = (lines("warm"), lines("cold"));
        assert_eq!(warm.len(), PROBES.split('|').count(), "{way:?}: {warm:?}");
        for (warm, cold) in warm.iter().zip(cold) {
            assert_eq!(*warm, cold, "{way:?}");
            assert!(!warm.contains("= reached"), "{way:?}: {warm}");
        }
    }
}
