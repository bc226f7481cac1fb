//! The fuzz targets as ordinary tests: every seed and every file of a local corpus, as it is and with some bytes changed. Searching
//! with the compiler's help is cargo-fuzz's business (`tests/run --long fuzz`).

#[path = "../../fuzz/targets/framing.rs"]
mod framing;
#[path = "../../fuzz/targets/message.rs"]
mod message;
#[path = "../../fuzz/targets/server/mod.rs"]
mod server;

use std::fs;
use std::path::Path;

use proptest::prelude::*;

/// Inputs spoiled at random, for each target.
const SPOILED: u32 = 20_000;

/// The seeds of a target, and what earlier searches kept.
fn known(target: &str) -> Vec<Vec<u8>> {
    let fuzz = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz");
    let read = |folder: &str| fs::read_dir(fuzz.join(folder).join(target)).into_iter().flatten();
    let files = read("seeds").chain(read("corpus"));
    let inputs: Vec<_> = files.map(|file| fs::read(file.unwrap().path()).unwrap()).collect();
    assert!(!inputs.is_empty(), "fuzz/seeds/{target} holds seeds");
    inputs
}

fn replay(target: &str, run: fn(&[u8])) {
    let known = known(target);
    for input in &known {
        run(input);
    }
    let spoiled = (
        prop::sample::select(known),
        prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..8),
        prop::collection::vec(any::<u8>(), 0..24),
        any::<prop::sample::Index>(),
    )
        .prop_map(|(mut input, changes, more, cut)| {
            for (index, byte) in changes.iter().filter(|_| !input.is_empty()).collect::<Vec<_>>() {
                let length = input.len();
                input[index.index(length)] = *byte;
            }
            // Half of the time the end is another one.
            if more.len() % 2 == 0 {
                input.truncate(cut.index(input.len() + 1));
                input.extend(more);
            }
            input
        });
    let config = ProptestConfig { cases: SPOILED, failure_persistence: None, ..ProptestConfig::default() };
    proptest!(config, |(input in spoiled)| run(&input));
}

#[test]
fn the_reader_holds_for_every_known_datagram_and_for_spoiled_ones() {
    replay("message", message::run);
}

#[test]
fn the_framing_holds_for_every_known_stream_and_for_spoiled_ones() {
    replay("framing", framing::run);
}

#[test]
fn the_server_holds_for_every_known_script_and_for_spoiled_ones() {
    replay("server", server::run);
}
