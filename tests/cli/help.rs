//! `runner help`.

use super::common::binary;
use std::process::Command;

#[test]
fn the_binary_carries_its_documentation() {
    let help = |args: &[&str]| {
        let output = Command::new(binary())
            .arg("help")
            .args(args)
            .output()
            .expect("the binary starts");
        let text = |bytes| String::from_utf8(bytes).expect("text");
        (
            output.status.code(),
            text(output.stdout),
            text(output.stderr),
        )
    };
    let (code, contents, _) = help(&[]);
    assert_eq!(code, Some(0));
    let names = contents
        .lines()
        .filter_map(|line| line.strip_prefix("  runner help "))
        .filter_map(|line| line.split_whitespace().next());
    let topics: Vec<&str> = names.collect();
    assert!(topics.contains(&"jobs") && topics.len() > 5, "{contents}");
    for topic in topics {
        let (code, text, _) = help(&[topic]);
        assert_eq!(code, Some(0), "{topic}");
        assert!(text.starts_with("# ") && text.len() > 1000, "{topic}");
    }
    assert!(help(&["serve"]).1.contains("--sessions <N>"));
    let (code, _, said) = help(&["banana"]);
    assert_eq!(code, Some(2));
    assert!(
        said.starts_with("runner: there is no help on \"banana\"; there is some on start, jobs, "),
        "{said}"
    );
}
