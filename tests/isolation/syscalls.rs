//! System calls that programs under test have no use for are denied.

use crate::common::Way;
use crate::probe::{RAW_CALLS, output_of, outside, python};
use std::collections::BTreeMap;

/// Name, number, arguments: so that the kernel would answer something other than EPERM or ENOSYS to root.
fn calls() -> Vec<(&'static str, i64, &'static str)> {
    vec![
        (
            "mount",
            libc::SYS_mount,
            "b'none', b'/nowhere', b'tmpfs', 0, 0",
        ),
        ("umount2", libc::SYS_umount2, "b'/nowhere', 0"),
        (
            "pivot_root",
            libc::SYS_pivot_root,
            "b'/nowhere', b'/nowhere'",
        ),
        ("move_mount", libc::SYS_move_mount, "-1, b'x', -1, b'y', 0"),
        ("open_tree", libc::SYS_open_tree, "-100, b'/', 0"),
        ("fsopen", libc::SYS_fsopen, "b'nothing', 0"),
        ("mount_setattr", libc::SYS_mount_setattr, "-1, b'', 0, 0, 0"),
        ("unshare user", libc::SYS_unshare, "0x10000000"),
        ("unshare mount", libc::SYS_unshare, "0x20000"),
        ("unshare files", libc::SYS_unshare, "0x400"),
        ("setns", libc::SYS_setns, "-1, 0"),
        ("chroot", libc::SYS_chroot, "b'/'"),
        ("ptrace", libc::SYS_ptrace, "0, 0, 0, 0"),
        (
            "ptrace of another",
            libc::SYS_ptrace,
            "0x4206, os.getppid(), 0, 0",
        ),
        (
            "process_vm_readv",
            libc::SYS_process_vm_readv,
            "os.getpid(), 0, 0, 0, 0, 0",
        ),
        (
            "process_vm_writev",
            libc::SYS_process_vm_writev,
            "os.getpid(), 0, 0, 0, 0, 0",
        ),
        ("pidfd_getfd", libc::SYS_pidfd_getfd, "-1, 0, 0"),
        ("kcmp", libc::SYS_kcmp, "os.getpid(), os.getpid(), 0, 0, 0"),
        ("bpf", libc::SYS_bpf, "99999, 0, 0"),
        ("keyctl", libc::SYS_keyctl, "0, -4, 1"),
        ("add_key", libc::SYS_add_key, "b'user', b'x', b'y', 1, -4"),
        (
            "request_key",
            libc::SYS_request_key,
            "b'nothing', b'x', 0, 0",
        ),
        ("io_uring_setup", libc::SYS_io_uring_setup, "1, 0"),
        ("userfaultfd", libc::SYS_userfaultfd, "0"),
        (
            "perf_event_open",
            libc::SYS_perf_event_open,
            "0, 0, -1, -1, 0",
        ),
        ("open_by_handle_at", libc::SYS_open_by_handle_at, "-1, 0, 0"),
        (
            "name_to_handle_at",
            libc::SYS_name_to_handle_at,
            "-1, b'', 0, 0, 0",
        ),
        ("fanotify_init", libc::SYS_fanotify_init, "0, 0"),
        ("init_module", libc::SYS_init_module, "0, 0, 0"),
        ("swapon", libc::SYS_swapon, "b'/nowhere', 0"),
        ("reboot", libc::SYS_reboot, "0, 0, 0, 0"),
        ("sethostname", libc::SYS_sethostname, "0, 1"),
        ("syslog", libc::SYS_syslog, "10, 0, 0"),
        ("settimeofday", libc::SYS_settimeofday, "1, 0"),
        ("clock_adjtime", libc::SYS_clock_adjtime, "0, 1"),
        ("acct", libc::SYS_acct, "b'/nowhere'"),
        ("quotactl", libc::SYS_quotactl, "-1, 0, 0, 0"),
        ("personality", libc::SYS_personality, "0x40000"),
        (
            "clone in a user namespace",
            libc::SYS_clone,
            "0x10000000 | 17, 0, 0, 0, 0",
        ),
        (
            "clone beside the parent",
            libc::SYS_clone,
            "0x8000 | 17, 0, 0, 0, 0",
        ),
        ("memfd_secret", libc::SYS_memfd_secret, "0x1000"),
        (
            "mknod of a character device",
            libc::SYS_mknodat,
            "-100, f'/tmp/dev{os.getpid()}'.encode(), 0o20666, 0x103",
        ),
        (
            "mknod of a block device",
            libc::SYS_mknodat,
            "-100, f'/tmp/blk{os.getpid()}'.encode(), 0o60666, 0x800",
        ),
    ]
}

/// Each in a process of its own, so that one can't spoil the next.
fn program() -> String {
    let list: Vec<String> = calls()
        .iter()
        .map(|(name, number, arguments)| format!("({name:?}, lambda: call({number}, {arguments}))"))
        .collect();
    format!(
        "{RAW_CALLS}
import sys, glob
for name, attempt in [{}]:
    sys.stdout.flush()
    me = os.getpid()
    pid = os.fork()
    if pid == 0:
        mine = os.getpid()
        answer = attempt()
        if os.getpid() != mine: os._exit(0)  # made by clone
        os.write(1, f'{{name}}={{answer}}\\n'.encode())
        os._exit(0)
    os.waitpid(pid, 0)
for path in glob.glob('/tmp/dev[0-9]*') + glob.glob('/tmp/blk[0-9]*'):
    os.unlink(path)
",
        list.join(", ")
    )
}

fn answers(text: &str) -> BTreeMap<String, String> {
    text.lines()
        .filter_map(|line| line.split_once('='))
        .map(|(n, a)| (n.into(), a.into()))
        .collect()
}

#[test]
fn calls_that_could_lead_out_or_into_the_kernel_are_denied() {
    let program = program();
    for way in Way::all() {
        let text = output_of(way, &python("e", &program));
        let inside = answers(&text);
        for (name, ..) in calls() {
            let answer = inside.get(name).map_or("nothing", String::as_str);
            assert!(
                matches!(answer, "EPERM" | "ENOSYS"),
                "{way:?}: {name} answered {answer}\n{text}"
            );
        }
    }
    if nix::unistd::geteuid().is_root() {
        let control = answers(&outside(0, &["/usr/bin/python3", "-c", &program]));
        let other = control
            .values()
            .filter(|a| !matches!(a.as_str(), "EPERM" | "ENOSYS"))
            .count();
        // A kernel may lack one or the other; nearly all must tell the sandbox from the host.
        assert!(
            other + 6 >= calls().len(),
            "the control is denied too: {control:?}"
        );
    }
}

#[test]
fn set_user_id_programs_gain_nothing() {
    let code = "import os,subprocess\ntry: print(open('/proc/self/status').read())\nexcept OSError: pass\nprint(subprocess.run(['su','-c','id -u'],stdin=subprocess.DEVNULL,capture_output=True,text=True).stdout)\nimport ctypes\nprint('NNP',ctypes.CDLL(None).prctl(39,0,0,0,0))";
    for way in Way::all() {
        let inside = output_of(way, &python("e", code));
        assert!(inside.contains("NNP 1"), "{way:?}: {inside}");
        if way.namespaces() {
            for set in ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"] {
                assert!(
                    inside.contains(&format!("{set}:\t0000000000000000")) || set == "CapBnd",
                    "{way:?}: {inside}"
                );
            }
            assert!(inside.contains("Seccomp:\t2"), "{way:?}");
        }
    }
    assert!(outside(0, &["/usr/bin/python3", "-c", code]).contains("NNP 0"));
}
