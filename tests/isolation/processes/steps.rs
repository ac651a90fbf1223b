//! Steps of one episode: what an earlier one left running can't look into the programs of a later one.

use crate::common::Way;
use crate::episodes::{run_all, shell};
use serde_json::json;

/// Looks for the program that prints `mark`, writes into its output, and reads its environment.
const SPY: &str = r#"
import os, sys, time
end = time.time() + 3
while time.time() < end:
    for pid in [p for p in os.listdir('/proc') if p.isdigit() and int(p) != os.getpid()]:
        try:
            if b'mark' not in open(f'/proc/{pid}/cmdline', 'rb').read(): continue
        except OSError: continue
        for name, do in (('environ', lambda p: open(p).read(1)), ('fd/1', lambda p: open(p, 'w').write('FORGED\n')),
                         ('mem', lambda p: open(p, 'rb')), ('cwd', os.listdir), ('root', os.listdir)):
            try: do(f'/proc/{pid}/{name}'); open('/tmp/got', 'a').write(name + '\n')
            except OSError as e: pass
    time.sleep(0.02)
"#;

fn spy() -> serde_json::Value {
    let background = "setsid python3 spy.py > /dev/null 2>&1 & sleep 0.3";
    json!({"command": background, "files": {"spy.py": SPY}})
}

#[test]
fn a_later_program_is_closed_to_what_an_earlier_step_left_running() {
    let look = json!({"command": "cat /tmp/got 2>/dev/null; true"});
    for way in Way::of_tier("namespaces") {
        for later in [
            json!({"command": "sleep 1; echo honest; : mark"}),
            json!({"argv": ["python3", "-c", "import time; time.sleep(1); print('honest'); 'mark'"]}),
            json!({"argv": ["/bin/bash", "-c", "sleep 1; echo honest; : mark"]}),
        ] {
            let episode = json!({"id": "steps", "steps": [spy(), later, look]});
            let run = run_all(way, &[episode], &[]);
            let steps = &run.get("steps")["steps"];
            assert_eq!(steps[1]["output"], "honest\n", "{way:?}: {steps}");
            assert_eq!(steps[2]["output"], "", "{way:?}: {steps}");
        }
    }
}

/// For control: within one step it finds everything.
#[test]
fn a_program_of_the_same_step_is_open() {
    let way = Way::of_tier("namespaces")[0];
    let mut episode = shell(
        "one",
        "setsid python3 spy.py > /dev/null 2>&1 & sleep 0.3; bash -c 'sleep 1; : mark'; cat /tmp/got | sort -u",
    );
    episode["files"] = json!({"spy.py": SPY});
    let run = run_all(way, &[episode], &[]);
    assert!(
        run.output("one").contains("environ\n"),
        "{}",
        run.get("one")
    );
    assert!(run.output("one").contains("FORGED\n"), "{}", run.get("one"));
}
