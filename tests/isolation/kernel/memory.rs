//! Memory in ways that no limit sees, and memory or pages of others.

use crate::case::inside;
use crate::case::{Control, assert_control, refused};
use crate::common::{NOBODY, Way};
use crate::episodes::{output_of, outside, python};

refused! {
    page_faults_can_not_be_handled: ["userfaultfd"], Control::UserUnless("ENOSYS");
    secret_memory_can_not_be_made: ["memfd_secret"], Control::UserUnless("ENOSYS");
    a_memory_file_can_not_be_made: ["memfd_create"], Control::User;
    a_memory_file_of_huge_pages_can_not_be_made: ["memfd_create-huge"], Control::UserUnless("ENOSYS");
    a_segment_of_huge_pages_can_not_be_made: ["huge-segment"], Control::RootUnless("ENOMEM");
    memory_can_not_be_given_to_a_pipe: ["vmsplice"], Control::User;
    pages_of_a_process_can_not_be_migrated: ["migrate_pages"], Control::RootUnless("ENOSYS");
    pages_of_a_process_can_not_be_moved: ["move_pages"], Control::RootUnless("ENOSYS");
    a_shadow_stack_can_not_be_mapped: ["map_shadow_stack"], Control::UserUnless("ENOSYS");
    memory_can_not_be_sealed: ["mseal"], Control::UserUnless("ENOSYS");
    a_futex_can_not_be_woken_by_the_new_call: ["futex_wake"], Control::UserUnless("ENOSYS");
    a_futex_can_not_be_waited_for_by_the_new_call: ["futex_wait"], Control::UserUnless("ENOSYS");
    a_futex_can_not_be_requeued_by_the_new_call: ["futex_requeue"], Control::UserUnless("ENOSYS");
    pages_can_not_be_remapped: ["remap_file_pages"], Control::User;
}

/// They answer as for files that the kernel can't do it with, and programs read and write.
#[test]
fn pages_can_not_be_given_to_pipes_by_reference() {
    for probe in [&["splice"], &["tee"], &["sendfile"]] {
        for way in Way::all() {
            let answer = inside(way, probe);
            assert_eq!(answer, "denied EINVAL", "{way:?}: {probe:?}");
        }
        assert_control(probe, Control::User);
    }
}

/// A policy is kept for each page of a shared object, for as long as there is the object. MPOL_BIND, which is 2, is not
/// what there is afterwards (get_mempolicy(2), MPOL_F_ADDR). Nor are pages that others share moved (MPOL_MF_MOVE_ALL), which
/// takes CAP_SYS_NICE.
#[test]
fn where_pages_are_to_be_is_not_kept() {
    let code = include_str!("../programs/binds_pages_to_a_node.py");
    for way in Way::all() {
        assert_eq!(
            output_of(way, &python("bind", code)),
            "0 0 0 0\n",
            "{way:?}"
        );
    }
    let control = outside(NOBODY, &["/usr/bin/python3", "-c", code]);
    // Some kernels are built without it.
    assert!(
        ["0 0 2 -1\n", "-1 -1 0 -1\n"].contains(&&*control),
        "{control}"
    );
}

#[test]
fn barriers_between_threads_keep_working() {
    for way in Way::all() {
        let answer = inside(way, &["membarrier"]);
        assert!(answer.starts_with("reached "), "{way:?}: {answer}");
    }
}
