//! A consultation in a hand: pages, bus, store and relay of one thread, a clock moved by hand, and whoever holds it decides what happens next.

mod faults;
mod lab;
mod memory;
mod model;
mod page;
