//! Budgets against guessing and flooding (R14, R51). Nothing here grows beyond the sockets that are open.
//!
//! The 55 bits of a code carry the security; these budgets carry the load. So nobody is ever locked out: who shares an address with a
//! guesser waits a minute at most and gets in.

mod attempts;
mod debts;
mod guesses;
mod message_rate;
mod places;
mod shares;
mod turns;

use std::net::{IpAddr, Ipv4Addr};

pub use attempts::{Attempt, Attempts};
pub use guesses::Guesses;
pub use message_rate::MessageRate;
pub use places::{Place, Places};
pub use shares::{Bounds, Origin, Standing};
pub use turns::Turns;

/// Sockets and waiting requests that have shown no valid code.
pub const STRANGERS: Bounds = Bounds { address: 256, network: 1024, all: usize::MAX };
/// Sockets that have shown the same valid code and have not joined: more than one person's tabs and devices.
pub const LOOKING: Bounds = Bounds { address: 8, network: usize::MAX, all: usize::MAX };

/// Sockets of one user that hear what the desk hears: more than one person's browsers and tabs.
pub const LIVE: Bounds = Bounds { address: 32, network: usize::MAX, all: usize::MAX };

/// The address of whoever speaks IPv4 on some stretch: mapped into IPv6 (RFC 4291 §2.5.5.2), or translated under the well-known prefix (RFC 6052
/// §2.1), where all of IPv4 would be one /64.
pub fn subscriber(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) if v6.segments()[..6] == [0x64, 0xFF9B, 0, 0, 0, 0] => {
            let [.., a, b, c, d] = v6.octets();
            Ipv4Addr::new(a, b, c, d).into()
        }
        address => address,
    }
}

/// An IPv4 address or an IPv6 /64: what one subscriber usually holds.
pub fn network_of(address: IpAddr) -> [u8; 8] {
    match subscriber(address) {
        IpAddr::V4(v4) => u64::from(v4.to_bits()),
        IpAddr::V6(v6) => u64::try_from(v6.to_bits() >> 64).expect("the upper half of 128 bits") | 1 << 63,
    }
    .to_be_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ipv6_subscriber_is_one_address_and_a_mapped_one_is_ipv4() {
        let of = |text: &str| network_of(text.parse().unwrap());
        assert_eq!(of("2001:db8:1:2::1"), of("2001:db8:1:2:ffff::9"));
        assert_ne!(of("2001:db8:1:2::1"), of("2001:db8:1:3::1"));
        assert_eq!(of("::ffff:203.0.113.7"), of("203.0.113.7"));
        assert_eq!(of("64:ff9b::203.0.113.7"), of("203.0.113.7"));
        assert_ne!(of("64:ff9b::203.0.113.7"), of("64:ff9b::203.0.113.8"));
    }
}
