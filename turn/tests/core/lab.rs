//! A server with a hand-moved clock, and clients at addresses of its own choosing.

use std::net::SocketAddr;
use std::time::Duration;

use visavis_turn::{Counters, Delivery, FiveTuple, Flows, Mint, Now, Output, Server, Settings};

use crate::support::{ALLOCATE, Answer, CREATE_PERMISSION, Client, UDP, XOR_RELAYED_ADDRESS};

pub const SECRET: &[u8] = b"a secret of the laboratory";

pub struct Lab {
    pub server: Server,
    pub flows: Flows,
    pub now: Now,
    pub mint: Mint,
}

/// A client and where it is.
pub struct Party {
    pub client: Client,
    pub at: FiveTuple,
}

pub fn at(client: &str) -> FiveTuple {
    FiveTuple::udp(client.parse().unwrap(), "203.0.113.9:3478".parse().unwrap())
}

impl Lab {
    pub fn new() -> Self {
        Lab::with(|_| ())
    }

    pub fn with(change: impl FnOnce(&mut Settings)) -> Self {
        let mut settings = Settings::new("visavis", SECRET);
        change(&mut settings);
        let mut server = Server::new(settings, [42; 32]).unwrap();
        Lab {
            flows: Flows::new(&mut server),
            server,
            now: Now { monotonic: Duration::from_secs(1000), unix: 1_800_000_000 },
            mint: Mint::new(SECRET),
        }
    }

    pub fn advance(&mut self, seconds: u64) {
        self.now.monotonic += Duration::from_secs(seconds);
        self.now.unix += seconds;
    }

    /// Hands a datagram to the relay; gives where what comes out goes, and what comes out.
    pub fn receive(&mut self, from: &FiveTuple, datagram: &[u8]) -> Option<(FiveTuple, Answer)> {
        let mut message = datagram.to_vec();
        match self.output(from, &mut message)? {
            Output::Answer(answer) => Some((*from, Answer(answer))),
            Output::Delivery(Delivery { to, header, body, padding, .. }) => {
                let header = header.map_or(Vec::new(), |header| header.to_vec());
                Some((to, Answer([&header, &message[body], &vec![0; padding]].concat())))
            }
        }
    }

    /// The same, and the message as it was left.
    pub fn output(&mut self, from: &FiveTuple, message: &mut [u8]) -> Option<Output> {
        self.flows.handle_timeout(self.now);
        self.flows.receive(self.now, from, message, || &mut self.server)
    }

    pub fn counters(&self) -> Counters {
        self.server.counters() + self.flows.counters()
    }

    /// The answer to a request; it must go to the one who asked.
    pub fn answer(&mut self, from: &FiveTuple, datagram: &[u8]) -> Option<Answer> {
        let (to, answer) = self.receive(from, datagram)?;
        assert_eq!(to, *from, "an answer goes to the one who asked");
        Some(answer)
    }

    /// A client of a seat that has been challenged and knows its nonce.
    pub fn party(&mut self, call: &str, seat: &str, address: &str) -> Party {
        let credential = self.mint.mint(self.now.unix, call, seat);
        let mut party = Party { client: Client::new(credential), at: at(address) };
        party.meet_challenge(self);
        party
    }

    /// A client with an allocation, and its relayed address.
    pub fn allocated(&mut self, call: &str, seat: &str, address: &str) -> (Party, SocketAddr) {
        let mut party = self.party(call, seat, address);
        let relayed = party.allocate(self);
        (party, relayed)
    }

    /// A client with an allocation and a permission for the relayed addresses.
    pub fn permitted(&mut self, call: &str, seat: &str, address: &str) -> (Party, SocketAddr) {
        let (mut party, relayed) = self.allocated(call, seat, address);
        assert!(party.permit(self, "192.0.2.1:1".parse().unwrap()).is_success());
        (party, relayed)
    }

    pub fn end_seat(&mut self, call: &str, seat: &str) {
        let barred = self.mint.end_seat(self.now.unix, call, seat);
        self.server.end_seat(self.now, call, seat, barred);
    }

    pub fn end_call(&mut self, call: &str) {
        let barred = self.mint.end_call(self.now.unix, call);
        self.server.end_call(self.now, call, barred);
    }
}

impl Party {
    pub fn meet_challenge(&mut self, lab: &mut Lab) {
        let request = self.client.unsigned(ALLOCATE, &[UDP]);
        let challenge = lab.answer(&self.at, &request).expect("a challenge");
        assert_eq!(challenge.error(), 401);
        self.client.learn(&challenge);
    }

    pub fn request(&mut self, lab: &mut Lab, method: u16, attributes: &[(u16, &[u8])]) -> Answer {
        let request = self.client.signed(method, attributes);
        lab.answer(&self.at, &request).expect("an answer")
    }

    pub fn allocate(&mut self, lab: &mut Lab) -> SocketAddr {
        let answer = self.request(lab, ALLOCATE, &[UDP]);
        assert!(answer.is_success(), "{answer:?}");
        answer.address(XOR_RELAYED_ADDRESS)
    }

    pub fn permit(&mut self, lab: &mut Lab, peer: SocketAddr) -> Answer {
        let request = self.client.signed_to(CREATE_PERMISSION, peer, &[]);
        lab.answer(&self.at, &request).expect("an answer")
    }

    pub fn bind(&mut self, lab: &mut Lab, channel: u16, peer: SocketAddr) -> Answer {
        let request = self.client.channel_bind(channel, peer);
        lab.answer(&self.at, &request).expect("an answer")
    }

    pub fn send(&mut self, lab: &mut Lab, peer: SocketAddr, data: &[u8]) -> Option<(FiveTuple, Answer)> {
        let indication = self.client.send(peer, data);
        lab.receive(&self.at, &indication)
    }
}
