//! Extended attributes and access lists. What is set takes memory of the kernel's that no limit sees; what is read, in the
//! landlock tier, are those of the user's own files, whatever their modes are.

use crate::case::inside;
use crate::common::{NOBODY, Way, probe_program};
use crate::episodes::outside;

const REFUSED: &str = "EOPNOTSUPP";

/// What each kind of call answered, in all of its forms.
fn answers(text: &str) -> Vec<(&str, &str)> {
    let list = text.trim_end().strip_prefix("reached ").expect("answers");
    list.split(' ')
        .map(|pair| pair.split_once('=').expect("kind=answer"))
        .collect()
}

#[test]
fn attributes_can_not_be_set_and_those_of_the_users_files_not_be_read() {
    for way in Way::all() {
        let text = inside(way, &["attribute-calls", "."]);
        let own_files = way.namespaces() || way.root && nix::unistd::geteuid().is_root();
        for (kind, answer) in answers(&text) {
            let refused = !own_files || matches!(kind, "set" | "remove");
            assert_eq!(answer == REFUSED, refused, "{way:?}: {kind}: {text}");
        }
    }
    // For control: the kernel knows all of them.
    let program = probe_program();
    let argv = [
        program.to_str().expect("UTF-8"),
        "attribute-calls",
        "/usr/bin",
    ];
    let text = outside(NOBODY, &argv);
    assert!(!text.contains(REFUSED), "{text}");
}
