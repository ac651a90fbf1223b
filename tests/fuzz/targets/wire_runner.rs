#![no_main]

#[path = "../promises/wire_runner.rs"]
mod promise;

libfuzzer_sys::fuzz_target!(|data: &[u8]| promise::check(data));
