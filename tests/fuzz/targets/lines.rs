#![no_main]

#[path = "../promises/lines.rs"]
mod promise;

libfuzzer_sys::fuzz_target!(|data: &[u8]| promise::check(data));
