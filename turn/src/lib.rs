//! A closed TURN server (RFC 8656): packets pass between allocations of one call, in memory, and nowhere else.
//!
//! An Allocate success carries a *virtual* relayed address, 192.0.2.1 and a port that exist only in this process.
//! Two clients whose user names carry the same call reach each other through their relayed addresses; every other
//! peer address gets 403 or is dropped, so no packet ever leaves for an address that did not itself ask for it.
//!
//! Start a [`Relay`] on [`Listeners`], [`Relay::mint`] a [`Credential`] for each seat of a call, and end them with
//! [`Relay::end_seat`] and [`Relay::end_call`]. The protocol itself knows no clock and no socket: [`Server`] answers
//! requests, [`Flows`] pass packets on.
//!
//! ```
//! # fn main() -> std::io::Result<()> {
//! let udp = vec![visavis_turn::bind("127.0.0.1:0".parse().expect("an address"), 2)?];
//! let relay = visavis_turn::Relay::start(
//!     visavis_turn::Settings::new("visavis", b"16 random bytes."),
//!     visavis_turn::Listeners { udp, ..Default::default() },
//! )?;
//! let credential = relay.mint("a call", "its first seat");
//! println!("turn:{} {} {}", relay.local_addr(), credential.username, credential.password);
//! relay.end_call("a call");
//! # Ok(())
//! # }
//! ```
//!
//! What of RFC 8656 is in: Allocate, Refresh, CreatePermission, ChannelBind, Send and Data indications, ChannelData, over
//! UDP, TCP and TLS, IPv4 and IPv6 towards the client; STUN Binding. What is out, and the answer it gets: EVEN-PORT and
//! RESERVATION-TOKEN 508 (unless [`Clients::Any`] are served); IPv6 relayed addresses 440; other transports than UDP
//! towards the peer 442; DONT-FRAGMENT 420 (nothing is sent to a peer, so there is nothing to leave whole); RFC 6062 and
//! RFC 8016 not at all.

// The fuzz targets, replayed as tests, name the crate as everybody else does.
#[cfg(test)]
extern crate self as visavis_turn;

mod address;
mod allocation;
mod budget;
mod call;
mod channel_data;
mod counters;
mod credential;
mod data_indication;
mod flow;
#[cfg(any(fuzzing, test))]
#[doc(hidden)]
pub mod fuzzing;
mod message;
mod meter;
mod nonce;
mod server;
mod settings;
mod token_bucket;

#[allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "the I/O line: clock, threads and sockets"
)]
mod io;

pub use address::{ClientAddr, PeerAddr, RELAYED_IP, RelayedAddr, ServerAddr};
pub use allocation::{FiveTuple, Transport};
pub use channel_data::ChannelNumber;
pub use counters::{Counters, DropReason};
pub use credential::{Credential, CredentialError, Mint, UserName};
pub use data_indication::DATA_HEADER;
pub use flow::{Delivery, Flows, Output};
pub use io::handle::{Connected, Listeners, Place, Relay};
pub use io::metrics::Totals;
pub use io::socket::bind;
pub use meter::Traffic;
pub use server::{Now, Server};
pub use settings::{Clients, Settings, SettingsError};
