//! The progress of a run on stderr: a bar on a terminal, now and then a line elsewhere.
//!
//! Nothing happens per episode; a timer of the scheduler calls [`Progress::tick`], which reads the
//! statistics. Messages for people go through [`Progress::println`], so that they stand above the bar.

use super::stats::Statistics;
use super::summary::{figure, rate};
use crate::logging;
use crate::spec::outcome::Status;
use indicatif::{
    HumanCount, ProgressBar, ProgressDrawTarget, ProgressFinish, ProgressState, ProgressStyle,
};
use std::cell::{Cell, RefCell};
use std::fmt::Write as _;
use std::io::{self, IsTerminal, Write as _};
use std::time::{Duration, Instant};

/// Redraws per second, however often the state changes.
const HZ: u8 = 20;
/// How often a line is printed where there is no terminal.
const LINE_INTERVAL: Duration = Duration::from_secs(10);

/// `--progress`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ProgressMode {
    /// A bar if stderr is a terminal, else nothing.
    #[default]
    Auto,
    /// A bar if stderr is a terminal, else a line every ten seconds and one at the end.
    Always,
    Never,
}

/// What is shown. Dropping it leaves a clean terminal.
#[derive(Debug)]
pub struct Progress(Shape);

#[derive(Debug)]
enum Shape {
    Bar(ProgressBar),
    Lines {
        total: Cell<Option<u64>>,
        started: Instant,
        printed: Cell<Option<Instant>>,
        last: RefCell<String>,
    },
    Nothing,
}

impl Progress {
    /// Nothing is drawn before the first tick.
    pub fn new(mode: ProgressMode) -> Self {
        let terminal = io::stderr().is_terminal()
            && std::env::var_os("TERM").is_none_or(|term| term != "dumb");
        Progress(match mode {
            ProgressMode::Never => Shape::Nothing,
            _ if terminal => {
                let bar = bar(ProgressDrawTarget::stderr_with_hz(HZ));
                logging::set_bar(Some(bar.clone()));
                Shape::Bar(bar)
            }
            ProgressMode::Auto => Shape::Nothing,
            ProgressMode::Always => Shape::Lines {
                total: Cell::new(None),
                started: Instant::now(),
                printed: Cell::new(None),
                last: RefCell::default(),
            },
        })
    }

    /// Whether anybody sees it, so that it is worth finding out how many episodes there are.
    pub fn is_shown(&self) -> bool {
        !matches!(self.0, Shape::Nothing)
    }

    /// The number of episodes of this run, once it is known; until then there is no ETA.
    pub fn set_total(&self, episodes: u64) {
        match &self.0 {
            Shape::Bar(bar) if bar.length() != Some(episodes) => {
                bar.set_length(episodes);
                bar.set_style(style(KNOWN));
            }
            Shape::Lines { total, .. } => total.set(Some(episodes)),
            _ => {}
        }
    }

    /// Shows the present state; to be called about every 100 ms. `running` is the number of episodes
    /// in slots.
    pub fn tick(&self, statistics: &Statistics, running: usize) {
        match &self.0 {
            Shape::Bar(bar) => {
                bar.update(|bar| bar.set_pos(statistics.counts().total()));
                bar.set_message(state(statistics, running));
            }
            Shape::Lines {
                total,
                started,
                printed,
                last,
            } => {
                let line = line(statistics, running, total.get());
                let due = printed.get().unwrap_or(*started).elapsed() >= LINE_INTERVAL;
                if due {
                    to_stderr(&line);
                    printed.set(Some(Instant::now()));
                }
                last.replace(if due { String::new() } else { line });
            }
            Shape::Nothing => {}
        }
    }

    /// Prints a message for people, above the bar if there is one.
    pub fn println(&self, message: impl AsRef<str>) {
        match &self.0 {
            Shape::Bar(bar) => bar.suspend(|| to_stderr(message.as_ref())),
            _ => to_stderr(message.as_ref()),
        }
    }

    /// Removes the bar. Later messages still appear; later ticks do not.
    pub fn finish(&self) {
        match &self.0 {
            Shape::Bar(bar) if !bar.is_finished() => bar.finish_and_clear(),
            Shape::Lines { last, .. } => {
                let line = last.take();
                if !line.is_empty() {
                    to_stderr(&line);
                }
            }
            _ => {}
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.finish();
        logging::set_bar(None);
    }
}

const UNKNOWN: &str = "{done} · {rate}/s · {elapsed}\n{wide_msg}";
const KNOWN: &str = "{bar:30} {done}/{total} · {rate}/s · ETA {eta}\n{wide_msg}";

fn bar(target: ProgressDrawTarget) -> ProgressBar {
    ProgressBar::with_draw_target(None, target)
        .with_style(style(UNKNOWN))
        .with_finish(ProgressFinish::AndClear)
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template)
        .expect("constant template")
        .progress_chars("█▉▊▋▌▍▎▏ ")
        .with_key("done", |s: &ProgressState, w: &mut dyn std::fmt::Write| {
            let _ = write!(w, "{}", HumanCount(s.pos()));
        })
        .with_key("total", |s: &ProgressState, w: &mut dyn std::fmt::Write| {
            let _ = write!(w, "{}", HumanCount(s.len().unwrap_or(0)));
        })
        .with_key("rate", |s: &ProgressState, w: &mut dyn std::fmt::Write| {
            let _ = write!(w, "{}", rate(s.per_sec()));
        })
}

/// What is running, what failed, and how startup compares to its target.
fn state(statistics: &Statistics, running: usize) -> String {
    let counts = statistics.counts();
    let mut text = format!("{running} running · {} not ok", HumanCount(counts.not_ok()));
    let infra = counts.get(Status::InfraError);
    if infra > 0 {
        let _ = write!(text, " ({} infra)", HumanCount(infra));
    }
    let startup = statistics.startup();
    if !startup.is_empty() {
        let at = |quantile| figure(startup.value_at_quantile(quantile) as f64 / 1e6);
        let target = statistics.target().as_secs_f64() * 1e3;
        let _ = write!(
            text,
            " · startup p50 {} p99 {} of {target} ms",
            at(0.5),
            at(0.99)
        );
    }
    text
}

fn line(statistics: &Statistics, running: usize, total: Option<u64>) -> String {
    let done = statistics.counts().total();
    let per_s = done as f64 / statistics.wall().as_secs_f64().max(1e-9);
    let of = total.map_or(String::new(), |total| format!("/{}", HumanCount(total)));
    format!(
        "{}{of} · {}/s · {}",
        HumanCount(done),
        rate(per_s),
        state(statistics, running)
    )
}

/// A closed stderr is no reason to stop.
fn to_stderr(message: &str) {
    let _ = writeln!(io::stderr(), "{message}");
}

#[cfg(test)]
mod tests {
    use super::super::testing::outcome;
    use super::*;
    use indicatif::TermLike;
    use std::sync::{Arc, Mutex};

    /// A terminal of one line.
    #[derive(Clone, Debug, Default)]
    struct OneLine(Arc<Mutex<String>>);

    impl OneLine {
        fn contents(&self) -> String {
            self.0.lock().unwrap().clone()
        }
    }

    impl TermLike for OneLine {
        fn width(&self) -> u16 {
            120
        }
        fn move_cursor_up(&self, _: usize) -> io::Result<()> {
            Ok(())
        }
        fn move_cursor_down(&self, _: usize) -> io::Result<()> {
            Ok(())
        }
        fn move_cursor_right(&self, _: usize) -> io::Result<()> {
            Ok(())
        }
        fn move_cursor_left(&self, _: usize) -> io::Result<()> {
            Ok(())
        }
        fn write_line(&self, text: &str) -> io::Result<()> {
            self.write_str(text)
        }
        fn write_str(&self, text: &str) -> io::Result<()> {
            self.0.lock().unwrap().push_str(text);
            Ok(())
        }
        fn clear_line(&self) -> io::Result<()> {
            self.0.lock().unwrap().clear();
            Ok(())
        }
        fn flush(&self) -> io::Result<()> {
            Ok(())
        }
    }

    fn statistics() -> Statistics {
        let mut statistics = Statistics::new(Duration::from_millis(5));
        for _ in 0..1200 {
            statistics.record(&outcome("a", Status::Ok));
        }
        statistics.record(&outcome("b", Status::InfraError));
        statistics
    }

    #[test]
    fn the_bar_shows_the_state_and_leaves_a_clean_terminal() {
        let terminal = OneLine::default();
        let target = ProgressDrawTarget::term_like(Box::new(terminal.clone()));
        let progress = Progress(Shape::Bar(bar(target)));
        progress.tick(&statistics(), 4);
        let unknown = terminal.contents();
        assert!(
            unknown.contains("1,201 · ") && unknown.contains("4 running · 1 not ok (1 infra)"),
            "{unknown}"
        );
        progress.set_total(5000);
        progress.tick(&statistics(), 4);
        let known = terminal.contents();
        assert!(
            known.contains("1,201/5,000") && known.contains("ETA"),
            "{known}"
        );
        assert!(
            known.contains("startup p50 0.300 p99 0.300 of 5 ms"),
            "{known}"
        );
        drop(progress);
        assert_eq!(terminal.contents(), "");
    }

    #[test]
    fn a_line_says_what_the_bar_says() {
        let line = line(&statistics(), 3, Some(2000));
        assert!(
            line.starts_with("1,201/2,000 · ") && line.contains("3 running"),
            "{line}"
        );
    }
}
