use super::*;
use std::fs::{self, Permissions, set_permissions};
use std::os::unix::fs::PermissionsExt;

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

#[test]
fn closed_directories_count_and_are_closed_again() {
    let root = tempfile::tempdir().unwrap();
    let (outer, inner) = (root.path().join("outer"), root.path().join("outer/inner"));
    fs::create_dir_all(&inner).unwrap();
    fs::write(inner.join("file"), vec![1; 100_000]).unwrap();
    for directory in [&inner, &outer] {
        set_permissions(directory, Permissions::from_mode(0o000)).unwrap();
    }
    let used = usage(root.path(), u64::MAX, u64::MAX).used;
    assert_eq!(used.inodes, 3);
    assert!(used.bytes >= 100_000, "{used:?}");
    assert_eq!(mode(&outer), 0);
    set_permissions(&outer, Permissions::from_mode(0o700)).unwrap();
    assert_eq!(mode(&inner), 0);
}

#[test]
fn links_are_not_followed() {
    let (root, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    fs::write(other.path().join("file"), vec![1; 100_000]).unwrap();
    std::os::unix::fs::symlink(other.path(), root.path().join("link")).unwrap();
    let used = usage(root.path(), u64::MAX, u64::MAX).used;
    assert_eq!(used.inodes, 1);
    assert!(used.bytes < 100_000, "{used:?}");
}

#[test]
fn counting_ends_at_the_most_that_may_be_there() {
    let root = tempfile::tempdir().unwrap();
    for n in 0..50 {
        fs::write(root.path().join(n.to_string()), "").unwrap();
    }
    assert_eq!(usage(root.path(), u64::MAX, 10).used.inodes, 11);
}

#[test]
fn a_look_that_is_too_short_is_gone_on_with_and_says_the_most_that_is_known() {
    let root = tempfile::tempdir().unwrap();
    let inner = root.path().join("closed/inner");
    fs::create_dir_all(&inner).unwrap();
    for n in 0..500 {
        fs::write(inner.join(n.to_string()), "").unwrap();
    }
    set_permissions(root.path().join("closed"), Permissions::from_mode(0o000)).unwrap();
    let mut count = Count::default();
    let mut looks = vec![];
    while looks.last().is_none_or(|c: &Counted| !c.whole) && looks.len() < 10_000 {
        looks.push(count.look(root.path(), u64::MAX, u64::MAX, 0));
    }
    assert!(looks.len() > 500, "{}", looks.len());
    assert!(looks.is_sorted_by_key(|counted| counted.used.inodes));
    assert_eq!(looks.last().unwrap().used.inodes, 502);
    // The next count begins with what this one found.
    let next = count.look(root.path(), u64::MAX, u64::MAX, 0);
    assert_eq!((next.used.inodes, next.whole), (502, false));
    drop(count);
    assert_eq!(mode(&root.path().join("closed")), 0);
    set_permissions(root.path().join("closed"), Permissions::from_mode(0o700)).unwrap();
}

/// A tree of so many directories in one another, with others beside each; in memory where that exists: some file
/// systems take half a millisecond for a directory, where many were removed.
fn deep(depth: usize, names: &[&str]) -> tempfile::TempDir {
    let root = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir());
    let root = root.unwrap();
    let mut here = OwnedFd::from(fs::File::open(root.path()).unwrap());
    for _ in 0..depth {
        for name in names {
            nix::sys::stat::mkdirat(&here, *name, Mode::S_IRWXU).unwrap();
        }
        here = openat(&here, names[0], OFlag::O_DIRECTORY, Mode::empty()).unwrap();
    }
    root
}

#[test]
fn a_tree_may_be_of_any_depth() {
    for names in [&["a"][..], &["a", "b", "c"], &["c", "b", "a"]] {
        let root = deep(3000, names);
        // However long that takes on a busy machine.
        let counted = Count::default().look(root.path(), u64::MAX, u64::MAX, u64::MAX);
        crate::sys::remove::remove(root.path()).unwrap();
        assert_eq!(counted.used.inodes, 3000 * names.len() as u64);
        assert!(counted.whole && !counted.lost);
    }
}

#[test]
fn a_directory_that_is_moved_while_it_is_counted_can_lose_the_count_and_that_is_said() {
    let names = ["a", "b"];
    let root = deep(400, &names);
    let beside = tempfile::tempdir_in(root.path().parent().unwrap()).unwrap();
    let mut count = Count::default();
    // Each look counts one entry: until it is far down.
    while count.open.last().is_none_or(|last| last.depth < 300) {
        count.look(root.path(), u64::MAX, u64::MAX, 0);
    }
    let shallow = root.path().join("a/a/a");
    fs::rename(&shallow, beside.path().join("moved")).unwrap();
    let counted = count.look(root.path(), u64::MAX, u64::MAX, u64::MAX);
    assert!(counted.lost, "{counted:?}");
    // And the next one begins anew.
    let counted = count.look(root.path(), u64::MAX, u64::MAX, u64::MAX);
    assert_eq!((counted.used.inodes, counted.lost), (5, false));
}

#[test]
fn a_directory_that_can_not_be_read_to_its_end_is_left_and_the_count_says_that_it_is_lost() {
    let root = tempfile::tempdir().unwrap();
    let flags = OFlag::O_PATH | OFlag::O_DIRECTORY;
    let descriptor = open(root.path(), flags, Mode::empty()).unwrap();
    let mut directory = Directory::new(descriptor, 0);
    let mut used = Usage::default();
    let listed = directory.listed(Some(Err(nix::errno::Errno::EIO)), &mut used);
    assert!(listed.is_none(), "nobody knows what else is in it");
    assert!(directory.entries.is_none(), "it is not read again");
}
