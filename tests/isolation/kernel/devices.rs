//! Device nodes, terminals, and the kernel's own files in /proc and /sys.

use crate::case::{Control, blocked, refused};
use crate::case::{assert_control, inside};
use crate::common::{NOBODY, Way, probe_program, scratch};
use crate::episodes::run_all;
use serde_json::json;
use std::fs;
use std::os::unix::fs::FileTypeExt;
use std::path::Path;

blocked! {
    the_device_of_memory_can_not_be_opened: ["open", "/dev/mem", "r"], Control::RootUnless("ENOENT");
    the_device_of_kernel_memory_can_not_be_opened: ["open", "/dev/kmem", "r"], Control::RootUnless("ENOENT");
    the_device_of_io_ports_can_not_be_opened: ["open", "/dev/port", "r"], Control::RootUnless("ENOENT");
    the_device_of_the_hypervisor_can_not_be_opened: ["open", "/dev/kvm", "rw"], Control::RootUnless("ENOENT");
    the_device_of_user_space_file_systems_can_not_be_opened: ["open", "/dev/fuse", "rw"], Control::RootUnless("ENOENT");
    the_device_of_loop_devices_can_not_be_opened: ["open", "/dev/loop-control", "rw"], Control::RootUnless("ENOENT");
    the_device_of_tunnels_can_not_be_opened: ["open", "/dev/net/tun", "rw"], Control::RootUnless("ENOENT");
    the_device_of_virtual_networking_can_not_be_opened: ["open", "/dev/vhost-net", "rw"], Control::RootUnless("ENOENT");
    the_device_of_virtual_sockets_can_not_be_opened: ["open", "/dev/vhost-vsock", "rw"], Control::RootUnless("ENOENT");
    the_device_of_input_injection_can_not_be_opened: ["open", "/dev/uinput", "rw"], Control::RootUnless("ENOENT");
    the_device_of_sound_can_not_be_opened: ["open", "/dev/snd/timer", "r"], Control::RootUnless("ENOENT");
    the_device_of_page_fault_handling_can_not_be_opened: ["open", "/dev/userfaultfd", "r"], Control::RootUnless("ENOENT");
    the_device_of_the_kernels_log_can_not_be_opened: ["open", "/dev/kmsg", "r"], Control::RootUnless("ENOENT");
    the_device_of_the_console_can_not_be_opened: ["open", "/dev/console", "w"], Control::RootUnless("ENOENT");
    the_device_of_a_block_device_can_not_be_opened: ["open", "/dev/loop0", "r"], Control::RootUnless("ENOENT");
    the_core_pattern_can_not_be_written: ["open", "/proc/sys/kernel/core_pattern", "w"], Control::Root;
    the_next_process_id_can_not_be_set: ["open", "/proc/sys/kernel/ns_last_pid", "w"], Control::RootUnless("ENOENT");
    the_module_loader_can_not_be_named: ["open", "/proc/sys/kernel/modprobe", "w"], Control::RootUnless("ENOENT");
    magic_keys_can_not_be_pressed: ["open", "/proc/sysrq-trigger", "w"], Control::RootUnless("ENOENT");
    the_kernels_memory_can_not_be_read: ["open", "/proc/kcore", "r"], Control::RootUnless("ENOENT");
    the_kernels_messages_can_not_be_read: ["open", "/proc/kmsg", "r"], Control::RootUnless("ENOENT");
    the_kernels_keys_can_not_be_read: ["open", "/proc/keys", "r"], Control::RootUnless("ENOENT");
    the_kernels_addresses_can_not_be_read: ["kallsyms"], Control::RootUnless("EACCES");
    a_debug_file_system_can_not_be_read: ["open", "/sys/kernel/debug", "r"], Control::RootUnless("ENOENT");
    a_kernel_setting_of_sys_can_not_be_written: ["open", "/sys/kernel/mm/transparent_hugepage/enabled", "w"], Control::RootUnless("ENOENT");
}

refused! {
    typing_into_a_terminal_is_refused: ["terminal", "5412"], Control::RootUnless("EIO");
    typing_into_a_terminal_with_a_high_bit_set_is_refused: ["terminal", "100005412"], Control::RootUnless("EIO");
    typing_into_a_terminal_with_all_high_bits_set_is_refused: ["terminal", "ffffffff00005412"], Control::RootUnless("EIO");
    selecting_on_a_console_is_refused: ["terminal", "541c"], Control::User;
    selecting_on_a_console_with_a_high_bit_set_is_refused: ["terminal", "10000541c"], Control::User;
    changing_the_line_discipline_is_refused: ["terminal", "5423"], Control::User;
    changing_the_line_discipline_with_a_high_bit_set_is_refused: ["terminal", "100005423"], Control::User;
    taking_the_console_is_refused: ["terminal", "541d"], Control::Impossible("it would redirect the console of the host");
    taking_the_console_with_a_high_bit_set_is_refused: ["terminal", "10000541d"], Control::Impossible("it would redirect the console of the host");
}

#[test]
fn harmless_requests_to_a_descriptor_keep_working() {
    for way in Way::all() {
        assert_eq!(
            inside(way, &["harmless-ioctls"]),
            "reached a pipe",
            "{way:?}"
        );
    }
}

/// Every node of the host by name: whatever a later kernel or distribution adds is closed too.
#[test]
fn of_all_the_hosts_devices_only_those_without_state_open() {
    let mut nodes = Vec::new();
    find_devices(Path::new("/dev"), &mut nodes);
    let nodes: Vec<&str> = nodes.iter().map(String::as_str).collect();
    assert!(nodes.len() > 6, "this host has no devices: {nodes:?}");
    let harmless = ["null", "zero", "full", "random", "urandom", "tty", "ptmx"];
    for way in Way::all() {
        let probe = [&["open-any"], &nodes[..]].concat();
        let answer = inside(way, &probe);
        let opened = answer.strip_prefix("reached ").expect("/dev/null opens");
        for path in opened.split(' ') {
            let name = path.strip_prefix("/dev/").unwrap();
            assert!(harmless.contains(&name), "{way:?}: {path} opens");
        }
        assert!(opened.contains("/dev/null"), "{way:?}: {opened}");
    }
}

fn find_devices(directory: &Path, nodes: &mut Vec<String>) {
    for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
        let kind = entry.file_type().unwrap();
        // Terminals come and go while this looks.
        if kind.is_dir() && entry.file_name() != "pts" {
            find_devices(&entry.path(), nodes);
        } else if kind.is_char_device() || kind.is_block_device() {
            nodes.push(entry.path().to_str().unwrap().to_owned());
        }
    }
}

#[test]
fn no_file_of_proc_or_sys_opens_for_writing() {
    for place in ["/proc", "/sys"] {
        for way in Way::all() {
            assert_eq!(
                inside(way, &["writable-below", place]),
                "denied EACCES",
                "{way:?}"
            );
        }
    }
    assert_control(&["writable-below", "/proc/sys/kernel"], Control::Root);
}

/// A descriptor to read by is enough for its owner, and Landlock does not look at it.
#[test]
fn attributes_of_a_readable_file_can_not_be_changed() {
    let directory = scratch();
    let path = directory.path().join("file");
    fs::write(&path, "mine").unwrap();
    let owner = nix::unistd::Uid::from_raw(NOBODY);
    if nix::unistd::geteuid().is_root() {
        nix::unistd::chown(&path, Some(owner), None).unwrap();
    }
    let (granted, path) = (directory.path().to_str().unwrap(), path.to_str().unwrap());
    let program = probe_program();
    for way in Way::all() {
        let episode = json!({"id": "e", "argv": [program, "attributes", path]});
        let readable = program.parent().unwrap().to_str().unwrap();
        let args = ["--fs-readable", granted, "--fs-readable", readable];
        let run = run_all(way, &[episode], &args);
        assert_eq!(
            run.output("e"),
            "denied EPERM\n",
            "{way:?}: {}",
            run.get("e")
        );
    }
    assert_control(&["attributes", path], Control::UserUnless("ENOTTY"));
}
