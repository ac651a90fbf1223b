//! How cost grows, and where it bends: with the number of episodes (the runner's own part, with an executor that does
//! nothing), with the number of slots, with the size of output, and with the size and number of files.
//!
//! `cargo bench --bench scale [-- --only episodes|slots|output|files]`

#[path = "../common/mod.rs"]
mod common;
mod own;
mod runs;

use common::is_wanted;

fn main() {
    // The part that is measured in a process of its own, so that its peak memory is its own too.
    if let Some(count) = own::asked() {
        return own::measure(count);
    }
    if is_wanted("episodes") {
        own::report();
    }
    let scratch = tempfile::tempdir().expect("a scratch directory");
    for (name, part) in [
        ("slots", runs::slots as fn(&std::path::Path)),
        ("output", runs::output),
        ("files", runs::files),
    ] {
        if is_wanted(name) {
            part(scratch.path());
        }
    }
}
