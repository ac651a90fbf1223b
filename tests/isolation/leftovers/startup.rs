//! Files that a later program would run, read or be configured by without being asked.

use super::{Shows, leaves_nothing};
use crate::episodes::shell;

/// Written by one episode, and what makes the next one use it.
#[track_caller]
fn is_not_used(write: &str, use_it: &str) {
    leaves_nothing(Shows::Everywhere, shell("", write), shell("", use_it));
}

#[test]
fn a_login_profile() {
    is_not_used("echo 'echo LEFT' > ~/.bash_profile", "true");
}

#[test]
fn an_interactive_profile() {
    is_not_used("echo 'echo LEFT' > ~/.bashrc", "bash -ic true 2>/dev/null");
}

#[test]
fn a_logout_script() {
    is_not_used("echo 'echo LEFT' > ~/.bash_logout", "exit 0");
}

#[test]
fn a_module_of_the_users_python() {
    is_not_used(
        "d=$(python3 -m site --user-site); mkdir -p $d; echo 'print(\"LEFT\")' > $d/usercustomize.py",
        "python3 -c pass",
    );
}

#[test]
fn a_path_file_of_the_users_python() {
    is_not_used(
        "d=$(python3 -m site --user-site); mkdir -p $d; echo 'import sys; print(\"LEFT\")' > $d/left.pth",
        "python3 -c pass",
    );
}

#[test]
fn a_module_beside_the_program() {
    is_not_used(
        "echo 'print(\"LEFT\")' > json.py",
        "python3 -c 'import json'",
    );
}

#[test]
fn a_compiled_module_beside_the_program() {
    is_not_used(
        "echo 'print(\"LEFT\")' > m.py; python3 -c 'import m' >/dev/null; mv __pycache__/m.*.pyc m.pyc; rm m.py",
        "python3 -c 'import m' 2>/dev/null; true",
    );
}

#[test]
fn a_program_of_the_users_own_path() {
    is_not_used(
        include_str!("../programs/leaves_programs_in_the_users_path.sh"),
        "for d in . ~/bin ~/.local/bin; do sh $d/left 2>/dev/null; done; true",
    );
}

#[test]
fn a_configuration_of_git() {
    is_not_used(
        "printf '[user]\\nname = LEFT\\n' > ~/.gitconfig",
        "git config --get user.name || cat ~/.gitconfig 2>/dev/null; true",
    );
}

#[test]
fn a_library_to_preload() {
    is_not_used(
        "echo x > $TMPDIR/libleft.so",
        "LD_PRELOAD=$TMPDIR/libleft.so sh -c true 2>&1 | sed 's/.*file too short.*/LEFT/; s/.*cannot open.*/none/'",
    );
}
