//! What `scripts/bench` runs in every sandbox, linked statically so that it runs in all of them.
//!
//! - `guest`: prints when it began
//! - `guest burn ROUNDS`: the same, then computes, about a millisecond a round
//! - `guest files DIRECTORY`: looks at every file of the directory and opens it

use std::time::{SystemTime, UNIX_EPOCH};

fn main() {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    println!("{}", now.map_or(0, |now| now.as_nanos()));
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [] => {}
        ["burn", rounds] => {
            let rounds: u64 = rounds.parse().expect("a number");
            let step = |x: u64, n: u64| (x ^ n).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(31);
            std::hint::black_box((0..rounds * 500_000).fold(1, step));
        }
        ["files", directory] => {
            let mut bytes = 0;
            for entry in std::fs::read_dir(directory).expect("a directory") {
                let path = entry.expect("an entry").path();
                bytes += std::fs::metadata(&path).expect("stat").len();
                drop(std::fs::File::open(&path).expect("open"));
            }
            println!("{bytes}");
        }
        _ => panic!("guest [burn ROUNDS | files DIRECTORY]"),
    }
}
