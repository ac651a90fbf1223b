//! Opens and reads a file that is to be returned, or says why it can't be.

use super::bound::Bound;
use super::resolve::{Led, resolve};
use crate::slot::open::{READ, kind, open_below_closed, open_file};
use crate::slot::placement::errno;
use crate::slot::space::Space;
use crate::spec::execution::WhyNot;
use crate::spec::names::escaped;
use nix::errno::Errno;
use nix::sys::stat::SFlag;
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::Read;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// What a file holds, at most so many bytes. A link to a file that the episode could write is taken for that file, as far as
/// it can be followed within this bound.
pub(super) fn take(space: &Space, path: &Path, most: u64, bound: Bound) -> Result<Vec<u8>, WhyNot> {
    if bound.is_reached() {
        return Err(WhyNot::Late);
    }
    let open = |flags| open_below_closed(space.root(), path, flags);
    match open_file(open, READ) {
        Ok(opened) => read(opened, most),
        // Either the path itself is a link, or it leads through one.
        Err(Errno::ELOOP) => follow(space, path, most, bound),
        Err(errno) => Err(why_not(errno)),
    }
}

fn why_not(errno: Errno) -> WhyNot {
    match errno {
        Errno::ENOENT | Errno::ENOTDIR => WhyNot::Missing,
        // A socket.
        Errno::ENXIO => WhyNot::Special,
        Errno::EXDEV => WhyNot::Outside,
        Errno::ETIME => WhyNot::Late,
        errno => WhyNot::Unreadable(errno as i32),
    }
}

fn read(opened: OwnedFd, most: u64) -> Result<Vec<u8>, WhyNot> {
    let unreadable = |errno: Errno| WhyNot::Unreadable(errno as i32);
    match kind(&opened).map_err(unreadable)? {
        SFlag::S_IFREG => {}
        SFlag::S_IFDIR => return Err(WhyNot::Directory),
        _ => return Err(WhyNot::Special),
    }
    let file = File::from(opened);
    let bytes = file.metadata().map_err(|e| unreadable(errno(e)))?.len();
    if bytes > most {
        return Err(WhyNot::OverCap(bytes));
    }
    let mut content = Vec::with_capacity(bytes as usize);
    let mut whole = file.take(bytes);
    let done = whole.read_to_end(&mut content);
    done.map_err(|e| unreadable(errno(e)))?;
    Ok(content)
}

/// The file that a link leads to, where that is below the space's root and not in a mount of the host.
fn follow(space: &Space, path: &Path, most: u64, bound: Bound) -> Result<Vec<u8>, WhyNot> {
    let Led { place, link } = resolve(space, path, bound);
    let opened = place.and_then(|place| {
        let open = |flags| open_below_closed(space.root(), &place, flags);
        open_file(open, READ)
    });
    let opened = opened.map_err(|errno| untaken(link.clone(), errno))?;
    read(opened, most).map_err(|why| match (why, link) {
        (WhyNot::Directory, Some(target)) => WhyNot::LinkToDirectory(shown(&target)),
        (why, _) => why,
    })
}

/// Of a link it is told where it leads; what is reached through one is none itself.
fn untaken(link: Option<OsString>, errno: Errno) -> WhyNot {
    match (link, errno) {
        (Some(target), Errno::EXDEV) => WhyNot::LinkOut(shown(&target)),
        (_, Errno::ETIME) => WhyNot::Late,
        (Some(target), errno) => WhyNot::LinkBroken(shown(&target), errno as i32),
        (None, errno) => why_not(errno),
    }
}

fn shown(target: &OsStr) -> String {
    escaped(target.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sandbox::layout::HOST_LAYOUT;
    use crate::spec::policy::Tier;
    use std::fs::{self, Permissions};
    use std::os::unix::fs::{PermissionsExt, symlink};
    use std::path::PathBuf;
    use std::time::{Duration, Instant};

    /// A sandbox of each tier, and a directory of the host beside it.
    fn each(check: impl Fn(&Space, &Path)) {
        for tier in [Tier::Namespaces, Tier::Landlock] {
            let scratch = tempfile::tempdir().unwrap();
            let root = scratch.path().canonicalize().unwrap().join("root");
            fs::create_dir_all(root.join("workspace/deep")).unwrap();
            fs::write(root.join("workspace/deep/file"), "text").unwrap();
            fs::write(scratch.path().join("secret"), "secret").unwrap();
            let space = Space::open(tier, &HOST_LAYOUT, root.clone(), Vec::new(), false).unwrap();
            check(&space, &root);
        }
    }

    #[test]
    fn a_link_comes_as_what_it_leads_to_and_never_from_outside() {
        each(|space, root| {
            let at = |name: &str| root.join("workspace").join(name);
            let inside = match space.tier {
                Tier::Namespaces => PathBuf::from("/workspace/deep/file"),
                Tier::Landlock => at("deep/file"),
            };
            symlink("deep/file", at("relative")).unwrap();
            symlink(inside, at("absolute")).unwrap();
            symlink("relative", at("chain")).unwrap();
            symlink("deep", at("directory")).unwrap();
            symlink("../../secret", at("up")).unwrap();
            symlink(root.parent().unwrap().join("secret"), at("out")).unwrap();
            symlink("nothing", at("broken")).unwrap();
            symlink("loop", at("loop")).unwrap();
            // The system's, where that is shown below the same root.
            fs::create_dir(root.join("etc")).unwrap();
            fs::write(root.join("etc/passwd"), "users").unwrap();
            symlink("/etc", at("system")).unwrap();
            symlink("../..", at("above")).unwrap();
            let endless = Bound::endless();
            let take = |name: &str| take(space, &Path::new("workspace").join(name), 100, endless);
            for name in [
                "relative",
                "absolute",
                "chain",
                "directory/file",
                "deep/file",
            ] {
                assert_eq!(
                    take(name),
                    Ok(b"text".to_vec()),
                    "{name} in {:?}",
                    space.tier
                );
            }
            assert_eq!(
                take("directory"),
                Err(WhyNot::LinkToDirectory("deep".into()))
            );
            for name in ["up", "out", "broken", "loop"] {
                assert!(
                    matches!(take(name), Err(WhyNot::LinkOut(_) | WhyNot::LinkBroken(..))),
                    "{name}: {:?}",
                    take(name)
                );
            }
            assert_eq!(take("none"), Err(WhyNot::Missing));
            assert_eq!(take("deep"), Err(WhyNot::Directory));
            // It is no link itself, so no reason says where it leads to.
            assert_eq!(
                take("system/passwd"),
                Err(WhyNot::Outside),
                "{:?}",
                space.tier
            );
            assert!(take("above/secret").is_err(), "{:?}", space.tier);
        });
    }

    /// A link has room for more steps up and down than there is time for.
    #[test]
    fn a_link_is_followed_no_longer_than_its_bound() {
        each(|space, root| {
            let workspace = root.join("workspace");
            let deep = "d/".repeat(200);
            fs::create_dir_all(workspace.join(&deep)).unwrap();
            let steps = "../d/".repeat(800);
            for n in 0..30 {
                symlink(
                    format!("{steps}{}", n + 1),
                    workspace.join(&deep).join(n.to_string()),
                )
                .unwrap();
            }
            let path = Path::new("workspace").join(&deep).join("0");
            let short = Duration::from_millis(5);
            let begin = Instant::now();
            let taken = take(space, &path, 9, Bound::from_now(short, 100 * short));
            assert!(matches!(taken, Err(WhyNot::Late)), "{taken:?}");
            assert!(begin.elapsed() < Duration::from_secs(2));
        });
    }

    #[test]
    fn what_is_no_file_or_too_large_or_closed_is_told_or_opened_up() {
        each(|space, root| {
            let file = root.join("workspace/deep/file");
            let path = Path::new("workspace/deep/file");
            let take = |path, most| take(space, path, most, Bound::endless());
            assert_eq!(take(path, 3), Err(WhyNot::OverCap(4)));
            fs::set_permissions(&file, Permissions::from_mode(0o000)).unwrap();
            assert_eq!(take(path, 4), Ok(b"text".to_vec()));
            let pipe = root.join("workspace/pipe");
            nix::unistd::mkfifo(&pipe, nix::sys::stat::Mode::S_IRWXU).unwrap();
            assert_eq!(take(Path::new("workspace/pipe"), 9), Err(WhyNot::Special));
        });
    }
}
