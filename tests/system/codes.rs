//! From the operator's wish to a code that opens a seat: command line, HTTP API, the answers a code gets, and starts that cannot be.

mod api;
mod command_line;
mod starting;
mod table;
