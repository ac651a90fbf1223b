//! Builds what warm interpreters load: a small shared object for each (`src/guest`) that then travels inside
//! the runner's binary. It is a crate of its own because it lives in processes that are not ours.

use std::env;
use std::path::Path;
use std::process::Command;

fn main() {
    println!("cargo::rerun-if-changed=src/build.rs");
    for path in ["src/guest", "src/wire/kinds.rs", "src/sandbox/sequence.rs"] {
        println!("cargo::rerun-if-changed={path}");
    }
    // For the runner's own build of these files, which is for checks and tests.
    println!("cargo::rustc-check-cfg=cfg(interpreter, values(\"bash\", \"python\"))");
    let variable = |name: &str| env::var(name).unwrap_or_else(|e| panic!("{name}: {e}"));
    for (interpreter, file) in [("bash", "interpreter.so"), ("python", "python.so")] {
        build(interpreter, file, variable);
    }
}

fn build(interpreter: &str, file: &str, variable: impl Fn(&str) -> String) {
    let output = Path::new(&variable("OUT_DIR")).join(file);
    let mut rustc = Command::new(variable("RUSTC"));
    rustc
        .args(["--crate-name", "interpreter", "--crate-type", "cdylib"])
        .args(["--edition", "2024", "--target", &variable("TARGET")])
        .args(["-C", "opt-level=s", "-C", "panic=abort", "-C", "lto=fat"])
        .args(["-C", "strip=symbols", "-D", "warnings"])
        .args([
            "--check-cfg",
            "cfg(interpreter, values(\"bash\", \"python\"))",
        ])
        .args(["--check-cfg", "cfg(test)"])
        .arg(format!("--cfg=interpreter=\"{interpreter}\""))
        .arg("-o")
        .arg(&output)
        .arg("src/guest/lib.rs");
    if let Ok(linker) = env::var("RUSTC_LINKER") {
        rustc.arg(format!("-Clinker={linker}"));
    }
    let status = rustc.status().expect("rustc starts");
    assert!(status.success(), "src/guest does not build");
}
