//! How the files that `collect` names stand in a result.

use super::execution::Collected;
use super::outcome::ReturnedFile;
use std::collections::{BTreeMap, HashMap};

/// By name, in which what is not UTF-8 was replaced. Names that look the same get a number.
pub(super) fn returned(collected: Vec<Collected>) -> BTreeMap<String, ReturnedFile> {
    let file = |file: Collected| {
        let returned = match file.content.map(String::from_utf8) {
            Some(Ok(text)) => ReturnedFile::Text(text),
            Some(Err(bytes)) => {
                use base64::Engine;
                ReturnedFile::Base64 {
                    base64: base64::engine::general_purpose::STANDARD.encode(bytes.into_bytes()),
                }
            }
            None => ReturnedFile::Omitted {
                omitted: "over the 16 MB that collect returns",
                bytes: file.bytes,
            },
        };
        (file.path, returned)
    };
    let mut files = BTreeMap::new();
    // How often a name was taken: counting on from there, ten thousand like names cost no more than others.
    let mut used: HashMap<String, usize> = HashMap::new();
    for (path, returned) in collected.into_iter().map(file) {
        // Names that are not UTF-8 may look the same.
        let mut name = path.clone();
        while files.contains_key(&name) {
            let n = used.entry(path.clone()).or_insert(1);
            *n += 1;
            name = format!("{path} ({n})");
        }
        files.insert(name, returned);
    }
    files
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ten_thousand_files_that_look_the_same_all_come_back() {
        let file = |_| Collected {
            path: "\u{FFFD}".into(),
            content: None,
            bytes: 1,
        };
        let mut files: Vec<Collected> = (0..10_000).map(file).collect();
        files[0].path = "\u{FFFD} (2)".into();
        let files = returned(files);
        assert_eq!(files.len(), 10_000);
        assert!(files.contains_key("\u{FFFD} (10000)"));
    }
}
