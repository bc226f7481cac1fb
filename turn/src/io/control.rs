//! Control messages of sendmsg(2), written without allocation: the local address, and the length of the segments of a run.

use std::net::IpAddr;

/// Length of a `cmsghdr`: a length as wide as a pointer, level and type (cmsg(3)).
const HEADER: usize = size_of::<usize>() + 8;

/// Room for both messages: at most a `in6_pktinfo` of 20 bytes and a u16, each after its header, rounded up.
const ROOM: usize = (HEADER + 24) + (HEADER + 8);

/// The control messages of one send.
pub(crate) struct Control {
    buffer: [u8; ROOM],
    length: usize,
}

impl Control {
    pub(crate) fn new() -> Self {
        Control { buffer: [0; ROOM], length: 0 }
    }

    /// The local address to send from (ip(7), ipv6(7)); the unspecified one leaves the choice to the system.
    pub(crate) fn source(&mut self, source: IpAddr) {
        if source.is_unspecified() {
            return;
        }
        match source {
            IpAddr::V4(v4) => {
                // struct in_pktinfo: interface (any), local address, header's address (not read when sending).
                let mut info = [0; 12];
                info[4..8].copy_from_slice(&v4.octets());
                self.push(libc::IPPROTO_IP, libc::IP_PKTINFO, &info);
            }
            IpAddr::V6(v6) => {
                // struct in6_pktinfo: local address, interface (any).
                let mut info = [0; 20];
                info[..16].copy_from_slice(&v6.octets());
                self.push(libc::IPPROTO_IPV6, libc::IPV6_PKTINFO, &info);
            }
        }
    }

    /// What is sent is a run of datagrams of this length (udp(7), UDP_SEGMENT).
    pub(crate) fn segment(&mut self, length: u16) {
        self.push(libc::SOL_UDP, libc::UDP_SEGMENT, &length.to_ne_bytes());
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.buffer[..self.length]
    }

    fn push(&mut self, level: libc::c_int, kind: libc::c_int, value: &[u8]) {
        let start = self.length;
        let value_at = start + HEADER;
        self.buffer[start..start + size_of::<usize>()].copy_from_slice(&(HEADER + value.len()).to_ne_bytes());
        self.buffer[value_at - 8..value_at - 4].copy_from_slice(&level.to_ne_bytes());
        self.buffer[value_at - 4..value_at].copy_from_slice(&kind.to_ne_bytes());
        self.buffer[value_at..value_at + value.len()].copy_from_slice(value);
        self.length = value_at + value.len().next_multiple_of(size_of::<usize>());
    }
}
