//! Memory in ways that no limit sees, and memory or pages of others.

use crate::case::inside;
use crate::case::{Control, assert_control, refused};
use crate::common::Way;

refused! {
    page_faults_can_not_be_handled: ["userfaultfd"], Control::UserUnless("ENOSYS");
    secret_memory_can_not_be_made: ["memfd_secret"], Control::UserUnless("ENOSYS");
    a_memory_file_can_not_be_made: ["memfd_create"], Control::User;
    a_memory_file_of_huge_pages_can_not_be_made: ["memfd_create-huge"], Control::UserUnless("ENOSYS");
    a_segment_of_huge_pages_can_not_be_made: ["huge-segment"], Control::RootUnless("ENOMEM");
    memory_can_not_be_given_to_a_pipe: ["vmsplice"], Control::User;
    pages_of_a_process_can_not_be_migrated: ["migrate_pages"], Control::RootUnless("ENOSYS");
    pages_of_a_process_can_not_be_moved: ["move_pages"], Control::RootUnless("ENOSYS");
    pages_that_others_share_can_not_be_moved: ["mbind-all"], Control::RootUnless("ENOSYS");
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

#[test]
fn barriers_between_threads_keep_working() {
    for way in Way::all() {
        let answer = inside(way, &["membarrier"]);
        assert!(answer.starts_with("reached "), "{way:?}: {answer}");
    }
}
