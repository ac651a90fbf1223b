//! The fields of episodes, steps and sessions: one table for what is checked, said to users and documented. `parse::raw` has the
//! same fields as types; a test holds both together.
//!
//! The limits among them are in a table of their own ([`LIMITS`]), because each is a flag too.

#[cfg(test)]
mod tests;

use super::field::{Field, NO_DEFAULT, Shape};
use super::limits::LIMITS;

/// Seconds: a millisecond to a week.
const SECONDS: Shape = Shape::Number(0.001, 604_800.0, "seconds");

const ID: Field = Field {
    name: "id",
    shape: Shape::Text,
    default: "`line-<n>`",
    doc: "unique within the run; `n` counts lines over all `--jobs` files",
};
const COMMAND: Field = Field {
    name: "command",
    shape: Shape::Text,
    default: NO_DEFAULT,
    doc: "run as `bash -lc <command>`",
};
const ARGV: Field = Field {
    name: "argv",
    shape: Shape::List(&Shape::Text),
    default: NO_DEFAULT,
    doc: "run directly, no shell; `argv[0]` is found through PATH",
};
const STEPS: Field = Field {
    name: "steps",
    shape: Shape::Steps(STEP),
    default: NO_DEFAULT,
    doc: "several executions in the same sandbox. Exactly one of `command`, `argv`, `steps`",
};
const BASE64: Field = Field {
    name: "base64",
    shape: Shape::Text,
    default: NO_DEFAULT,
    doc: "bytes, in standard base64 with padding",
};
const HOST_PATH: Field = Field {
    name: "host_path",
    shape: Shape::Text,
    default: NO_DEFAULT,
    doc: "a file or a directory of the host, which is copied",
};
const MODE: Field = Field {
    name: "mode",
    shape: Shape::Text,
    default: "`0644`, or the host file's",
    doc: "permission bits, as octal digits",
};
const STDIN: Field = Field {
    name: "stdin",
    shape: Shape::TextOr(&[&BASE64]),
    default: "empty",
    doc: "what the program reads as a file of its own: its size can be asked for, it can be mapped, and gone back in; it can't \
          be written to. Without it stdin is `/dev/null`. Not with `steps`: each has its own",
};
const FILES: Field = Field {
    name: "files",
    shape: Shape::Map(&Shape::TextOr(&[&BASE64, &HOST_PATH, &MODE])),
    default: NO_DEFAULT,
    doc: "written before the first step, by path; relative paths are under `workdir`; an object may have `\"mode\": \"0755\"` too. \
          A `host_path` copies a file or a directory in: all of an episode's together at most `disk_mb`, and 512 MB, where each \
          file, directory and link counts as its content, its path and 256 bytes; directories may be nested 200 deep. A link in \
          such a directory stays a link; one that does not lead to a place in the directory, a pipe, a socket, a name that is \
          not UTF-8 or a deeper directory makes the episode `invalid`",
};
const ENV: Field = Field {
    name: "env",
    shape: Shape::Map(&Shape::Text),
    default: NO_DEFAULT,
    doc: "added to a clean base: PATH, HOME, LANG, TMPDIR, USER, and LSAN_OPTIONS for \
          [sanitizers](../tests/compatibility/PROGRAMS.md)",
};
const WORKDIR: Field = Field {
    name: "workdir",
    shape: Shape::Text,
    default: "`/workspace`",
    doc: "created when missing",
};
pub(crate) const TIMEOUT_S: Field = Field {
    name: "timeout_s",
    shape: SECONDS,
    default: "`--timeout-s`",
    doc: "per execution: wall clock, less what a busy machine kept from it ([below](#time-on-a-busy-machine))",
};
pub(crate) const STRETCH: Field = Field {
    name: "stretch",
    shape: Shape::Number(1.0, 100.0, ""),
    default: "`--stretch`",
    doc: "up to so many times its timeout an execution may take on a busy machine; 1 for never more",
};
pub(crate) const DEADLINE_S: Field = Field {
    name: "deadline_s",
    shape: SECONDS,
    default: "none",
    doc: "wall clock over everything, from when the episode may begin: waiting for a slot, all steps, and attempts that are \
          repeated. Then it ends as a `timeout`, as do its steps that have not begun, and nothing is repeated. If it passes \
          while the episode still waits for a slot or for another attempt, the result is an `infra_error`",
};
const RESOURCES: Field = Field {
    name: "resources",
    shape: Shape::Object(&RESOURCE),
    default: "flags",
    doc: "limits, [below](#limits)",
};
const FS_READABLE: Field = Field {
    name: "fs_readable",
    shape: Shape::List(&Shape::Text),
    default: "flag",
    doc: "host paths seen at the same path inside, read-only; each must lie under an `--allow-path`. Not granted in the landlock \
          tier, where such an episode is an `infra_error`: what holds TMPDIR, for its slots are there. In the namespaces tier a \
          readable path within a writable one stays read-only, which Landlock can't do, and episodes that are granted \
          `/workspace`, `/tmp` or `/home/runner`, or a directory above, start a bash of their own each",
};
const FS_WRITABLE: Field = Field {
    name: "fs_writable",
    shape: Shape::List(&Shape::Text),
    default: "flag",
    doc: "the same for writing too. Not granted: what holds the run's own files (`--jobs`, `--output`, `--stats`, a server's \
          `--socket`)",
};
pub(crate) const NETWORK: Field = Field {
    name: "network",
    shape: Shape::Choice(&["none", "loopback", "host"]),
    default: "`none`",
    doc: "`loopback`: a 127.0.0.1 and ::1 of its own, where every episode can bind the same port (namespaces tier only; \
          elsewhere such an episode is an `infra_error`); `host`: TCP and UDP over the host's interfaces, only with \
          `--allow-host-network`",
};
pub(crate) const CAPTURE: Field = Field {
    name: "capture",
    shape: Shape::Choice(&["merged", "split"]),
    default: "`merged`",
    doc: "`merged`: stdout and stderr as written, in `output`; `split`: also `stdout` and `stderr` apart, and `output` in the \
          order they were read",
};
pub(crate) const OUTPUT_KEEP: Field = Field {
    name: "output_keep",
    shape: Shape::Choice(&["ends", "head", "tail"]),
    default: "`ends`",
    doc: "what is kept of more than `output_kb`, of each stream: its first quarter and its last three, with a line between \
          (`[… 123456 bytes left out …]`, not counted); only its beginning; only its end",
};
const COLLECT: Field = Field {
    name: "collect",
    shape: Shape::List(&Shape::Text),
    default: NO_DEFAULT,
    doc: "glob patterns of files [returned in the result](#collected-files); relative patterns are under `workdir`",
};
const GROUP: Field = Field {
    name: "group",
    shape: Shape::Text,
    default: NO_DEFAULT,
    doc: "echoed",
};
const META: Field = Field {
    name: "meta",
    shape: Shape::Any,
    default: NO_DEFAULT,
    doc: "echoed byte for byte",
};
const NAME: Field = Field {
    name: "name",
    shape: Shape::Text,
    default: NO_DEFAULT,
    doc: "echoed with the step's result",
};
// Of a step, where the same name means something else than at the top of an episode.
const STEP_STDIN: Field = Field {
    doc: "as of an episode that has its program itself",
    ..STDIN
};
const STEP_ENV: Field = Field {
    doc: "added to the episode's; the step's own value of a variable wins",
    ..ENV
};
const STEP_WORKDIR: Field = Field {
    default: "the episode's",
    doc: "created when missing; a relative one is below the episode's",
    ..WORKDIR
};
const STEP_TIMEOUT_S: Field = Field {
    default: "the episode's",
    doc: "as of an episode",
    ..TIMEOUT_S
};
const STEP_FILES: Field = Field {
    doc: "written before this step, as those of the episode before the first; relative paths are under the step's `workdir`",
    ..FILES
};
pub(crate) const ON_FAILURE: Field = Field {
    name: "on_failure",
    shape: Shape::Choice(&["stop", "continue"]),
    default: "`stop`",
    doc: "whether later steps run when this one does not end with exit code 0",
};

// What a request to the server has beside the fields above.
const REQUEST_ID: Field = request_field("id", "chosen by the client");
const OP: Field = request_field("op", "what is asked for");
const SESSION: Field = request_field("session", "the name of a session");
const PATH: Field = request_field("path", "in the sandbox, what is moved");
const OF: Field = request_field("of", "the id of the request that is given up");
const WAIT_S: Field = request_field(
    "wait_s",
    "how long the start may wait for a slot, in seconds",
);
const IDLE_S: Field = request_field(
    "idle_s",
    "after how many seconds without a request the session ends; 0: never",
);

const fn request_field(name: &'static str, doc: &'static str) -> Field {
    Field {
        name,
        shape: Shape::Any,
        default: NO_DEFAULT,
        doc,
    }
}

/// The fields of requests that say nothing of a sandbox or a step.
pub(crate) const PROTOCOL: &[&Field] = &[&REQUEST_ID, &OP, &SESSION, &PATH, &OF, &WAIT_S, &IDLE_S];

/// An episode: one line of a jobs file.
pub(crate) const EPISODE: &[&Field] = &[
    &ID,
    &COMMAND,
    &ARGV,
    &STEPS,
    &STDIN,
    &FILES,
    &ENV,
    &WORKDIR,
    &TIMEOUT_S,
    &STRETCH,
    &DEADLINE_S,
    &RESOURCES,
    &FS_READABLE,
    &FS_WRITABLE,
    &NETWORK,
    &CAPTURE,
    &OUTPUT_KEEP,
    &COLLECT,
    &GROUP,
    &META,
];

/// One of its `steps`.
pub(crate) const STEP: &[&Field] = &[
    &NAME,
    &COMMAND,
    &ARGV,
    &STEP_STDIN,
    &STEP_ENV,
    &STEP_WORKDIR,
    &STEP_TIMEOUT_S,
    &STEP_FILES,
    &ON_FAILURE,
];

/// The request that starts a session.
pub(crate) const START: &[&Field] = &[
    &REQUEST_ID,
    &OP,
    &WORKDIR,
    &ENV,
    &FILES,
    &RESOURCES,
    &TIMEOUT_S,
    &NETWORK,
    &CAPTURE,
    &OUTPUT_KEEP,
    &FS_READABLE,
    &FS_WRITABLE,
    &WAIT_S,
    &IDLE_S,
];

/// The request for one execution of a session.
pub(crate) const EXEC: &[&Field] = &[
    &REQUEST_ID,
    &OP,
    &SESSION,
    &COMMAND,
    &ARGV,
    &STDIN,
    &ENV,
    &WORKDIR,
    &TIMEOUT_S,
    &FILES,
];

/// The request that moves files into or out of a session.
pub(crate) const TRANSFER: &[&Field] = &[&REQUEST_ID, &OP, &SESSION, &PATH];

/// The request that gives another one up.
pub(crate) const CANCEL: &[&Field] = &[&REQUEST_ID, &OP, &SESSION, &OF];

/// The request that ends a session.
pub(crate) const STOP: &[&Field] = &[&REQUEST_ID, &OP, &SESSION];

/// The request for the server's figures.
pub(crate) const STATS: &[&Field] = &[&REQUEST_ID, &OP];

/// The `resources` of an episode or a session.
pub(crate) const RESOURCE: [&Field; LIMITS.len()] = {
    let mut fields = [&LIMITS[0].field; LIMITS.len()];
    let mut i = 0;
    while i < LIMITS.len() {
        fields[i] = &LIMITS[i].field;
        i += 1;
    }
    fields
};
