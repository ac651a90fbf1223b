//! The rules for paths inside the sandbox. Text only: no file is looked at.
//!
//! An absolute path means a place in the sandbox's private root; a relative one starts at a working
//! directory and stays under it. What comes out is absolute and normalised: no `.`, no `..`, no `//`.

use thiserror::Error;

/// The longest path the kernel takes, in bytes (PATH_MAX without its NUL).
pub(crate) const MAX_PATH: usize = 4095;
/// The longest name between two slashes, in bytes (NAME_MAX).
pub(crate) const MAX_NAME: usize = 255;

/// Places that belong to the host or the kernel, seen read-only: no file can be put there.
const READ_ONLY: [&str; 12] = [
    "/proc", "/sys", "/dev", "/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32",
    "/etc", "/opt",
];

/// Where programs may write in every sandbox, of either tier.
const USUAL: [&str; 3] = ["/workspace", "/tmp", "/home/runner"];

/// The one writable directory under `/dev`.
const SHARED_MEMORY: &str = "/dev/shm";

/// Why a path cannot be used; reads on after the name of the field.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub(crate) enum PathFlaw {
    #[error("is an empty path; name a path inside the sandbox")]
    Empty,
    #[error("holds a NUL character, which no path may; remove it")]
    Nul,
    #[error("is {0} bytes long as a full path; the kernel takes at most {MAX_PATH}")]
    TooLong(usize),
    #[error("has a path component of {0} bytes; the kernel takes at most {MAX_NAME}")]
    NameTooLong(usize),
    #[error("leaves the sandbox: `..` climbs above `/`; remove the extra `..`")]
    AboveRoot,
    #[error(
        "leaves the sandbox: a relative path may not climb out of its working directory ({0}) with `..`; \
         write an absolute path, which means a place inside the sandbox"
    )]
    AboveBase(String),
    #[error("names a directory, not a file; add a file name")]
    Directory,
    #[error(
        "is under {0}, which is read-only in every sandbox; put the file under /workspace or /tmp"
    )]
    ReadOnly(&'static str),
}

/// Where `path` leads from `base`, which must itself be absolute and normalised.
pub(crate) fn resolve(base: &str, path: &str) -> Result<String, PathFlaw> {
    if path.is_empty() {
        return Err(PathFlaw::Empty);
    }
    if path.contains('\0') {
        return Err(PathFlaw::Nul);
    }
    let absolute = path.starts_with('/');
    let mut resolved = String::with_capacity(base.len() + 1 + path.len());
    if !absolute {
        resolved.push_str(base.trim_end_matches('/'));
    }
    let floor = resolved.len();
    for name in path.split('/') {
        match name {
            "" | "." => {}
            ".." if resolved.len() > floor => {
                resolved.truncate(resolved.rfind('/').unwrap_or(floor));
            }
            ".." if absolute => return Err(PathFlaw::AboveRoot),
            ".." => return Err(PathFlaw::AboveBase(base.to_owned())),
            _ if name.len() > MAX_NAME => return Err(PathFlaw::NameTooLong(name.len())),
            _ => {
                resolved.push('/');
                resolved.push_str(name);
            }
        }
    }
    if resolved.is_empty() {
        resolved.push('/');
    }
    if resolved.len() > MAX_PATH {
        return Err(PathFlaw::TooLong(resolved.len()));
    }
    Ok(resolved)
}

/// Like [`resolve`], for a file that is to be written: not a directory, not in a read-only place.
pub(crate) fn resolve_file(base: &str, path: &str) -> Result<String, PathFlaw> {
    let resolved = resolve(base, path)?;
    if path.ends_with('/') || path.ends_with("/.") || path.ends_with("/..") {
        return Err(PathFlaw::Directory);
    }
    if path == "." || path == ".." || resolved == "/" || resolved == base {
        return Err(PathFlaw::Directory);
    }
    check_writable(&resolved)?;
    Ok(resolved)
}

/// Like [`resolve`], for a directory whose content is to be written; it may be `base` itself.
pub(crate) fn resolve_directory(base: &str, path: &str) -> Result<String, PathFlaw> {
    let resolved = resolve(base, path)?;
    if resolved == "/" {
        return Err(PathFlaw::Directory);
    }
    check_writable(&resolved)?;
    Ok(resolved)
}

/// Whether every sandbox has this place for writing, whatever else the episode asks for.
pub(crate) fn is_usual(resolved: &str) -> bool {
    USUAL.iter().any(|place| is_under(resolved, place))
}

fn check_writable(resolved: &str) -> Result<(), PathFlaw> {
    if resolved == SHARED_MEMORY {
        return Err(PathFlaw::Directory);
    }
    if is_under(resolved, SHARED_MEMORY) {
        return Ok(());
    }
    match READ_ONLY.iter().find(|place| is_under(resolved, place)) {
        Some(place) => Err(PathFlaw::ReadOnly(place)),
        None => Ok(()),
    }
}

/// Whether `path` is `place` or below it; both absolute and normalised.
fn is_under(path: &str, place: &str) -> bool {
    path.strip_prefix(place)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_relative_path_is_under_its_base() {
        assert_eq!(
            resolve("/workspace", "a//b/./c/../d").unwrap(),
            "/workspace/a/b/d"
        );
        assert_eq!(resolve("/", "a").unwrap(), "/a");
        assert_eq!(resolve("/workspace", ".").unwrap(), "/workspace");
    }

    #[test]
    fn a_place_is_usual_when_every_sandbox_has_it() {
        assert!(
            ["/workspace", "/tmp/a", "/home/runner/.cache"]
                .into_iter()
                .all(is_usual)
        );
        assert!(
            !["/", "/workspaces", "/testbed", "/var/tmp", "/home"]
                .into_iter()
                .any(is_usual)
        );
    }

    #[test]
    fn an_absolute_path_is_under_the_private_root() {
        assert_eq!(resolve("/workspace", "//data/../tmp/").unwrap(), "/tmp");
        assert_eq!(resolve("/workspace", "/").unwrap(), "/");
    }

    #[test]
    fn climbing_out_is_refused_even_when_the_path_comes_back() {
        assert_eq!(
            resolve("/workspace", "/a/../../b"),
            Err(PathFlaw::AboveRoot)
        );
        assert!(matches!(
            resolve("/workspace", "../x"),
            Err(PathFlaw::AboveBase(_))
        ));
        assert!(matches!(
            resolve("/workspace", "../workspace/x"),
            Err(PathFlaw::AboveBase(_))
        ));
        assert!(matches!(
            resolve("/workspace", "a/../../x"),
            Err(PathFlaw::AboveBase(_))
        ));
    }

    #[test]
    fn a_file_cannot_be_a_directory_or_in_a_read_only_place() {
        for path in ["/", "a/", ".", "a/..", "a/.", "/workspace", "/dev/shm"] {
            assert_eq!(
                resolve_file("/workspace", path),
                Err(PathFlaw::Directory),
                "{path}"
            );
        }
        for path in [
            "/usr/x",
            "/etc",
            "/lib64/x",
            "/proc/self/mem",
            "/dev/null",
            "/tmp/../bin/sh",
        ] {
            assert!(
                matches!(resolve_file("/workspace", path), Err(PathFlaw::ReadOnly(_))),
                "{path}"
            );
        }
        for path in [
            "/dev/shm/x",
            "/usrlocal",
            "/libs/x",
            "/home/a",
            "/tmp/a",
            "x",
        ] {
            assert!(resolve_file("/workspace", path).is_ok(), "{path}");
        }
    }

    #[test]
    fn only_a_directory_may_be_written_onto_the_working_directory() {
        assert_eq!(resolve_directory("/workspace", ".").unwrap(), "/workspace");
        assert_eq!(
            resolve_directory("/workspace", "repo/").unwrap(),
            "/workspace/repo"
        );
        assert_eq!(resolve_directory("/", "."), Err(PathFlaw::Directory));
    }

    #[test]
    fn lengths_that_the_kernel_refuses_are_flaws() {
        let name = "n".repeat(256);
        assert_eq!(
            resolve("/workspace", &name),
            Err(PathFlaw::NameTooLong(256))
        );
        assert!(resolve("/workspace", &name[..255]).is_ok());
        let long = "/abc".repeat(1024);
        assert_eq!(resolve("/workspace", &long), Err(PathFlaw::TooLong(4096)));
        assert_eq!(resolve("/workspace", ""), Err(PathFlaw::Empty));
        assert_eq!(resolve("/workspace", "a\0b"), Err(PathFlaw::Nul));
    }

    proptest! {
        #[test]
        fn what_comes_out_is_absolute_and_normalised(
            path in prop_oneof!["(/|\\.|\\.\\.|[a-c]){0,12}", ".{0,40}"],
            base in prop_oneof!["/", "/workspace", "/a/b"],
        ) {
            if let Ok(resolved) = resolve(&base, &path) {
                prop_assert!(resolved.starts_with('/'));
                prop_assert!(resolved.len() <= MAX_PATH);
                prop_assert!(resolved == "/" || !resolved.ends_with('/'));
                for name in resolved[1..].split('/').filter(|_| resolved != "/") {
                    prop_assert!(!["", ".", ".."].contains(&name));
                }
                if !path.starts_with('/') {
                    prop_assert!(base == "/" || is_under(&resolved, &base));
                }
                prop_assert_eq!(resolve(&base, &resolved), Ok(resolved.clone()));
            }
        }
    }
}
