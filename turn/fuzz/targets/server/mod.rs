//! Several clients over several transports, some of them with credentials, and strangers' bytes, through two workers'
//! flows over one server, with steps of both clocks. Most requests are as they should be, some are spoiled.
//!
//! After every step: what leaves goes to the sender, as an answer, or to an allocation of the same call that both sides'
//! permissions allow, whole and under the right header, and exactly where a plain model says; an answer that shows no
//! credential has at most 2.5 times the bytes; both workers do what one that remembers nothing would do. The server
//! holds what the model holds, and when nobody refreshes, nothing.

mod model;
mod script;
#[path = "../../../tests/support/mod.rs"]
#[allow(dead_code, reason = "a part of it is used")]
mod support;
mod world;

/// One input.
pub fn run(input: &[u8]) {
    let Some((settings, mut script)) = input.split_first() else { return };
    let mut world = world::World::new(*settings);
    while let Some(step) = script::read(&mut script) {
        let raw = if step.what == script::What::Raw { script::read_raw(&mut script, step) } else { &[] };
        world.take(step, raw);
    }
    world.nothing_lives_for_ever();
}
