//! How a program is found by its name.

/// Where execvp(3) would look for the program.
pub(super) fn candidates(argv: &[String], env: &[String]) -> Vec<String> {
    let Some(program) = argv.first() else {
        return Vec::new();
    };
    if program.contains('/') {
        return vec![program.to_owned()];
    }
    let path = env
        .iter()
        .find_map(|v| v.strip_prefix("PATH="))
        .unwrap_or("/usr/bin:/bin");
    let join = |dir: &str| {
        if dir.is_empty() {
            program.to_owned()
        } else {
            format!("{dir}/{program}")
        }
    };
    path.split(':').map(join).collect()
}
