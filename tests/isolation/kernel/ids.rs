//! No program becomes somebody else, or gets a capability.

use crate::case::{Control, blocked, refused};
use crate::common::{NOBODY, Way, probe_program, scratch};
use crate::episodes::{output_of, outside, run_all, shell};
use serde_json::json;
use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;

blocked! {
    the_uid_can_not_become_root: ["setuid"], Control::Root;
    the_gid_can_not_become_root: ["setgid"], Control::Root;
    all_uids_can_not_become_root: ["setresuid"], Control::Root;
    all_gids_can_not_become_root: ["setresgid"], Control::Root;
    the_effective_uid_can_not_become_root: ["setreuid"], Control::Root;
    the_file_system_uid_can_not_become_root: ["setfsuid"], Control::Root;
    the_uid_can_not_become_another_users: ["setuid-to-another"], Control::Root;
}

refused! {
    supplementary_groups_can_not_be_set: ["setgroups"], Control::Root;
    capabilities_can_not_be_had_for_asking: ["capset"], Control::Root;
    no_exec_gains_privileges: ["new-privileges"], Control::User;
}

/// Granted to be read and run, as by accident, and lying where set-user-id files count.
#[test]
fn a_set_user_id_root_copy_of_a_program_gains_nothing() {
    if !nix::unistd::geteuid().is_root() {
        return;
    }
    let directory = scratch();
    let copy = directory.path().join("probe");
    std::fs::copy(probe_program(), &copy).unwrap();
    std::fs::set_permissions(&copy, Permissions::from_mode(0o4755)).unwrap();
    let path = copy.to_str().unwrap();
    for way in Way::all() {
        let episode = json!({"id": "e", "argv": [path, "effective-uid"]});
        let granted = directory.path().to_str().unwrap();
        let run = run_all(way, &[episode], &["--fs-readable", granted]);
        assert_eq!(
            run.output("e"),
            "denied EPERM\n",
            "{way:?}: {}",
            run.get("e")
        );
    }
    assert_eq!(outside(NOBODY, &[path, "effective-uid"]), "reached root\n");
}

#[test]
fn su_gains_nothing() {
    for way in Way::all() {
        let output = output_of(way, &shell("e", "su -c 'id -u' </dev/null; exit 0"));
        assert!(!output.lines().any(|line| line == "0"), "{way:?}: {output}");
    }
    if nix::unistd::geteuid().is_root() {
        assert_eq!(outside(0, &["su", "-c", "id -u"]), "0\n");
    }
}
