//! Writes the seed corpora anew: the messages of a real exchange, streams of them, and scripts for the server.
//!
//!     cargo run --manifest-path turn/fuzz/Cargo.toml --example seeds

#[path = "targets/server/script.rs"]
#[allow(dead_code, reason = "seeds are written, not read")]
mod script;
#[path = "../tests/support/mod.rs"]
#[allow(dead_code, reason = "a part of it is used")]
mod support;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use script::{Step, What};
use stun_types::message::{IntegrityAlgorithm, MessageWrite, MessageWriteExt};
use support::*;
use visavis_turn::{FiveTuple, Flows, Mint, Now, Output, Server, Settings};

fn main() -> io::Result<()> {
    let seeds = Path::new(env!("CARGO_MANIFEST_DIR")).join("seeds");
    let messages = messages();
    write(&seeds.join("message"), messages.iter().map(|(name, message)| (*name, message.clone())))?;
    write(&seeds.join("framing"), streams(&messages))?;
    write(&seeds.join("server"), scripts())
}

fn write(folder: &PathBuf, seeds: impl IntoIterator<Item = (&'static str, Vec<u8>)>) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    seeds.into_iter().try_for_each(|(name, bytes)| fs::write(folder.join(name), bytes))
}

/// What a client and the server say to each other from the first request to the end.
fn messages() -> Vec<(&'static str, Vec<u8>)> {
    let mut server =
        Server::new(Settings::new("visavis", b"secret"), [7; 32]).expect("the settings are right");
    let mut flows = Flows::new(&mut server);
    let now = Now { monotonic: Duration::from_secs(5), unix: 1_800_000_000 };
    let at = FiveTuple::udp(
        "198.51.100.7:4000".parse().expect("an address"),
        "203.0.113.9:3478".parse().expect("an address"),
    );
    let mut client = Client::new(Mint::new(b"secret").mint(now.unix, "call", "1"));
    let mut said = Vec::new();
    let mut exchange = |name: [&'static str; 2], message: Vec<u8>| -> Answer {
        let mut received = message.clone();
        said.push((name[0], message));
        let answer = match flows.receive(now, &at, &mut received, || &mut server) {
            Some(Output::Answer(answer)) => answer,
            Some(Output::Delivery(delivery)) => received[delivery.body].to_vec(),
            None => panic!("{} came to nothing", name[0]),
        };
        said.push((name[1], answer.clone()));
        Answer(answer)
    };
    exchange(["binding", "binding-success"], client.unsigned(BINDING, &[]));
    let challenge = exchange(["allocate-unsigned", "challenge"], client.unsigned(ALLOCATE, &[UDP]));
    client.learn(&challenge);
    let allocated = exchange(["allocate", "allocate-success"], client.signed(ALLOCATE, &[UDP]));
    let relayed = allocated.address(XOR_RELAYED_ADDRESS);
    let permission = client.signed_to(CREATE_PERMISSION, relayed, &[]);
    exchange(["create-permission", "create-permission-success"], permission);
    exchange(["send", "data"], client.send(relayed, b"\x80 data"));
    exchange(["channel-bind", "channel-bind-success"], client.channel_bind(0x4001, relayed));
    exchange(["channel-data", "channel-data-out"], channel_data(0x4001, b"\x80 data"));
    let unknown = client.signed(REFRESH, &[(DONT_FRAGMENT, &[]), (0x7ABC, b"?")]);
    exchange(["unknown-attributes", "unknown-attributes-error"], unknown);
    let transaction = client.next_transaction();
    let mut both = client.signed_with(REFRESH, transaction, &[(LIFETIME, &[0; 4])]);
    both.add_message_integrity(&client.key(), IntegrityAlgorithm::Sha256).expect("after SHA-1");
    both.add_fingerprint().expect("last");
    exchange(["refresh-all-endings", "refresh-success"], both.finish());
    said
}

fn streams(messages: &[(&'static str, Vec<u8>)]) -> Vec<(&'static str, Vec<u8>)> {
    let stream: Vec<u8> = messages
        .iter()
        .flat_map(|(_, message)| {
            let mut padded = message.clone();
            padded.resize(message.len().next_multiple_of(4), 0);
            padded
        })
        .collect();
    let cut = |settings: u8, pieces: &[u16], stream: &[u8]| {
        let lengths: Vec<u8> = pieces.iter().flat_map(|piece| piece.to_le_bytes()).collect();
        [&[settings, pieces.len() as u8][..], &lengths, stream].concat()
    };
    let long = [&[0x40, 1, 0x0F, 0xA0][..], &[7; 4000]].concat();
    vec![
        ("at-once", cut(2, &[], &stream)),
        ("byte-by-byte", cut(0, &[1; 255], &stream[..stream.len().min(300)])),
        ("in-pieces", cut(3, &[3, 21, 100, 0, 64, 7], &stream)),
        ("too-long-for-a-stranger", cut(0, &[2], &long)),
        ("long", cut(2, &[2, 1000], &long)),
        ("channels-of-rfc-5766", cut(1, &[5], &[0x7F, 0xFE, 0, 3, 1, 2, 3, 0, 0x40, 1, 0, 0])),
        ("garbage", cut(0, &[4], b"GET / HTTP/1.1\r\n\r\n")),
    ]
}

fn scripts() -> Vec<(&'static str, Vec<u8>)> {
    let step = |what, client, numbers| Step { what, client, worker: client, spoiling: 0, numbers };
    let other = |step: Step| Step { worker: step.worker + 1, ..step };
    let spoiled = |step: Step, spoiling| Step { spoiling, ..step };
    // Clients 0, 1, 4 and 5 are in one call, 2, 3, 6 and 7 in the other.
    let join = |client| {
        [step(What::Allocate, client, [0; 4]), step(What::CreatePermission, client, [client, 0, 0, 0])]
    };
    let pair = [join(0), join(1)].concat();
    let send = |from, to| step(What::Send, from, [to, 0x80, 20, 0]);
    let data = |from| step(What::ChannelData, from, [0, 0x80, 21, 0]);
    let bind = |from, to| step(What::ChannelBind, from, [to, 0, 0, 0]);
    let train = |from, count| step(What::Train, from, [0, 0x80, 21, count]);
    let advance = |seconds: u16| {
        let [low, high] = seconds.to_le_bytes();
        step(What::Advance, 0, [low, high, 0, 0])
    };
    let refresh = |client| step(What::Refresh, client, [0; 4]);
    let permit = |client| step(What::CreatePermission, client, [client, 0, 0, 0]);
    let timeout = step(What::Timeout, 0, [0; 4]);
    let of = |settings: u8, steps: &[&[Step]]| {
        let steps = steps.iter().flat_map(|steps| steps.iter()).flat_map(|step| script::write(*step));
        std::iter::once(settings).chain(steps).collect::<Vec<u8>>()
    };
    let both_ways = [send(0, 1), other(send(0, 1)), send(1, 0), other(send(1, 0))];
    let channels = [bind(0, 1), bind(1, 0), data(0), other(data(0)), data(1), other(data(1))];
    let end = |what, seat| step(what, 0, [seat, 0, 0, 0]);
    let even = step(What::Allocate, 0, [6, 0, 0, 0]);
    let reserved = |client| step(What::Allocate, client, [7, 0, 0, 0]);
    let raw = step(What::Raw, 0, [8, 0, 0, 0]);
    vec![
        ("indications", of(0, &[&pair, &both_ways, &[timeout]])),
        ("channels", of(0, &[&pair, &channels, &both_ways])),
        (
            "trains",
            of(
                0,
                &[
                    &pair,
                    &[
                        bind(0, 1),
                        train(0, 20),
                        bind(1, 0),
                        train(0, 20),
                        other(train(1, 90)),
                        spoiled(train(0, 69), 200),
                        end(What::EndSeat, 1),
                        train(0, 3),
                    ],
                ],
            ),
        ),
        (
            "a-channel-ends",
            of(0, &[&pair, &channels, &[advance(299), data(0), advance(1), data(0), other(data(0))]]),
        ),
        (
            "kept-alive",
            of(
                0,
                &[
                    &pair,
                    &channels,
                    &[advance(299), refresh(0), refresh(1)],
                    &[bind(0, 1), bind(1, 0)],
                    &[advance(299), data(0), data(1), advance(2), send(0, 1), timeout],
                ],
            ),
        ),
        (
            "the-receivers-channel-ends",
            of(
                0,
                &[
                    &pair,
                    &[bind(1, 0), advance(299), refresh(0), refresh(1)],
                    &[0, 1].map(permit),
                    &[advance(299), send(0, 1), other(send(0, 1)), advance(2), send(0, 1), other(send(0, 1))],
                ],
            ),
        ),
        (
            "a-seat-ends",
            of(
                0,
                &[
                    &pair,
                    &channels,
                    &[
                        end(What::EndSeat, 1),
                        data(0),
                        other(data(0)),
                        timeout,
                        step(What::Credential, 1, [1, 0, 0, 0]),
                    ],
                    &join(1),
                    &[data(0), send(0, 1)],
                ],
            ),
        ),
        (
            "a-call-ends",
            of(0, &[&pair, &channels, &[end(What::EndCall, 0), data(0), send(1, 0)], &join(0), &[timeout]]),
        ),
        (
            "a-connection-ends",
            of(
                1,
                &[
                    &join(4),
                    &join(5),
                    &[send(4, 5), step(What::EndClient, 5, [0; 4]), send(4, 5)],
                    &join(5),
                    &[send(4, 5)],
                ],
            ),
        ),
        (
            "two-calls",
            of(0, &[&pair, &join(2), &join(3), &[send(0, 2), send(2, 3), bind(0, 3), send(3, 1), timeout]]),
        ),
        (
            "another-call-at-the-same-address",
            of(
                0,
                &[
                    &pair,
                    &[
                        send(0, 1),
                        step(What::Refresh, 1, [0, 1, 0, 0]),
                        step(What::Credential, 1, [2, 0, 0, 0]),
                    ],
                    &join(1),
                    &[send(0, 1), send(1, 0)],
                ],
            ),
        ),
        ("even-ports", of(1, &[&[even, reserved(4), even, timeout, advance(31), reserved(1), timeout]])),
        ("a-foreign-token", of(1, &[&[even, reserved(1), reserved(4), reserved(5), timeout]])),
        (
            "the-quota",
            of(
                0,
                &[
                    &[0, 4].map(|client| step(What::Allocate, client, [0; 4])),
                    &[end(What::EndClient, 0), timeout],
                ],
            ),
        ),
        (
            "clocks",
            of(
                0,
                &[
                    &pair,
                    &[
                        step(What::WallClock, 0, [0xFF, 0xFF, 0, 0]),
                        refresh(0),
                        refresh(0),
                        send(0, 1),
                        step(What::WallClock, 0, [0xFF, 0xFF, 1, 0]),
                        refresh(1),
                        step(What::Allocate, 4, [0; 4]),
                    ],
                ],
            ),
        ),
        (
            "again",
            of(
                0,
                &[&[
                    step(What::Allocate, 0, [0; 4]),
                    step(What::Again, 0, [0; 4]),
                    advance(601),
                    step(What::Again, 0, [0; 4]),
                    timeout,
                ]],
            ),
        ),
        (
            "spoiled",
            of(
                0,
                &[
                    &pair,
                    &[
                        spoiled(refresh(0), 200),
                        spoiled(refresh(0), 224),
                        spoiled(refresh(0), 240),
                        spoiled(send(0, 1), 193),
                        spoiled(refresh(1), 216),
                    ],
                ],
            ),
        ),
        ("raw", [of(0, &[&pair, &[raw]]), vec![0x40, 0, 0, 4, 1, 2, 3, 4]].concat()),
        (
            "foreign-peers",
            of(
                0,
                &[
                    &pair,
                    &[
                        step(What::CreatePermission, 0, [8, 0, 0, 0]),
                        step(What::CreatePermission, 0, [0, 10, 1, 0]),
                        bind(0, 9),
                        send(0, 8),
                        send(0, 11),
                        bind(0, 10),
                    ],
                ],
            ),
        ),
        (
            "rfc-5766",
            of(
                1,
                &[
                    &pair,
                    &[
                        step(What::ChannelBind, 0, [1, 4, 0, 0]),
                        step(What::ChannelData, 0, [4, 7, 9, 0]),
                        step(What::Send, 0, [1, 99, 0, 0]),
                    ],
                ],
            ),
        ),
        (
            "a-clock-that-leapt",
            of(
                0,
                &[&[
                    step(What::Challenge, 0, [0; 4]),
                    end(What::EndSeat, 0),
                    step(What::WallClock, 0, [0xFF, 0xFF, 0, 0]),
                    end(What::EndSeat, 1),
                    step(What::WallClock, 0, [0xFF, 0xFF, 1, 0]),
                    step(What::Allocate, 0, [0; 4]),
                    timeout,
                ]],
            ),
        ),
        (
            "strangers",
            of(
                0,
                &[&[
                    step(What::Binding, 3, [0; 4]),
                    step(What::Challenge, 3, [0; 4]),
                    send(3, 0),
                    data(3),
                    refresh(3),
                    bind(3, 0),
                ]],
            ),
        ),
    ]
}
