//! Messages left in what stays: mode, times, attributes and flags of the slot's own directories.

use super::{Shows, leaves_nothing, owns_its_files};
use crate::case::{Control, assert_control, inside};
use crate::common::{NOBODY, Way, scratch};
use crate::episodes::{python, shell};
use std::os::unix::fs::chown;

#[test]
fn modes_of_our_own_directories() {
    leaves_nothing(
        Shows::Where(owns_its_files),
        shell(
            "",
            "chmod 000 $HOME $TMPDIR . / /var /home /run /var/tmp /dev/shm 2>/dev/null; true",
        ),
        shell(
            "",
            "stat -c '%a' . $TMPDIR $HOME; echo x > f && echo x > $TMPDIR/f && echo x > $HOME/f && echo writable",
        ),
    );
}

#[test]
fn attributes_of_our_own_directories() {
    leaves_nothing(
        Shows::Nowhere("attributes can't be set"),
        python(
            "",
            include_str!("../programs/sets_attributes_of_directories.py"),
        ),
        python(
            "",
            include_str!("../programs/lists_attributes_of_directories.py"),
        ),
    );
}

#[test]
fn modes_times_and_attributes_of_the_sandboxes_own_files() {
    leaves_nothing(
        Shows::Nowhere("they are read-only"),
        python(
            "",
            include_str!("../programs/changes_the_sandboxes_own_files.py"),
        ),
        python(
            "",
            include_str!("../programs/shows_the_sandboxes_own_files.py"),
        ),
    );
}

#[test]
fn times_of_our_own_directories_and_links() {
    leaves_nothing(
        Shows::Where(owns_its_files),
        python("", include_str!("../programs/sets_times_of_directories.py")),
        python(
            "",
            include_str!("../programs/shows_times_of_directories.py"),
        ),
    );
}

/// A default access list decides the mode of everything made below it.
#[test]
fn access_lists_of_our_own_directories() {
    leaves_nothing(
        Shows::Nowhere("an access list is an attribute, and can't be set"),
        python("", include_str!("../programs/sets_default_access_lists.py")),
        shell(
            "",
            "for d in . $TMPDIR $HOME; do echo > $d/f; stat -c %a $d/f; rm $d/f; done",
        ),
    );
}

/// No wipe would see them, so nobody may set them: what is not immutable can be removed.
#[test]
fn flags_of_our_own_directories_and_files() {
    for way in Way::all() {
        for attack in ["set-flags", "set-flags-extended", "set-immutable"] {
            for target in [".", "./probe"] {
                let answer = inside(way, &[attack, target]);
                assert_eq!(answer, "denied EPERM", "{way:?} {attack} {target}");
            }
        }
    }
    let directory = scratch();
    let path = directory.path().to_str().unwrap();
    assert_control(&["set-immutable", path], Control::Root);
    assert_control(&["clear-flags", path], Control::Root);
    if nix::unistd::geteuid().is_root() {
        chown(directory.path(), Some(NOBODY), Some(NOBODY)).unwrap();
    }
    assert_control(&["set-flags", path], Control::User);
    assert_control(&["set-flags-extended", path], Control::User);
}
