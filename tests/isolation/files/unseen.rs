//! What was not granted can't be read, changed or run, by whatever way its path is written.

use super::host::denied;

denied! { Nothing;
    // Reading.
    it_is_not_read: ["read", "{host}/secret"];
    it_is_not_listed: ["list", "{host}"];
    it_is_not_read_through_a_chain_of_symbolic_links: ["read-symlinks", "{host}/secret", "{own}"];
    it_is_not_read_through_a_hard_link: ["read-hard-link", "{host}/secret", "{own}/link"];
    it_is_not_read_through_a_hard_link_to_a_descriptor: ["link-descriptor", "{host}/secret", "{own}/link"];
    it_is_not_read_after_a_rename_to_here: ["read-renamed", "{host}/secret", "{own}/taken"];
    it_is_not_read_by_openat2: ["read-openat2", "{host}/secret", "0"];
    it_is_not_read_by_openat2_that_stays_beneath_the_root: ["read-openat2", "{host}/secret", "0x08"];
    it_is_not_read_by_openat2_with_a_root_of_its_own: ["read-openat2", "{host}/secret", "0x10"];
    it_is_not_read_through_the_root_link_of_proc: ["read", "/proc/self/root{host}/secret"];
    it_is_not_read_through_the_root_link_of_a_thread: ["read", "/proc/thread-self/root{host}/secret"];
    it_is_not_read_upwards_from_a_directory_descriptor: ["read-from-directory", "{host}/secret"];
    it_is_not_mapped: ["read-mapped", "{host}/secret"];

    // Writing.
    it_is_not_appended_to: ["write", "{host}/secret"];
    it_is_not_opened_again_for_writing: ["write-reopened", "{host}/secret"];
    it_is_not_truncated: ["truncate", "{host}/secret"];
    it_is_not_truncated_by_opening: ["open-truncating", "{host}/secret"];
    no_file_is_made_there: ["create", "{host}/new"];
    no_unnamed_file_is_made_there: ["create-unnamed", "{host}"];
    no_directory_is_made_there: ["mkdir", "{host}/new"];
    no_symbolic_link_is_made_there: ["symlink", "{host}/new"];
    no_fifo_is_made_there: ["mkfifo", "{host}/new"];
    no_hard_link_is_made_there: ["link", "{host}/secret", "{host}/new"];
    no_own_file_is_linked_there: ["link-in", "{host}/new", "{own}"];
    no_own_file_is_moved_there: ["rename-in", "{host}/new", "{own}"];
    no_own_file_is_moved_over_it: ["rename-in", "{host}/secret", "{own}"];
    it_is_not_exchanged_for_an_own_file: ["exchange", "{host}/secret", "{own}"];
    it_is_not_renamed: ["rename", "{host}/secret", "{host}/new"];
    it_is_not_removed: ["unlink", "{host}/secret"];
    its_directory_is_not_removed: ["rmdir", "{host}/directory"];

    // Running.
    a_program_is_not_run: ["run", "{host}/program"];
    a_program_is_not_run_by_the_loader: ["run-by-loader", "{host}/program"];
    a_program_is_not_run_by_its_descriptor: ["run-descriptor", "{host}/program"];

    // Mode, owner, times, attributes: none of this is Landlock's.
    its_mode_is_not_changed: ["chmod", "{host}/secret"];
    its_mode_is_not_changed_without_following_links: ["fchmodat2", "{host}/secret"];
    it_does_not_become_set_user_id: ["set-user-id", "{host}/program"];
    its_owner_is_not_changed: ["chown", "{host}/secret"];
    its_times_are_not_set: ["utime", "{host}/secret"];
    it_gets_no_extended_attribute: ["setxattr", "{host}/secret"];
    it_gets_no_flags: ["set-flags", "{host}/secret"];
    it_gets_no_lease: ["lease", "{host}/secret"];
}
