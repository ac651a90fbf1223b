//! No mount can be made, moved, changed, removed or listed.

use crate::case::{Control, refused};

refused! {
    a_file_system_can_not_be_mounted: ["mount"], Control::Root;
    a_directory_can_not_be_bound_elsewhere: ["bind-mount"], Control::Root;
    nothing_can_be_unmounted: ["umount2"], Control::Root;
    a_file_system_context_can_not_be_opened: ["fsopen"], Control::Root;
    a_file_system_context_can_not_be_configured: ["fsconfig"], Control::Root;
    a_file_system_context_can_not_become_a_mount: ["fsmount"], Control::Root;
    a_mount_can_not_be_picked_for_changes: ["fspick"], Control::Root;
    a_tree_can_not_be_opened_as_a_mount: ["open_tree"], Control::User;
    a_tree_can_not_be_cloned: ["open_tree-clone"], Control::Root;
    a_tree_can_not_be_cloned_with_other_attributes: ["open_tree_attr"], Control::RootUnless("ENOSYS");
    a_mount_can_not_be_moved: ["move_mount"], Control::Root;
    attributes_of_a_mount_can_not_be_changed: ["mount_setattr"], Control::Root;
    mounts_can_not_be_listed: ["listmount"], Control::UserUnless("ENOSYS");
    a_mount_can_not_be_asked_about: ["statmount"], Control::UserUnless("ENOSYS");
    the_root_can_not_be_pivoted: ["pivot_root"], Control::Root;
    the_root_can_not_be_changed: ["chroot"], Control::Root;
}
