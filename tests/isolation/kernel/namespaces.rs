//! No namespace can be made or entered.

use crate::case::{Control, refused};
use crate::case::{assert_control, inside};
use crate::common::Way;

refused! {
    a_user_namespace_can_not_be_unshared: ["unshare", "user"], Control::User;
    a_mnt_namespace_can_not_be_unshared: ["unshare", "mnt"], Control::Root;
    a_pid_namespace_can_not_be_unshared: ["unshare", "pid"], Control::Root;
    a_net_namespace_can_not_be_unshared: ["unshare", "net"], Control::Root;
    a_ipc_namespace_can_not_be_unshared: ["unshare", "ipc"], Control::Root;
    a_uts_namespace_can_not_be_unshared: ["unshare", "uts"], Control::Root;
    a_cgroup_namespace_can_not_be_unshared: ["unshare", "cgroup"], Control::Root;
    a_time_namespace_can_not_be_unshared: ["unshare", "time"], Control::Root;
    a_process_can_not_be_cloned_into_a_new_user_namespace: ["clone", "user"], Control::User;
    a_process_can_not_be_cloned_into_a_new_mnt_namespace: ["clone", "mnt"], Control::Root;
    a_process_can_not_be_cloned_into_a_new_pid_namespace: ["clone", "pid"], Control::Root;
    a_process_can_not_be_cloned_into_a_new_net_namespace: ["clone", "net"], Control::Root;
    a_process_can_not_be_cloned_into_a_new_ipc_namespace: ["clone", "ipc"], Control::Root;
    a_process_can_not_be_cloned_into_a_new_uts_namespace: ["clone", "uts"], Control::Root;
    a_process_can_not_be_cloned_into_a_new_cgroup_namespace: ["clone", "cgroup"], Control::Root;
    high_bits_do_not_hide_a_clone_flag: ["clone-high-bits", "user"], Control::User;
    a_process_can_not_be_cloned_beside_its_parent: ["clone", "parent"], Control::User;
    clone3_can_not_make_a_user_namespace: ["clone3", "user"], Control::User;
    clone3_can_not_make_a_mnt_namespace: ["clone3", "mnt"], Control::Root;
    clone3_can_not_make_a_pid_namespace: ["clone3", "pid"], Control::Root;
    clone3_can_not_make_a_net_namespace: ["clone3", "net"], Control::Root;
    clone3_can_not_make_a_ipc_namespace: ["clone3", "ipc"], Control::Root;
    clone3_can_not_make_a_uts_namespace: ["clone3", "uts"], Control::Root;
    clone3_can_not_make_a_cgroup_namespace: ["clone3", "cgroup"], Control::Root;
    clone3_can_not_make_a_time_namespace: ["clone3", "time"], Control::Root;
    a_user_namespace_can_not_be_entered: ["setns", "user"], Control::Root;
    a_mnt_namespace_can_not_be_entered: ["setns", "mnt"], Control::Root;
    a_net_namespace_can_not_be_entered: ["setns", "net"], Control::Root;
    a_ipc_namespace_can_not_be_entered: ["setns", "ipc"], Control::Root;
    a_uts_namespace_can_not_be_entered: ["setns", "uts"], Control::Root;
    a_cgroup_namespace_can_not_be_entered: ["setns", "cgroup"], Control::Root;
    a_pid_namespace_can_not_be_entered: ["setns", "pid"], Control::Root;
    a_namespace_can_not_be_entered_by_process_descriptor: ["setns-pidfd"], Control::Root;
}

#[test]
fn clone3_is_not_there_at_all_so_that_libraries_fall_back() {
    for way in Way::all() {
        assert_eq!(inside(way, &["clone3", "none"]), "denied ENOSYS", "{way:?}");
        assert!(inside(way, &["clone", "none"]).starts_with("reached "));
    }
    assert_control(&["clone3", "none"], Control::User);
}
