//! Which Pythons can be kept warm, by what they say of themselves.

use crate::wire::kinds::news;
use std::ops::RangeInclusive;

/// The minor versions of CPython 3 that can be: those of which `tests/warm` has shown that a fork of one does what a new one
/// would do. What a newer one does differently nobody knows before it is tried. People read of them in [`news::SUPPORTED`].
const MINOR: RangeInclusive<u32> = 9..=13;

/// Why one can't be.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Unfit {
    /// One of [`news`].
    pub kind: u64,
    /// What was found.
    pub found: String,
}

/// Whether a Python can be kept warm that says this of itself (`Py_GetVersion`, which is `sys.version`): its version, what
/// its makers have to add, when it was built, and the compiler, where other implementations put their name. If so, its minor
/// version.
pub(super) fn check(text: &str) -> Result<u32, Unfit> {
    let version = text.split_whitespace().next().unwrap_or_default();
    let compiler = text.rsplit_once('[').map_or("", |(_, rest)| rest);
    let maker = compiler.split([' ', ',', ']']).next().unwrap_or_default();
    let supported = minor(version).filter(|minor| MINOR.contains(minor));
    let (kind, name) = match supported {
        _ if !matches!(maker, "" | "GCC" | "Clang") => (news::VERSION, maker),
        None => (news::VERSION, "Python"),
        Some(_) if text.contains("free-threading build") => (news::FREE_THREADED, "Python"),
        Some(minor) => return Ok(minor),
    };
    let found = format!("{name} {version}");
    Err(Unfit { kind, found })
}

/// That of `3.12.4`, also of a candidate (`3.12.0rc2`), after which nothing changes but what was wrong, or with what has been put
/// right since (`3.12.4+`).
fn minor(version: &str) -> Option<u32> {
    let version = version.strip_suffix('+').unwrap_or(version);
    let (released, candidate) = version.split_once("rc").unwrap_or((version, "1"));
    let numbers = released.split('.').chain([candidate]);
    let numbers: Result<Vec<u32>, _> = numbers.map(str::parse).collect();
    match numbers.ok()?[..] {
        [3, minor, _, _] => Some(minor),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said_by(version: &str) -> String {
        format!("{version} (main, Oct 10 2025, 08:53:45) [GCC 12.2.0]")
    }

    #[test]
    fn each_supported_version_is_taken_and_its_neighbours_are_not() {
        for minor in MINOR {
            assert_eq!(check(&said_by(&format!("3.{minor}.0"))), Ok(minor));
            assert_eq!(check(&said_by(&format!("3.{minor}.21+"))), Ok(minor));
        }
        for version in ["2.7.18", "3.8.18", "3.14.0", "3.90.1", "4.10.0", "3.1.5"] {
            let expected = Unfit {
                kind: news::VERSION,
                found: format!("Python {version}"),
            };
            assert_eq!(check(&said_by(version)), Err(expected), "{version}");
        }
    }

    #[test]
    fn people_are_told_the_versions_that_are_taken() {
        let named = format!("CPython 3.{} to 3.{}", MINOR.start(), MINOR.end());
        assert_eq!(news::SUPPORTED, named);
    }

    #[test]
    fn of_those_that_are_no_releases_yet_only_candidates_are_taken() {
        for version in ["3.13.0rc1", "3.11.0rc2+"] {
            assert!(check(&said_by(version)).is_ok(), "{version}");
        }
        for version in ["3.15.0a1+", "3.15.0rc1", "3.13.0a7", "3.12.0b4", "3.13.0rc"] {
            assert!(check(&said_by(version)).is_err(), "{version}");
        }
    }

    #[test]
    fn what_its_makers_add_does_not_matter() {
        for text in [
            "3.11.2 (main, Apr 28 2025, 14:11:48) [GCC 12.2.0]",
            "3.11.6 | packaged by conda-forge | (main, Oct  3 2023, 10:40:35) [GCC 12.3.0]",
            "3.9.16 (main, Mar  8 2023, 14:00:05) \n[GCC 9.4.0] :: Intel Corporation",
            "3.13.1 (main, Dec 19 2024, 14:32:25) [Clang 18.1.8 ]",
        ] {
            assert!(check(text).is_ok(), "{text}");
        }
    }

    #[test]
    fn one_that_is_free_threaded_is_refused_as_such() {
        for text in [
            "3.13.0 experimental free-threading build (main, Oct  7 2024, 00:00:00) [GCC 12.2.0]",
            "3.13.7 free-threading build (main, Oct 10 2025, 08:53:45) [GCC 12.2.0]",
        ] {
            let found = check(text).expect_err(text);
            assert_eq!(found.kind, news::FREE_THREADED, "{text}");
            assert!(text.starts_with(found.found.trim_start_matches("Python ")));
        }
    }

    #[test]
    fn other_implementations_are_refused_by_their_names() {
        for (text, name) in [
            (
                "3.10.13 (fc59e61cfbff, Jan 15 2024, 14:00:00)\n[PyPy 7.3.15 with GCC 10.2.1 20210130]",
                "PyPy 3.10.13",
            ),
            (
                "3.11.7 (Fri Mar 15 2024)\n[Graal, GraalVM CE, Java 22 (amd64)]",
                "Graal 3.11.7",
            ),
        ] {
            let found = check(text).expect_err(text);
            assert_eq!((found.kind, found.found.as_str()), (news::VERSION, name));
        }
    }

    #[test]
    fn what_is_no_version_is_refused() {
        for text in [
            "",
            " ",
            "3",
            "3.",
            "3.12",
            "3.12.",
            "3.x.1",
            "3.12.1.1",
            "v3.12.1",
            "3.-9.1",
            "[",
            "]",
            "+",
            "rc",
            "3.12.1+cinder",
            "Python 3.12.1",
            "3.4294967305.1",
            "3.12.99999999999",
        ] {
            assert!(check(text).is_err(), "{text:?}");
        }
    }
}
