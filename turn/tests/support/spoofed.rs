//! Datagrams as forgers send them: every kind of message a client may send, as it should be or spoiled, and noise; the
//! same ones each time.

use std::net::SocketAddr;

use stun_types::message::{MessageClass, MessageWrite};

use super::{
    ALLOCATE, BINDING, CHANNEL_BIND, CREATE_PERMISSION, Client, MESSAGE_INTEGRITY, REFRESH, UDP, append,
    channel_data, write,
};

/// Makes datagrams, each unlike the others.
pub struct Spoofer {
    originals: Vec<Vec<u8>>,
    random: u64,
}

impl Spoofer {
    /// `client` lends its credential: its requests are signed rightly, for another address.
    pub fn new(client: &mut Client) -> Self {
        let peer: SocketAddr = "192.0.2.1:50000".parse().expect("an address");
        let mut bad_integrity = client.unsigned(REFRESH, &[UDP]);
        append(&mut bad_integrity, MESSAGE_INTEGRITY, &[7; 20]);
        let originals = vec![
            client.unsigned(BINDING, &[]),
            client.unsigned(ALLOCATE, &[UDP]),
            client.signed(ALLOCATE, &[UDP]),
            client.signed(REFRESH, &[]),
            client.signed_to(CREATE_PERMISSION, peer, &[]),
            client.channel_bind(0x4000, peer),
            client.send(peer, &[0x80; 40]),
            channel_data(0x4000, &[0x80; 40]),
            bad_integrity,
            write(MessageClass::Request, CHANNEL_BIND, 5, &[(0x7ABC, &[]), (0x7ABD, &[1])]).finish(),
            vec![0x55; 60],
        ];
        Spoofer { originals, random: 0x9E37_79B9_7F4A_7C15 }
    }

    /// The next datagram: one in two is spoiled.
    pub fn datagram(&mut self) -> Vec<u8> {
        let original = self.below(self.originals.len());
        let mut datagram = self.originals[original].clone();
        match self.below(8) {
            0..4 => {}
            4 | 5 => {
                for _ in 0..=self.below(3) {
                    let at = self.below(datagram.len());
                    datagram[at] ^= 1 << self.below(8);
                }
            }
            6 => datagram.truncate(self.below(datagram.len() + 1)),
            _ => datagram.extend(vec![0; self.below(20)]),
        }
        datagram
    }

    /// A number below `end` (xorshift64).
    fn below(&mut self, end: usize) -> usize {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        (self.random % end as u64) as usize
    }
}

/// How many of a number that a plain run tries one in so many of: with `VISAVIS_LONG` all.
pub fn all_or_one_in(share: u32, number: u32) -> u32 {
    if std::env::var_os("VISAVIS_LONG").is_some() { number } else { number / share }
}

/// Resident memory of a process, in bytes; `self` for this one.
pub fn resident(process: &str) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).expect("a running process");
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).expect("Linux tells it");
    let kilobytes = line.split_whitespace().nth(1).and_then(|text| text.parse::<u64>().ok());
    kilobytes.expect("a number of kB") * 1024
}
