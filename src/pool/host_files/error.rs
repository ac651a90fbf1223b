//! What keeps a `host_path` from being copied.

use super::{MAX_COPIED_MB, MAX_DEPTH};
use std::io;
use std::path::{Path, PathBuf};

/// How much of a path a message shows, in bytes.
const SHOWN_BYTES: usize = 200;

/// A `host_path` that was there when the line was checked and can't be copied now.
#[derive(Debug, thiserror::Error)]
pub enum HostFileError {
    #[error("host_path {} can't be read: {error}", shown(path))]
    Read { path: PathBuf, error: io::Error },
    #[error(
        "host_path {} is not what it was when the line was read: it is gone, closed, or a link or a pipe by now; keep it \
         out of what programs may write to (fs_writable), and as it is while the run lasts",
        shown(.0)
    )]
    Changed(PathBuf),
    #[error(
        "host_path {} brings the files to more than the {limit_mb} MB of resources.disk_mb; raise that, or grant what \
         is large with fs_readable",
        shown(path)
    )]
    OverDisk { path: PathBuf, limit_mb: u64 },
    #[error(
        "host_path {} brings the files to more than {MAX_COPIED_MB} MB, the most that is copied into a sandbox whatever \
         resources.disk_mb is; grant what is large with fs_readable",
        shown(.0)
    )]
    OverCopied(PathBuf),
    #[error(
        "host_path holds {}, which lies more than {MAX_DEPTH} directories deep; pack the directory with tar, or grant it \
         with fs_readable",
        shown(.0)
    )]
    TooDeep(PathBuf),
    #[error(
        "host_path holds a link {} to {}, which does not lead to a place in the directory that is copied; put \
         what it leads to in its place, or grant the directory with fs_readable",
        shown(path),
        shown(target)
    )]
    LinkOut { path: PathBuf, target: PathBuf },
    #[error(
        "host_path holds {}, which is neither a file nor a directory nor a link and can't be copied; keep it out of the \
         directory",
        shown(.0)
    )]
    Special(PathBuf),
    #[error("host_path holds {}, whose name is not UTF-8; rename it", shown(.0))]
    Name(PathBuf),
}

/// A path in quotes; of one that is long the last part, which tells it from others.
fn shown(path: &Path) -> String {
    let text = path.to_string_lossy();
    if text.len() <= SHOWN_BYTES {
        return format!("{path:?}");
    }
    let mut last = (text.len() - SHOWN_BYTES..).filter_map(|from| text.get(from..));
    format!("{:?}", format!("…{}", last.next().unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_long_path_the_last_part_is_shown() {
        assert_eq!(shown(Path::new("/a/b c")), "\"/a/b c\"");
        let long = format!("/{}/the/end", "é".repeat(2000));
        let told = shown(Path::new(&long));
        assert!(told.starts_with("\"…é") && told.ends_with("/the/end\""));
        assert!(told.len() <= SHOWN_BYTES + 5, "{}", told.len());
    }
}
