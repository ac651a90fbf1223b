//! How the files that `collect` names stand in a result.

use super::collect::{
    COLLECT_BYTES, COLLECT_CPU_SECONDS, COLLECT_ENTRIES, COLLECT_FILES, COLLECT_NAME_BYTES,
    COLLECT_TIMEOUT_SECONDS, COLLECT_WAITING_BYTES,
};
use super::execution::{Collected, NotCollected, WhyNot};
use super::limits::MB;
use super::outcome::{NotReturned, ReturnedFile};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use std::collections::BTreeMap;

/// The files by name, and what is not among them with the reason.
pub(super) fn returned(collected: Collected) -> (BTreeMap<String, ReturnedFile>, Vec<NotReturned>) {
    let file = |content: Vec<u8>| match String::from_utf8(content) {
        Ok(text) => ReturnedFile::Text(text),
        Err(bytes) => ReturnedFile::Base64 {
            base64: STANDARD.encode(bytes.into_bytes()),
        },
    };
    let files = collected.files.into_iter();
    let files = files.map(|f| (f.path, file(f.content))).collect();
    let named = collected.not.into_iter().map(not_returned);
    let unnamed = |reason: String| NotReturned { path: None, reason };
    let more = (collected.more > 0).then(|| {
        unnamed(format!(
            "and {} more, which there was no room to name: collect names up to {COLLECT_FILES} files, in up to {} MB",
            collected.more,
            COLLECT_NAME_BYTES / MB
        ))
    });
    let unsearched = collected.unsearched.then(|| {
        unnamed(format!(
            "and what is in directories that were not searched: there are more than {COLLECT_ENTRIES} entries, the paths \
             of directories that waited for their turn are more than {} MB, they could not be opened, or it took more \
             than {COLLECT_CPU_SECONDS} s of CPU time or {COLLECT_TIMEOUT_SECONDS} s in all",
            COLLECT_WAITING_BYTES as u64 / MB
        ))
    });
    (files, named.chain(more).chain(unsearched).collect())
}

fn not_returned(not: NotCollected) -> NotReturned {
    NotReturned {
        reason: reason(&not.why),
        path: Some(not.path),
    }
}

fn reason(why: &WhyNot) -> String {
    match why {
        WhyNot::Missing => "there is no such file".into(),
        WhyNot::NoPlace => {
            "there is no such place without namespaces, where only /workspace, /tmp and /home/runner exist".into()
        }
        WhyNot::Outside => {
            "it lies in a directory of the host or of the system, and only the sandbox's own files are collected".into()
        }
        WhyNot::Directory => {
            "it is a directory; a pattern such as \"NAME/**\" collects the files in it".into()
        }
        WhyNot::Special => "it is a pipe, a socket or the like".into(),
        WhyNot::OverCap(bytes) => {
            format!(
                "its {bytes} bytes are more than what was left of the {} MB that collect returns",
                COLLECT_BYTES / MB
            )
        }
        WhyNot::LinkOut(target) => {
            format!("it is a link to {target:?}, which is not among the files that an episode can write")
        }
        WhyNot::LinkToDirectory(target) => {
            format!("it is a link to the directory {target:?}; name that in the pattern")
        }
        WhyNot::LinkBroken(target, errno) => {
            format!("it is a link to {target:?}, which can't be read: {}", system(*errno))
        }
        WhyNot::Unreadable(errno) => format!("it can't be read: {}", system(*errno)),
        WhyNot::Late => format!(
            "there was no time for it: collect reads for up to {COLLECT_CPU_SECONDS} s of CPU time, and \
             {COLLECT_TIMEOUT_SECONDS} s in all"
        ),
    }
}

fn system(errno: i32) -> std::io::Error {
    std::io::Error::from_raw_os_error(errno)
}

#[cfg(test)]
mod tests {
    use super::super::execution::CollectedFile;
    use super::*;

    #[test]
    fn what_is_not_returned_stands_beside_the_files_with_its_reason_and_the_rest_is_counted() {
        let file = |path: &str, content: &[u8]| CollectedFile {
            path: path.into(),
            content: content.into(),
        };
        let not = NotCollected {
            path: "link".into(),
            why: WhyNot::LinkOut("/etc/shadow".into()),
        };
        let (files, not) = returned(Collected {
            files: vec![file("a", b"text"), file("b", b"\xFF")],
            not: vec![not],
            more: 7,
            unsearched: true,
        });
        assert_eq!(files["a"], ReturnedFile::Text("text".into()));
        assert_eq!(
            files["b"],
            ReturnedFile::Base64 {
                base64: "/w==".into()
            }
        );
        let told: Vec<_> = not
            .iter()
            .map(|not| (not.path.as_deref(), &*not.reason))
            .collect();
        assert_eq!(told.len(), 3);
        assert!(told[0].0 == Some("link") && told[0].1.contains("/etc/shadow"));
        assert!(told[1].0.is_none() && told[1].1.starts_with("and 7 more"));
        assert!(told[2].1.contains("not searched"));
        // Each of the bounds that a search may meet.
        for bound in ["200000 entries", "16 MB", "5 s of CPU", "30 s", "opened"] {
            assert!(told[2].1.contains(bound), "{}", told[2].1);
        }
    }
}
