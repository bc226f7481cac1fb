//! cargo-fuzz's way into `targets/server/mod.rs`.

#![no_main]

#[path = "../targets/server/mod.rs"]
mod server;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| server::run(bytes));
