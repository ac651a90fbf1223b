use super::super::pattern::Patterns;
use super::*;
use crate::sandbox::layout::HOST_LAYOUT;
use crate::spec::policy::Tier;
use nix::sys::stat::Mode;
use std::fs::Permissions;
use std::os::fd::OwnedFd;
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

fn space(root: &Path) -> Space {
    let root = root.canonicalize().unwrap();
    Space::open(Tier::Namespaces, &HOST_LAYOUT, root, Vec::new(), false).unwrap()
}

fn all() -> GlobSet {
    let mut patterns = Patterns::of(&["**/*".to_owned()]);
    patterns.below.pop_first().unwrap().1
}

#[test]
fn the_first_files_by_name_are_kept_and_the_others_counted() {
    let mut found = Found::default();
    for at in (0..COLLECT_FILES + 500).rev() {
        found.add(format!("{at:05}"), Err(WhyNot::Missing));
    }
    assert_eq!((found.files.len(), found.beyond), (COLLECT_FILES, 500));
    let first = found.files.first_key_value();
    assert_eq!(
        first.map(|(name, _)| &**name),
        Some("00000"),
        "the first are kept"
    );
}

#[test]
fn long_names_are_held_up_to_a_bound_and_all_of_them_counted() {
    let mut found = Found::default();
    let long = "\u{1}".repeat(4000);
    for at in 0..2_000 {
        found.add(format!("{at:05}{long}"), Ok(PathBuf::from(&long)));
    }
    assert_eq!(found.files.len() as u64 + found.beyond, 2_000);
    assert!(found.name_bytes <= COLLECT_NAME_BYTES);
    let held: u64 = found.files.keys().map(|n| collected_name_bytes(n)).sum();
    assert_eq!(held, found.name_bytes);
}

#[test]
fn slashes_and_dots_that_add_nothing_to_a_pattern_keep_no_file_from_it() {
    let scratch = tempfile::tempdir().unwrap();
    std::fs::create_dir_all(scratch.path().join("home/out/a")).unwrap();
    std::fs::write(scratch.path().join("home/out/a/file"), "x").unwrap();
    let space = space(scratch.path());
    for pattern in [
        "out//*/file",
        "out/*//file",
        "out/*/./file",
        ".//out/*/*",
        "/home//out/**/file",
        "out/**//.//./f*/",
    ] {
        let mut search = Search::within(Bound::endless());
        for (base, set) in Patterns::of(&[pattern.to_owned()]).below {
            search.below(&space, "/home", &base, &set);
        }
        assert_eq!(search.found.files.len(), 1, "{pattern}");
    }
}

#[test]
fn a_directory_that_its_program_closed_is_searched_and_closed_again() {
    let scratch = tempfile::tempdir().unwrap();
    let closed = scratch.path().join("home/closed");
    std::fs::create_dir_all(closed.join("in")).unwrap();
    std::fs::write(closed.join("in/file"), "x").unwrap();
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o7777;
    let set_mode = |mode| std::fs::set_permissions(&closed, Permissions::from_mode(mode)).unwrap();
    let space = space(scratch.path());
    for own in [0o000, 0o400, 0o100, 0o300] {
        set_mode(own);
        let mut search = Search::within(Bound::endless());
        search.below(&space, "/home", "", &all());
        assert_eq!(search.end().0.files.len(), 1, "{own:o}");
        assert_eq!(mode(&closed), own);
    }
    set_mode(0o700);
}

#[test]
fn a_search_whose_time_is_over_says_so() {
    let scratch = tempfile::tempdir().unwrap();
    std::fs::create_dir_all(scratch.path().join("home/a/b")).unwrap();
    std::fs::write(scratch.path().join("home/a/b/file"), "x").unwrap();
    let space = space(scratch.path());
    let found = |bound| {
        let mut search = Search::within(bound);
        search.below(&space, "/home", "", &all());
        let (found, unsearched) = search.end();
        (found.files.len(), unsearched)
    };
    assert_eq!(found(Bound::endless()), (1, false));
    assert_eq!(
        found(Bound::from_now(Duration::MAX, Duration::ZERO)),
        (0, true)
    );
}

#[test]
fn directories_that_wait_are_held_up_to_a_bound_and_the_search_says_so() {
    let mut search = Search::within(Bound::endless());
    let long = "d".repeat(4000);
    for at in 0..10_000 {
        search.waiting.push(format!("{at:05}{long}").into());
    }
    let waiting = search.waiting.paths.iter();
    let held: usize = waiting.map(|p| p.as_os_str().len()).sum();
    assert!(held <= COLLECT_WAITING_BYTES && search.waiting.left_out);
    while search.waiting.pop().is_some() {}
    assert_eq!(search.waiting.bytes, 0);
}

#[test]
fn where_the_file_system_does_not_say_what_an_entry_is_it_is_looked_at() {
    let scratch = tempfile::tempdir().unwrap();
    std::fs::create_dir(scratch.path().join("directory")).unwrap();
    std::fs::write(scratch.path().join("file"), "x").unwrap();
    std::os::unix::fs::symlink("file", scratch.path().join("link")).unwrap();
    let space = space(scratch.path());
    for (name, is) in [
        ("directory", Type::Directory),
        ("file", Type::File),
        ("link", Type::Symlink),
    ] {
        assert_eq!(kind(&space, None, Path::new(name)), Some(is));
    }
}

#[test]
fn files_are_found_at_the_end_of_a_path_that_is_too_long_to_be_opened_at_once() {
    let scratch = tempfile::tempdir().unwrap();
    let space = space(scratch.path());
    let name = "d".repeat(250);
    let mut here = OwnedFd::from(std::fs::File::open(scratch.path()).unwrap());
    for _ in 0..40 {
        nix::sys::stat::mkdirat(&here, &*name, Mode::S_IRWXU).unwrap();
        here = nix::fcntl::openat(&here, &*name, OFlag::O_DIRECTORY, Mode::empty()).unwrap();
    }
    let flags = OFlag::O_CREAT | OFlag::O_WRONLY;
    let file = nix::fcntl::openat(&here, "file", flags, Mode::S_IRUSR).unwrap();
    nix::unistd::write(&file, b"deep").unwrap();
    let mut search = Search::within(Bound::endless());
    search.below(&space, "/", "", &all());
    let (found, unsearched) = search.end();
    assert!(!unsearched);
    let (_, place) = found.files.first_key_value().unwrap();
    let place = place.as_ref().unwrap();
    assert!(place.as_os_str().len() > 10_000);
    assert_eq!(
        super::super::take::take(&space, place, 100, Bound::endless()),
        Ok(b"deep".to_vec())
    );
    crate::sys::remove::remove(scratch.path()).unwrap();
}
