//! R63: no stranger and no single address keeps others out, fills memory, disk or log, or slows a call.

mod forged;
mod hashing;
mod places;
mod talk;
