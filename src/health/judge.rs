//! From figures to what they mean. Pure.

use serde::Serialize;

/// Room below which the log speaks of it, in bytes.
const LITTLE_SPACE: u64 = 256 * 1024 * 1024;
/// Days before a certificate's end from which on it is a warning.
const FEW_DAYS: i64 = 14;

/// How it stands with one part.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// Well.
    Ok,
    /// Well, and not for long.
    Warning,
    /// The server cannot do its work.
    Failing,
}

/// One part of the server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Check {
    /// `store`, `space`, `relay`, `descriptors`, `certificate`.
    pub name: &'static str,
    /// How it stands.
    pub state: State,
    /// Why, for the operator.
    pub detail: String,
}

impl Check {
    /// A part that is well.
    pub fn ok(name: &'static str, detail: String) -> Self {
        Self { name, state: State::Ok, detail }
    }

    /// A part that fails.
    pub fn failing(name: &'static str, detail: String) -> Self {
        Self { name, state: State::Failing, detail }
    }

    /// Whether the server cannot do its work for this part.
    pub fn is_failing(&self) -> bool {
        self.state == State::Failing
    }

    /// One line in the log where the state is another than before; a start that finds a part well says nothing.
    pub fn say_if_changed(&self, before: Option<State>) {
        let Self { name, state, detail } = self;
        if before.unwrap_or(State::Ok) == *state {
            return;
        }
        match state {
            State::Ok => tracing::info!(check = name, detail, "well again"),
            State::Warning => tracing::warn!(check = name, detail, "not well for long"),
            State::Failing => tracing::error!(check = name, detail, "the server is not ready"),
        }
    }
}

/// Room on the disk of the data directory. `full` is where nothing more can be saved.
pub fn space(free: u64, full: u64) -> Check {
    let state = match free {
        free if free < full => State::Failing,
        free if free < LITTLE_SPACE => State::Warning,
        _ => State::Ok,
    };
    Check { name: "space", state, detail: format!("{} MB free in the data directory", free / 1_000_000) }
}

/// Whole days until the certificate expires.
pub fn certificate(days: i64) -> Check {
    let (state, detail) = match days {
        ..0 => (State::Failing, "expired: browsers warn of this server".to_owned()),
        days if days < FEW_DAYS => (State::Warning, format!("expires in {days} days")),
        days => (State::Ok, format!("expires in {days} days")),
    };
    Check { name: "certificate", state, detail }
}

/// Open file descriptors, and how many there may be.
pub fn descriptors(open: u64, limit: u64) -> Check {
    let state = match open.saturating_mul(100) / limit.max(1) {
        ..80 => State::Ok,
        80..98 => State::Warning,
        _ => State::Failing,
    };
    Check { name: "descriptors", state, detail: format!("{open} of {limit} open") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_part_fails_where_the_server_cannot_work_and_warns_before() {
        for (check, state) in [
            (space(0, 100), State::Failing),
            (space(100, 100), State::Warning),
            (space(LITTLE_SPACE, 100), State::Ok),
            (certificate(-1), State::Failing),
            (certificate(0), State::Warning),
            (certificate(13), State::Warning),
            (certificate(14), State::Ok),
            (descriptors(79, 100), State::Ok),
            (descriptors(80, 100), State::Warning),
            (descriptors(98, 100), State::Failing),
            (descriptors(1, 0), State::Failing),
        ] {
            assert_eq!(check.state, state, "{check:?}");
        }
    }
}
