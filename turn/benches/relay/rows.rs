//! The rows of the table: what each loads a server with. All servers get the same.

/// What is sent at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// One packet.
    Single,
    /// That many packets of one flow, each in a system call of its own.
    Burst(usize),
    /// That many packets of one flow in one system call (UDP_SEGMENT).
    Train(usize),
}

/// How the two clients of each call speak with the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Legs {
    /// Both bind a channel, as Chromium does.
    Channels,
    /// Neither does, as Firefox: Send and Data indications.
    Indications,
    /// The first does, the second does not.
    Mixed,
}

impl Legs {
    /// Whether the client of that number binds a channel.
    pub fn binds(self, number: usize) -> bool {
        match self {
            Legs::Channels => true,
            Legs::Indications => false,
            Legs::Mixed => number.is_multiple_of(2),
        }
    }
}

/// Packets between the clients of many calls, in both directions.
#[derive(Clone, Copy, Debug)]
pub struct Load {
    pub calls: u32,
    pub legs: Legs,
    pub shape: Shape,
    /// Bytes; at least 16, a multiple of 4.
    pub payload: usize,
    /// Singles, bursts or trains a second, over all flows; what is saturating knows no pace.
    pub events_per_second: u32,
}

/// What a row does.
#[derive(Clone, Copy, Debug)]
pub enum Work {
    /// Packets at a steady pace.
    Paced(Load),
    /// Packets as fast as they are relayed.
    Saturating(Load),
    /// So many times Allocate, CreatePermission, ChannelBind and delete.
    Cycles(u32),
    /// So many allocations that do nothing.
    Idle(u32),
}

/// One row.
pub struct Row {
    /// As `--only` names it.
    pub name: &'static str,
    pub about: &'static str,
    /// Rows of one family stand together and are measured together, for they are compared with its first.
    pub family: &'static str,
    pub work: Work,
}

const SINGLES: Load =
    Load { calls: 50, legs: Legs::Channels, shape: Shape::Single, payload: 1200, events_per_second: 20_000 };
/// Below the rate at which our relay begins to nap.
const SPARSE: Load = Load { events_per_second: 3000, ..SINGLES };
const BURSTS: Load = Load { shape: Shape::Burst(8), events_per_second: 8000, ..SINGLES };
const TRAINS: Load = Load { shape: Shape::Train(16), events_per_second: 4000, ..SINGLES };
const AUDIO: Load = Load { calls: 150, payload: 160, events_per_second: 15_000, ..SINGLES };

/// All rows, in the table's order.
pub const ROWS: &[Row] = &[
    Row {
        name: "singles",
        about: "single packets of 1200 bytes, ChannelData, 20,000/s, evenly spread, each of another flow than the one before",
        family: "singles",
        work: Work::Paced(SINGLES),
    },
    Row {
        name: "firefox-singles",
        about: "singles, Send indication in, Data indication out",
        family: "singles",
        work: Work::Paced(Load { legs: Legs::Indications, ..SINGLES }),
    },
    Row {
        name: "mixed-singles",
        about: "singles, a channel on one leg, indications on the other",
        family: "singles",
        work: Work::Paced(Load { legs: Legs::Mixed, ..SINGLES }),
    },
    Row {
        name: "sparse-singles",
        about: "singles, 3,000/s: each wakes an idle server",
        family: "sparse-singles",
        work: Work::Paced(SPARSE),
    },
    Row {
        name: "saturated-singles",
        about: "singles, as fast as they are relayed",
        family: "saturated-singles",
        work: Work::Saturating(SINGLES),
    },
    Row {
        name: "bursts",
        about: "bursts of 8 x 1200 bytes, plain sends, 8,000 bursts/s",
        family: "bursts",
        work: Work::Paced(BURSTS),
    },
    Row {
        name: "firefox-bursts",
        about: "bursts, Send indication in, Data indication out",
        family: "bursts",
        work: Work::Paced(Load { legs: Legs::Indications, ..BURSTS }),
    },
    Row {
        name: "mixed-bursts",
        about: "bursts, a channel on one leg, indications on the other",
        family: "bursts",
        work: Work::Paced(Load { legs: Legs::Mixed, ..BURSTS }),
    },
    Row {
        name: "saturated-bursts",
        about: "bursts of 8, as fast as they are relayed",
        family: "saturated-bursts",
        work: Work::Saturating(BURSTS),
    },
    Row {
        name: "trains",
        about: "trains of 16 x 1200 bytes, UDP_SEGMENT and UDP_GRO, 4,000 trains/s",
        family: "trains",
        work: Work::Paced(TRAINS),
    },
    Row {
        name: "audio",
        about: "300 streams of 160 bytes, 50 packets/s each, evenly spread",
        family: "audio",
        work: Work::Paced(AUDIO),
    },
    Row {
        name: "saturated-trains",
        about: "trains of 16 x 1200 bytes, as fast as they are relayed",
        family: "saturated-trains",
        work: Work::Saturating(TRAINS),
    },
    Row {
        name: "cycles",
        about: "Allocate (with its challenge), CreatePermission, ChannelBind, delete",
        family: "cycles",
        work: Work::Cycles(1600),
    },
    Row { name: "idle", about: "5,000 idle allocations, two a call", family: "idle", work: Work::Idle(5000) },
];
