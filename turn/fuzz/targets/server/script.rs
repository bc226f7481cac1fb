//! The input of the target: a byte of settings, then steps of eight bytes each, which a mutation of any byte leaves
//! readable. Seeds are written with the same functions.

/// One step: what, who, and up to six numbers whose meaning depends on what.
#[derive(Clone, Copy, Debug)]
pub struct Step {
    pub what: What,
    pub client: u8,
    /// Its lowest bit: which of the two workers.
    pub worker: u8,
    /// How the message is spoiled; below 192 it is left as it is.
    pub spoiling: u8,
    pub numbers: [u8; 4],
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    /// Port wish, lifetime, another attribute, its value.
    Allocate,
    /// Lifetime, another attribute, its value.
    Refresh,
    /// Peer, second peer.
    CreatePermission,
    /// Peer, channel.
    ChannelBind,
    /// Peer, first byte, length.
    Send,
    /// Channel, first byte, length.
    ChannelData,
    Binding,
    /// An Allocate without credential, for realm and nonce.
    Challenge,
    /// Seat: the client takes a new credential.
    Credential,
    /// Seconds (two numbers), quarters of a second.
    Advance,
    /// The wall clock alone: seconds (two numbers), direction.
    WallClock,
    /// Seat.
    EndSeat,
    /// Seat, whose call.
    EndCall,
    /// The client's connection ends.
    EndClient,
    /// The server is told the time.
    Timeout,
    /// The client's last message again.
    Again,
    /// ChannelData messages of one length, received as one: channel, first byte, length, how many.
    Train,
    /// As many of the following bytes as the first number says, as they are.
    Raw,
}

const ALL: [What; 18] = [
    What::Allocate,
    What::Refresh,
    What::CreatePermission,
    What::ChannelBind,
    What::Send,
    What::ChannelData,
    What::Binding,
    What::Challenge,
    What::Credential,
    What::Advance,
    What::WallClock,
    What::EndSeat,
    What::EndCall,
    What::EndClient,
    What::Timeout,
    What::Again,
    What::Raw,
    What::Train,
];

/// Takes the next step off the input.
pub fn read(input: &mut &[u8]) -> Option<Step> {
    let (step, rest) = input.split_first_chunk::<8>()?;
    *input = rest;
    let [what, client, worker, spoiling, numbers @ ..] = *step;
    Some(Step { what: ALL[usize::from(what) % ALL.len()], client, worker, spoiling, numbers })
}

/// Takes the bytes of a [`What::Raw`] off the input.
pub fn read_raw<'a>(input: &mut &'a [u8], step: Step) -> &'a [u8] {
    let (raw, rest) = input.split_at(usize::from(step.numbers[0]).min(input.len()));
    *input = rest;
    raw
}

/// The step as [`read`] takes it.
#[allow(dead_code, reason = "seeds are written, not read")]
pub fn write(step: Step) -> [u8; 8] {
    let what = ALL.iter().position(|what| *what == step.what).expect("every step is in the list");
    let [a, b, c, d] = step.numbers;
    [what as u8, step.client, step.worker, step.spoiling, a, b, c, d]
}
