//! The command line, as clap derives it. What it means is `config`'s business.

use crate::spec::field::Shape;
use crate::spec::limits::{LIMITS, Limit};
use clap::builder::{TypedValueParser, ValueParser};
use clap::{Arg, ArgMatches, Args, FromArgMatches, Parser, Subcommand, ValueEnum, value_parser};
use std::path::PathBuf;

/// Runs untrusted, model-written episodes by the hundred thousand in reused sandboxes.
///
/// Reads episodes as JSON lines, runs each in a sandbox, and writes one JSON result line per episode to stdout;
/// everything for people goes to stderr.
#[derive(Debug, Parser)]
#[command(name = "runner", version, max_term_width = 100)]
// A subcommand has flags of its own and needs no --jobs.
#[command(subcommand_negates_reqs = true, args_conflicts_with_subcommands = true)]
#[command(disable_help_subcommand = true)]
// So that a negative value is refused by its flag, not as a flag of its own.
#[command(allow_negative_numbers = true)]
#[command(
    after_help = "Exit status: 0 every episode has a verdict; 1 some ended invalid or infra_error; 2 bad usage \
    or unreadable input;\n3 this machine can't enforce what was asked; 130 interrupted (finish with --resume)."
)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub command: Option<Command>,

    /// Episodes to run: .jsonl, .jsonl.gz or .jsonl.zst, or - for stdin; may be given several times
    #[arg(long = "jobs", value_name = "FILE", required = true)]
    pub jobs: Vec<String>,

    /// Where results go; stdout without it. Compressed when it is named .gz or .zst
    #[arg(long, value_name = "FILE")]
    pub output: Option<PathBuf>,

    /// Go on with an --output that holds results: what has a verdict is skipped, infra_error and changed lines run again
    #[arg(long, requires = "output")]
    pub resume: bool,

    /// Episodes at one time [default: 2 x cores]
    #[arg(long, value_name = "N")]
    pub concurrency: Option<usize>,

    /// Write results in the order of the input
    #[arg(long)]
    pub ordered: bool,

    /// Run only part I of N (1/4, 2/4, …), by line
    #[arg(long, value_name = "I/N")]
    pub shard: Option<crate::source::Shard>,

    /// Check all lines before running any; run none if one is invalid
    #[arg(long)]
    pub strict: bool,

    #[command(flatten)]
    pub sandbox: Sandbox,

    /// Begin when all slots are built and their interpreters are warm
    #[arg(long)]
    pub warm_wait: bool,

    /// Episodes that a slot with warm interpreters runs before it is replaced
    #[arg(long, value_name = "N", default_value_t = 1000)]
    pub warm_episodes: u32,

    /// Further attempts after a failure that is not the episode's doing
    #[arg(long, value_name = "N", default_value_t = 2)]
    pub retries: u32,

    /// Run so many percent of the episodes again at the end, and say in their results whether the verdict is the same
    #[arg(long, value_name = "PERCENT", conflicts_with = "ordered")]
    pub audit: Option<f64>,

    /// Startup latency to compare with, in milliseconds
    #[arg(
        long,
        value_name = "MS",
        default_value_t = 5.0,
        help_heading = "For people"
    )]
    pub startup_target_ms: f64,

    /// Write the summary as JSON, and the histograms beside it (.hlog)
    #[arg(long, value_name = "FILE.json", help_heading = "For people")]
    pub stats: Option<PathBuf>,

    /// Write a line of JSON for each attempt to run an episode: its slot, its phases, what ended it, what it left
    #[arg(long, value_name = "FILE.jsonl", help_heading = "For people")]
    pub trace: Option<PathBuf>,

    /// Progress bar on stderr; auto: when that is a terminal
    #[arg(long, value_enum, default_value_t = Progress::Auto, help_heading = "For people")]
    pub progress: Progress,
}

/// What sandboxes are and grant, and the limits of an episode that names none.
#[derive(Debug, Args)]
pub(crate) struct Sandbox {
    /// How episodes are isolated; auto: namespaces where the kernel grants them, else landlock
    #[arg(long, value_enum, default_value_t = Isolation::Auto)]
    pub isolation: Isolation,

    /// Interpreters kept warm: none, auto (bash and python3 where they exist), or a list as in
    /// bash,python=/usr/bin/python3:numpy,pandas. Python only in the namespaces tier [default: auto; serve: bash; run: none]
    #[arg(long, value_name = "LIST")]
    pub warm: Vec<String>,

    /// Wall clock per execution, in seconds [default: 60; shell: a week]
    #[arg(
        long,
        value_name = "S",
        help_heading = LIMITS_HEADING
    )]
    pub timeout_s: Option<f64>,

    /// Up to so many times its timeout an execution may take where the host kept it from running; 1: never more [default: 2;
    /// serve: 1]
    #[arg(
        long,
        value_name = "X",
        help_heading = LIMITS_HEADING
    )]
    pub stretch: Option<f64>,

    #[command(flatten)]
    pub limits: LimitFlags,

    /// Host path that every episode may read; may be given several times
    #[arg(long, value_name = "PATH", help_heading = "Host files")]
    pub fs_readable: Vec<PathBuf>,

    /// Host path that every episode may write to; may be given several times
    #[arg(long, value_name = "PATH", help_heading = "Host files")]
    pub fs_writable: Vec<PathBuf>,

    /// What host_path, fs_readable and fs_writable of a jobs file may name [default: the jobs file's directory]
    #[arg(long, value_name = "DIR", help_heading = "Host files")]
    pub allow_path: Vec<PathBuf>,

    /// Let episodes ask for `network: host`
    #[arg(long)]
    pub allow_host_network: bool,
}

const LIMITS_HEADING: &str = "Limits of an episode that names none";

/// The limits that were given, each a flag of the name that the field has in `resources`.
#[derive(Debug)]
pub(crate) struct LimitFlags(pub Vec<(&'static Limit, f64)>);

impl Args for LimitFlags {
    fn augment_args(command: clap::Command) -> clap::Command {
        let flag = |limit: &Limit| {
            let value = match limit.field.shape {
                // Refuses what is no whole number.
                Shape::Whole(..) => ValueParser::new(value_parser!(u64).map(|n| n as f64)),
                _ => value_parser!(f64).into(),
            };
            Arg::new(limit.field.name)
                .long(limit.flag())
                .value_name(limit.unit)
                .value_parser(value)
                .help(format!(
                    "{} [default: {}]",
                    limit.field.doc, limit.field.default
                ))
                .help_heading(LIMITS_HEADING)
        };
        command.args(LIMITS.iter().map(flag))
    }

    fn augment_args_for_update(command: clap::Command) -> clap::Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for LimitFlags {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let given = LIMITS.iter().filter_map(|limit| {
            let value = matches.get_one::<f64>(limit.field.name)?;
            Some((limit, *value))
        });
        Ok(LimitFlags(given.collect()))
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Say what this machine can enforce, and what to type for what is missing
    ///
    /// Builds a sandbox and runs episodes in it, in each tier. Exit status: 0 a run with this --isolation can be
    /// had; 3 it can't.
    Doctor(Doctor),
    /// Print the documentation: a topic, or the flags of a subcommand
    Help {
        /// What about; without it, what there is
        topic: Option<String>,
    },
    /// Run one program in a sandbox, show its output while it comes, and exit as it does
    ///
    /// Exit status: that of the program; 124 where its time was over, 128 + N where signal N ended it; 1 our side failed; 2 bad
    /// usage, or no such program; 3 this machine can't enforce what was asked; 130 interrupted.
    Run(Box<Run>),
    /// Sit in a sandbox at a terminal of its own, as its programs would find it
    ///
    /// With --jobs and --id: in that of an episode, with its files, before its first step. Exit status: as of `runner run`.
    Shell(Box<Shell>),
    /// Keep sandboxes open for clients that run one command after the other
    ///
    /// Speaks JSON lines over a Unix socket, or over stdin and stdout; `runner help sessions` has the protocol. A session lasts
    /// until it is stopped, idle for too long, or its connection closes. Exit status: 0 ended by a signal, or at the
    /// end of stdin; 2 bad usage; 3 this machine can't enforce what was asked.
    Serve(Box<Serve>),
}

#[derive(Debug, Args)]
#[command(group = clap::ArgGroup::new("where").required(true).multiple(true))]
pub(crate) struct Serve {
    /// Socket to listen on; only its user may connect
    #[arg(long, value_name = "PATH", group = "where")]
    pub socket: Option<PathBuf>,

    /// Serve a client over stdin and stdout, and end with it
    #[arg(long, group = "where")]
    pub stdio: bool,

    /// Sessions at one time
    #[arg(long, value_name = "N", default_value_t = 1000)]
    pub sessions: usize,

    /// Clients that may be connected at one time [default: 4 for each session, at least 64]
    #[arg(long, value_name = "N")]
    pub connections: Option<usize>,

    /// How long a start may wait for one of them to end, in seconds, unless it says otherwise
    #[arg(long, value_name = "S", default_value_t = 60.0)]
    pub wait_s: f64,

    /// End a session after so many seconds without a request, unless it says otherwise; 0: never
    #[arg(long, value_name = "S", default_value_t = 3600.0)]
    pub idle_s: f64,

    #[command(flatten)]
    pub sandbox: Sandbox,
}

#[derive(Debug, Args)]
pub(crate) struct Run {
    /// The program and its arguments
    #[arg(
        value_name = "PROGRAM",
        trailing_var_arg = true,
        allow_hyphen_values = true,
        required_unless_present = "jobs",
        conflicts_with = "jobs"
    )]
    pub program: Vec<String>,

    /// Give the program what stdin holds, which is read to its end first; without it, it has none
    #[arg(short = 'i', long, conflicts_with = "jobs")]
    pub stdin: bool,

    #[command(flatten)]
    pub one: One,
}

#[derive(Debug, Args)]
pub(crate) struct Shell {
    /// The program at the terminal, and its arguments [default: bash -l]
    #[arg(
        value_name = "PROGRAM",
        trailing_var_arg = true,
        allow_hyphen_values = true
    )]
    pub program: Vec<String>,

    #[command(flatten)]
    pub one: One,
}

/// One sandbox: of an episode of a jobs file, or of a program that the command line names.
#[derive(Debug, Args)]
pub(crate) struct One {
    /// Take an episode of these files, as --jobs of the main command reads them
    #[arg(long, value_name = "FILE", requires = "id")]
    pub jobs: Vec<String>,

    /// The episode's id
    #[arg(long, value_name = "ID", requires = "jobs")]
    pub id: Option<String>,

    /// Write the result, as --jobs has it, to stderr
    #[arg(long)]
    pub verdict: bool,

    /// A variable of the program's environment; may be given several times
    #[arg(short = 'e', long, value_name = "NAME=VALUE", conflicts_with = "jobs")]
    pub env: Vec<String>,

    /// Where the program starts
    #[arg(short = 'w', long, value_name = "DIR", conflicts_with = "jobs")]
    pub workdir: Option<String>,

    /// The network it sees: none, loopback or host
    #[arg(long, value_name = "NETWORK", conflicts_with = "jobs")]
    pub network: Option<String>,

    #[command(flatten)]
    pub sandbox: Sandbox,
}

#[derive(Debug, Args)]
pub(crate) struct Doctor {
    /// One JSON object instead of a screen
    #[arg(long)]
    pub json: bool,

    /// What a run would be asked for
    #[arg(long, value_enum, default_value_t = Isolation::Auto)]
    pub isolation: Isolation,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Isolation {
    Auto,
    Namespaces,
    Landlock,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Progress {
    Auto,
    Always,
    Never,
}
