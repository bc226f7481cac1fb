//! What is printed: a line for each sample, and the table of medians at the end.

use std::fs;

use crate::measure::{Packets, Sample};
use crate::rows::{Row, Work};
use crate::server::{Kind, coturn_version};
use crate::statistics::Spread;

/// More loss than this is said aloud.
const LOSS: f64 = 0.01;

/// A row's samples: one for each round and server that went well.
pub struct Results {
    pub row: &'static Row,
    pub samples: Vec<(u32, Kind, Sample)>,
}

impl Results {
    fn of(&self, kind: Kind) -> impl Iterator<Item = &(u32, Kind, Sample)> {
        self.samples.iter().filter(move |(_, of, _)| *of == kind)
    }

    fn spread(&self, kind: Kind, value: impl Fn(&Sample) -> Option<f64>) -> Option<Spread> {
        Spread::of(self.of(kind).filter_map(|(_, _, sample)| value(sample)).collect())
    }

    fn packets(&self, kind: Kind, value: impl Fn(&Packets) -> f64) -> Option<Spread> {
        self.spread(kind, |sample| sample.packets.as_ref().map(&value))
    }

    /// How many times more the other's cost is than ours, round by round.
    fn ratio(&self, other: Kind) -> Option<Spread> {
        let ratio = |(round, _, ours): &(u32, Kind, Sample)| {
            let (.., theirs) = self.of(other).find(|(of, ..)| of == round)?;
            Some(theirs.cost / ours.cost)
        };
        Spread::of(self.of(Kind::Ours).filter_map(ratio).collect())
    }
}

/// A line for one sample.
pub fn sample_line(round: u32, row: &Row, kind: Kind, sample: &Sample) -> String {
    let mut line = format!("round {round}, {}, {}: {:.0} {}", row.name, kind.name(), sample.cost, unit(row));
    if let Some(packets) = &sample.packets {
        line += &format!(
            ", {:.0} packets/s, lost {:.2} %, p50 {} us, p99 {} us, generator {:.0} % of a core",
            packets.per_second,
            100.0 * loss(packets),
            packets.p50 / 1000,
            packets.p99 / 1000,
            100.0 * packets.generator,
        );
        if packets.generator_lost > 0 {
            line += &format!("; the GENERATOR was too slow for {} packets", packets.generator_lost);
        }
    }
    line
}

fn unit(row: &Row) -> &'static str {
    match row.work {
        Work::Paced(_) | Work::Saturating(_) => "ns/packet",
        Work::Cycles(_) => "ns/cycle",
        Work::Idle(_) => "bytes/allocation",
    }
}

fn loss(packets: &Packets) -> f64 {
    1.0 - packets.delivered as f64 / packets.sent.max(1) as f64
}

/// The machine, the tables and what must be said of them, in Markdown.
pub fn tables(results: &[Results], rounds: u32, workers: usize) -> String {
    let mut text = machine(workers);
    text += &format!(
        "\nMedians of {rounds} rounds (least..greatest). CPU is the server process's, in ns per delivered packet or \
         cycle, or resident bytes per allocation; \"x cheaper\" compares ours with the line's server in the same \
         round.\n\n\
         | row | server | cost | ours is x cheaper | delivered, % | packets/s | p50, us | p99, us |\n\
         |---|---|---|---|---|---|---|---|\n"
    );
    for result in results {
        for kind in [Kind::Ours, Kind::Coturn, Kind::Turn] {
            text += &line(result, kind).unwrap_or_default();
        }
    }
    text += "\n";
    for result in results {
        text += &format!("- {}: {}\n", result.row.name, result.row.about);
    }
    text + &channel_ratios(results) + &losses(results)
}

fn line(result: &Results, kind: Kind) -> Option<String> {
    let cost = result.spread(kind, |sample| Some(sample.cost))?.text(0);
    let ratio = result.ratio(kind).filter(|_| kind != Kind::Ours);
    let ratio = ratio.map_or_else(String::new, |ratio| ratio.text(2));
    let packets = |value: fn(&Packets) -> f64, digits| {
        result.packets(kind, value).map_or_else(String::new, |spread| format!("{:.digits$}", spread.median))
    };
    let delivered = packets(|packets| 100.0 * (1.0 - loss(packets)), 2);
    let per_second = packets(|packets| packets.per_second, 0);
    let p50 = packets(|packets| packets.p50 as f64 / 1000.0, 0);
    let p99 = packets(|packets| packets.p99 as f64 / 1000.0, 0);
    let (row, kind) = (result.row.name, kind.name());
    Some(format!("| {row} | {kind} | {cost} | {ratio} | {delivered} | {per_second} | {p50} | {p99} |\n"))
}

/// What indications cost compared with channels, ours with ours, round by round.
fn channel_ratios(results: &[Results]) -> String {
    let mut text = String::new();
    for family in results.chunk_by(|one, next| one.row.family == next.row.family) {
        let Some((channels, others)) = family.split_first() else { continue };
        for other in others {
            let ratio = |(round, _, sample): &(u32, Kind, Sample)| {
                let (.., with_channels) = channels.of(Kind::Ours).find(|(of, ..)| of == round)?;
                Some(sample.cost / with_channels.cost)
            };
            let Some(spread) = Spread::of(other.of(Kind::Ours).filter_map(ratio).collect()) else { continue };
            let (name, spread, than) = (other.row.name, spread.text(2), channels.row.name);
            text += &format!("- {name} cost ours {spread} times what {than} cost it in the same round\n");
        }
    }
    text
}

fn losses(results: &[Results]) -> String {
    let mut text = String::new();
    for result in results {
        for kind in [Kind::Ours, Kind::Coturn, Kind::Turn] {
            let Some(lost) = result.packets(kind, loss).filter(|lost| lost.median > LOSS) else { continue };
            let (percent, name, row) = (100.0 * lost.median, kind.name(), result.row.name);
            text += &format!("- **{name} lost {percent:.1} % in {row}**: its cost there is no fair one\n");
        }
        let generator: u64 = result
            .samples
            .iter()
            .filter_map(|(.., sample)| Some(sample.packets.as_ref()?.generator_lost))
            .sum();
        if generator > 0 {
            let row = result.row.name;
            text += &format!("- **the generator itself lost {generator} packets in {row}**\n");
        }
    }
    text
}

/// Cores, kernel and versions.
fn machine(workers: usize) -> String {
    let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
    let cpuinfo = read("/proc/cpuinfo");
    let model = cpuinfo.lines().find_map(|line| line.strip_prefix("model name")).unwrap_or(": unknown CPU");
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    format!(
        "{cores} cores ({}), Linux {}, {workers} relaying thread(s) in each server; visavis-turn {}, coturn {}, \
         `turn` {}\n",
        model.trim_start_matches(|c: char| c.is_whitespace() || c == ':'),
        read("/proc/sys/kernel/osrelease").trim(),
        env!("CARGO_PKG_VERSION"),
        coturn_version().unwrap_or_else(|| "not installed".to_owned()),
        locked_version("turn").unwrap_or("unknown"),
    )
}

/// The version of a crate in the lock file of this build.
fn locked_version(name: &str) -> Option<&'static str> {
    let lock = include_str!("../../../Cargo.lock");
    let (_, entry) = lock.split_once(&format!("name = \"{name}\"\nversion = \""))?;
    entry.split('"').next()
}
