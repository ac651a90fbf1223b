//! What was granted for reading can be read, and nothing about it can be changed.

use super::host::{
    Grant, SECRET, assert_denied_in, assert_succeeds_outside, denied, host_directory,
};
use crate::case::{Control, assert_control, inside, inside_with};
use crate::common::Way;
use serde_json::json;

/// Without this the denials below would say nothing about reading only.
#[test]
fn it_is_read() {
    for way in Way::all() {
        let host = host_directory();
        let path = host.path().to_str().unwrap();
        let fields = json!({"fs_readable": [path]});
        let secret = format!("{path}/secret");
        let answer = inside_with(way, &["read", &secret], &fields, &[path]);
        assert_eq!(answer, format!("reached {SECRET}"), "{way:?}");
    }
}

denied! { Readable;
    it_is_not_appended_to: ["write", "{host}/secret"];
    it_is_not_opened_again_for_writing: ["write-reopened", "{host}/secret"];
    it_is_not_mapped_for_writing: ["read-mapped", "{host}/secret"];
    it_is_not_truncated: ["truncate", "{host}/secret"];
    it_is_not_truncated_by_opening: ["open-truncating", "{host}/secret"];
    no_file_is_made_there: ["create", "{host}/new"];
    no_unnamed_file_is_made_there: ["create-unnamed", "{host}"];
    no_directory_is_made_there: ["mkdir", "{host}/new"];
    no_symbolic_link_is_made_there: ["symlink", "{host}/new"];
    no_fifo_is_made_there: ["mkfifo", "{host}/new"];
    no_hard_link_is_made_there: ["link", "{host}/secret", "{host}/new"];
    no_hard_link_is_made_here: ["link", "{host}/secret", "{own}/link"];
    no_own_file_is_linked_there: ["link-in", "{host}/new", "{own}"];
    no_own_file_is_moved_over_it: ["rename-in", "{host}/secret", "{own}"];
    it_is_not_exchanged_for_an_own_file: ["exchange", "{host}/secret", "{own}"];
    it_is_not_renamed: ["rename", "{host}/secret", "{host}/new"];
    it_is_not_moved_to_here: ["rename", "{host}/secret", "{own}/taken"];
    it_is_not_removed: ["unlink", "{host}/secret"];
    its_directory_is_not_removed: ["rmdir", "{host}/directory"];
    its_mode_is_not_changed: ["chmod", "{host}/secret"];
    its_mode_is_not_changed_by_descriptor: ["fchmod", "{host}/secret"];
    its_mode_is_not_changed_without_following_links: ["fchmodat2", "{host}/secret"];
    it_does_not_become_set_user_id: ["set-user-id", "{host}/program"];
    its_owner_is_not_changed: ["chown", "{host}/secret"];
    its_owner_is_not_changed_by_descriptor: ["chown-descriptor", "{host}/secret"];
    its_times_are_not_set: ["utime", "{host}/secret"];
    it_gets_no_extended_attribute: ["setxattr", "{host}/secret"];
    it_gets_no_extended_attribute_by_descriptor: ["fsetxattr", "{host}/secret"];
    it_gets_no_flags: ["set-flags", "{host}/secret"];
    it_gets_no_flags_by_the_newer_call: ["set-flags-extended", "{host}/secret"];
    it_gets_no_lease: ["lease", "{host}/secret"];
}

/// The landlock tier can't keep these: the right to it is that of the file's owner, or of everybody who may write
/// to the file, and nothing but a read-only mount takes it away. Programs as plain as touch and cp -p need it.
#[test]
fn its_times_are_not_changed_where_there_are_mounts() {
    for attack in [
        ["utime-descriptor", "{host}/secret"],
        ["touch", "{host}/secret"],
    ] {
        for way in Way::of_tier("namespaces") {
            assert_denied_in(way, Grant::Readable, &attack);
        }
        assert_succeeds_outside(&attack);
    }
}

#[test]
fn the_hosts_devices_keep_their_times() {
    for way in Way::of_tier("namespaces") {
        let answer = inside(way, &["touch", "/dev/null"]);
        assert_eq!(answer, "denied EROFS", "{way:?}");
    }
    assert_control(&["touch", "/dev/null"], Control::User);
}

#[test]
fn system_directories_are_read_only() {
    for way in Way::all() {
        for directory in [
            "/usr", "/usr/bin", "/etc", "/opt", "/dev", "/", "/var", "/usr/lib",
        ] {
            for attack in ["create", "mkdir"] {
                let answer = inside(way, &[attack, &format!("{directory}/left")]);
                assert!(
                    answer.starts_with("denied "),
                    "{way:?} {directory}: {answer}"
                );
            }
        }
    }
    assert_control(
        &["create", &format!("/usr/left-{}", std::process::id())],
        Control::Root,
    );
    let _ = std::fs::remove_file(format!("/usr/left-{}", std::process::id()));
}
