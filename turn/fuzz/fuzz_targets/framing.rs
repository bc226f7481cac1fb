//! cargo-fuzz's way into `targets/framing.rs`.

#![no_main]

#[path = "../targets/framing.rs"]
mod framing;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| framing::run(bytes));
