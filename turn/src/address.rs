//! The addresses of a relay, one type each, so that a client's, a peer's and a relayed address cannot be swapped.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

/// The address part of every relayed address: a label of the documentation network (RFC 5737) that no host bears.
pub const RELAYED_IP: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);

/// Where a client's datagrams come from; IPv4-mapped IPv6 addresses are held as IPv4.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ClientAddr(SocketAddr);

impl ClientAddr {
    /// Takes the address a datagram came from.
    pub fn new(addr: SocketAddr) -> Self {
        ClientAddr(canonical(addr))
    }

    /// The address, IPv4 where it was IPv4-mapped.
    pub fn socket_addr(self) -> SocketAddr {
        self.0
    }
}

/// The server's own address that a client's datagrams were sent to; IPv4-mapped addresses are held as IPv4.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ServerAddr(SocketAddr);

impl ServerAddr {
    /// Takes the local address of a datagram.
    pub fn new(addr: SocketAddr) -> Self {
        ServerAddr(canonical(addr))
    }

    /// The address, IPv4 where it was IPv4-mapped.
    pub fn socket_addr(self) -> SocketAddr {
        self.0
    }
}

/// An address a client names as its peer (XOR-PEER-ADDRESS): whatever it wrote, not to be trusted, never sent to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PeerAddr(SocketAddr);

impl PeerAddr {
    /// Takes the address as the client wrote it; an IPv4-mapped one stays IPv6, and thus refused.
    pub fn new(addr: SocketAddr) -> Self {
        PeerAddr(addr)
    }

    /// The relayed address this names, if its IP address is [`RELAYED_IP`]; whether an allocation lives there is
    /// another question.
    pub fn relayed(self) -> Option<RelayedAddr> {
        (self.0.ip() == IpAddr::V4(RELAYED_IP)).then(|| RelayedAddr::new(self.0.port()))
    }
}

/// The relayed transport address of an allocation: [`RELAYED_IP`] and a port that only this process knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RelayedAddr {
    port: u16,
}

impl RelayedAddr {
    pub(crate) fn new(port: u16) -> Self {
        RelayedAddr { port }
    }

    /// The port, 49152..=65535 for a living allocation (RFC 8656, section 7.2).
    pub fn port(self) -> u16 {
        self.port
    }

    /// The address as XOR-RELAYED-ADDRESS carries it.
    pub fn socket_addr(self) -> SocketAddr {
        SocketAddr::from((RELAYED_IP, self.port))
    }
}

/// IPv4-mapped becomes IPv4; of IPv6 the flow label, which differs between packets of one client, is forgotten.
fn canonical(addr: SocketAddr) -> SocketAddr {
    match addr {
        SocketAddr::V4(_) => addr,
        SocketAddr::V6(mut v6) => match v6.ip().to_ipv4_mapped() {
            Some(v4) => SocketAddr::from((v4, v6.port())),
            None => {
                v6.set_flowinfo(0);
                SocketAddr::V6(v6)
            }
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_v4_mapped_client_is_an_ipv4_client() {
        let mapped = ClientAddr::new("[::ffff:198.51.100.7]:4000".parse().unwrap());
        assert_eq!(mapped, ClientAddr::new("198.51.100.7:4000".parse().unwrap()));
    }

    #[test]
    fn only_the_virtual_address_itself_is_a_relayed_address() {
        let relayed = |text: &str| PeerAddr::new(text.parse().unwrap()).relayed();
        assert_eq!(relayed("192.0.2.1:50000"), Some(RelayedAddr::new(50000)));
        assert_eq!(relayed("192.0.2.2:50000"), None);
        assert_eq!(relayed("[::ffff:192.0.2.1]:50000"), None);
        assert_eq!(relayed("[64:ff9b::192.0.2.1]:50000"), None);
    }
}
