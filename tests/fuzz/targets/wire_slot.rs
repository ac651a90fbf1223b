#![no_main]

#[path = "../promises/wire_slot.rs"]
mod promise;

libfuzzer_sys::fuzz_target!(|data: &[u8]| promise::check(data));
