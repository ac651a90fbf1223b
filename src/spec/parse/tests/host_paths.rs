//! Host paths: what may be named.

use super::*;
use std::fs;

fn context_of(dir: &Path, allow_paths: Option<Vec<PathBuf>>) -> FileContext {
    let defaults = Defaults {
        allow_paths,
        ..Defaults::default()
    };
    FileContext::new("a.jsonl".into(), dir, Arc::new(defaults))
}

#[test]
fn a_host_path_is_allowed_beside_the_jobs_file_only() {
    let dir = tempfile::tempdir().unwrap();
    let home = dir.path().join("jobs");
    fs::create_dir_all(home.join("repo")).unwrap();
    fs::write(home.join("in.txt"), "").unwrap();
    fs::write(dir.path().join("secret"), "").unwrap();
    std::os::unix::fs::symlink("../secret", home.join("link")).unwrap();
    let file = |key: &str, path: &str, context: &FileContext| {
        let line = json!({"command": "a", "files": {key: {"host_path": path}}}).to_string();
        parse(line.as_bytes(), 1, 1, context).map(|mut episode| episode.steps[0].files.remove(0))
    };
    let here = context_of(&home, None);
    let found = file("a", "in.txt", &here).unwrap();
    assert_eq!(
        found.content,
        Content::HostPath(home.canonicalize().unwrap().join("in.txt"))
    );
    assert_eq!(file(".", "repo", &here).unwrap().path, "/workspace");
    for path in ["../secret", "link", "/etc/passwd"] {
        let message = file("a", path, &here).unwrap_err().message;
        assert!(
            message.contains("the jobs file's directory; start the runner with --allow-path"),
            "{message}"
        );
    }
    let message = file("a", "none", &here).unwrap_err().message;
    assert_eq!(
        message,
        "`files[\"a\"].host_path` names \"none\", which cannot be used (no such file or directory); correct the path or create it"
    );
    let message = file(
        "a",
        "/dev/null",
        &context_of(&home, Some(vec!["/dev".into()])),
    )
    .unwrap_err()
    .message;
    assert!(
        message.contains("neither a file nor a directory"),
        "{message}"
    );
    let wider = context_of(&home, Some(vec![dir.path().canonicalize().unwrap()]));
    assert!(file("a", "link", &wider).is_ok());
}

#[test]
fn grants_are_checked_merged_and_shared() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path().canonicalize().unwrap();
    let global = dir.join("global");
    fs::create_dir(&global).unwrap();
    fs::create_dir(dir.join("b")).unwrap();
    let grants = Grants {
        readable: vec![global.clone()],
        writable: vec![],
        ..Grants::default()
    };
    let defaults = Defaults {
        grants: Arc::new(grants),
        ..Defaults::default()
    };
    let context = FileContext::new("a.jsonl".into(), &dir, Arc::new(defaults));
    let read = |line: Value| parse(line.to_string().as_bytes(), 1, 1, &context);

    let plain = read(json!({"command": "a", "fs_readable": []})).unwrap();
    assert!(Arc::ptr_eq(&plain.sandbox.grants, &context.defaults.grants));
    let b = dir.join("b").display().to_string();
    let line = json!({"command": "a", "fs_readable": [b, b], "fs_writable": [format!("{b}/../b")]});
    let own = read(line).unwrap().sandbox.grants;
    assert_eq!(own.readable, [dir.join("b"), global]);
    assert_eq!(own.writable, [dir.join("b")]);

    for (path, message) in [
        ("b", "`fs_readable[0]` names \"b\", which is not absolute"),
        ("/", "`fs_readable[0]` names \"/\", which is or leads to /:"),
        ("/proc/self", "which is or leads to /proc:"),
        ("/dev", "which is or leads to /dev:"),
        ("/etc", "which is outside"),
        ("/none", "no such file or directory"),
    ] {
        let found = read(json!({"command": "a", "fs_readable": [path]}))
            .unwrap_err()
            .message;
        assert!(found.contains(message), "{found}");
    }
}
