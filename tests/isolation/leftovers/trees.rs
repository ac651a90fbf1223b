//! Files of every kind, in trees of every shape.

use super::{LIST, Shows, leaves_nothing};
use crate::common::Way;
use crate::episodes::{python, run_in_turn, shell, with};
use serde_json::json;

#[test]
fn files() {
    leaves_nothing(
        Shows::Everywhere,
        shell("", include_str!("../programs/leaves_files.sh")),
        shell("", LIST),
    );
}

#[test]
fn directories_that_nobody_may_enter() {
    leaves_nothing(
        Shows::Everywhere,
        shell(
            "",
            "mkdir -p a/b/c; touch a/b/c/f; chmod 000 a/b/c a/b a; mkdir $HOME/d; chmod 000 $HOME/d; true",
        ),
        shell("", LIST),
    );
}

#[test]
fn odd_names() {
    leaves_nothing(
        Shows::Everywhere,
        python("", include_str!("../programs/odd_names.py")),
        shell("", LIST),
    );
}

#[test]
fn a_tree_deeper_than_a_path_is_long() {
    leaves_nothing(
        Shows::Everywhere,
        python(
            "",
            include_str!("../programs/a_tree_deeper_than_a_path_is_long.py"),
        ),
        shell("", LIST),
    );
}

#[test]
fn fifos_sockets_and_links() {
    leaves_nothing(
        Shows::Everywhere,
        python("", include_str!("../programs/fifos_sockets_and_links.py")),
        shell("", LIST),
    );
}

#[test]
fn files_of_the_spec_do_not_reach_the_sandboxes_own_files() {
    for way in Way::of_tier("namespaces") {
        let look = shell("look", "cat /etc/passwd /etc/hosts");
        let fresh = run_in_turn(way, std::slice::from_ref(&look));
        for path in ["/.etc/passwd", "/.etc/hosts", "/workspace/../.etc/hosts"] {
            let run = run_in_turn(
                way,
                &[
                    with(
                        shell("untidy", "true"),
                        json!({"files": {path: "planted\n"}}),
                    ),
                    look.clone(),
                ],
            );
            assert_eq!(run.output("look"), fresh.output("look"), "{way:?}: {path}");
        }
        let linked = json!({"id": "untidy", "steps": [{"command": "ln -s /.etc own"}, {"command": "true", "files": {"own/hosts": "planted"}}]});
        assert_eq!(
            run_in_turn(way, &[linked, look.clone()]).output("look"),
            fresh.output("look"),
            "{way:?}"
        );
    }
}

#[test]
fn directories_that_may_not_be_written_to() {
    leaves_nothing(
        Shows::Everywhere,
        shell(
            "",
            include_str!("../programs/leaves_directories_that_may_not_be_written_to.sh"),
        ),
        shell("", LIST),
    );
}

/// Needs no limit of its own in the landlock tier, where the number of files is not limited.
#[test]
fn ten_thousand_small_files() {
    let make = include_str!("../programs/ten_thousand_small_files.py");
    let look = shell("look", LIST);
    for way in Way::all() {
        let many = json!({"timeout_s": 300, "resources": {"disk_mb": 512}});
        let run = run_in_turn(way, &[with(python("many", make), many), look.clone()]);
        assert_eq!(run.output("many"), "made\n", "{way:?}: {}", run.get("many"));
        let fresh = run_in_turn(way, std::slice::from_ref(&look));
        assert_eq!(run.output("look"), fresh.output("look"), "{way:?}");
        assert_eq!(run.get("look")["attempts"], 1, "{way:?}");
    }
}

/// Files that a background process holds open or mapped after their names are gone.
#[test]
fn files_without_a_name() {
    let hold = include_str!("../programs/holds_files_without_a_name.py");
    leaves_nothing(
        // Elsewhere the disk is the host's, and others write to it too.
        Shows::Where(Way::namespaces),
        python("", hold),
        python(
            "",
            "import os; s=os.statvfs('.'); print((s.f_blocks-s.f_bfree)>>8 if os.getcwd()=='/workspace' else 0)",
        ),
    );
}

#[test]
fn the_size_that_another_episodes_disk_had() {
    let size = "import os; s=os.statvfs('.'); print((s.f_blocks,s.f_files) if os.getcwd()=='/workspace' else 0)";
    leaves_nothing(
        Shows::Nowhere("it is that of the whole episode"),
        with(python("", size), json!({"resources": {"disk_mb": 100}})),
        python("", size),
    );
}

/// What can't be removed costs the slot, and neither the verdict of its episode nor the next one. A program has no way to
/// make such a file; root of the host makes one in the slot's own root.
#[test]
fn what_can_not_be_removed_is_thrown_away_with_the_slot() {
    if !nix::unistd::geteuid().is_root() {
        return;
    }
    let way = Way {
        root: true,
        tier: "namespaces",
    };
    let unique = format!("1.{}7", std::process::id());
    let unique = unique.as_str();
    let freeze = std::thread::spawn({
        let unique = unique.to_owned();
        move || {
            for _ in 0..1000 {
                if let Some((pid, _)) = crate::processes::host_process(&unique) {
                    let file = format!("/proc/{pid}/cwd/kept");
                    let chattr = std::process::Command::new("chattr")
                        .args(["+i", &file])
                        .status();
                    return chattr.is_ok_and(|status| status.success());
                }
                std::thread::sleep(std::time::Duration::from_millis(5));
            }
            false
        }
    });
    let episodes = [
        shell(
            "untidy",
            &format!("echo kept > kept; sleep {unique}; rm -f kept; cat kept"),
        ),
        shell("next", "ls; rm -f kept; echo new > kept; cat kept"),
    ];
    let run = run_in_turn(way, &episodes);
    if !freeze.join().expect("no panic") {
        eprintln!("no control: this kernel's tmpfs has no immutable files");
        return;
    }
    assert_eq!(
        run.output("untidy").lines().last(),
        Some("kept"),
        "{}",
        run.get("untidy")
    );
    assert_eq!(run.output("next"), "new\n", "{}", run.get("next"));
    for id in ["untidy", "next"] {
        let result = run.get(id);
        assert_eq!(
            (&result["status"], &result["attempts"]),
            (&json!("ok"), &json!(1)),
            "{result}"
        );
    }
}
