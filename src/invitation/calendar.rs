//! The calendar part of a mail (RFC 5545, RFC 6047): the desk writes the event, the server adds between whom it is.

use serde::Deserialize;

use super::MailError;

const BYTES: usize = 32 * 1024;
/// RFC 5545, 3.1: a longer line goes on in the next, after a space.
const LINE_BYTES: usize = 75;

/// An event for the recipient's calendar.
#[derive(Debug)]
pub struct Calendar {
    /// What the recipient's calendar does with it.
    pub method: Method,
    /// The file, without organizer and attendee.
    pub ics: String,
}

/// RFC 5546: what a calendar does with the event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum Method {
    /// Put it in, or replace an earlier one.
    Request,
    /// Take it out.
    Cancel,
}

impl Method {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Request => "REQUEST",
            Self::Cancel => "CANCEL",
        }
    }
}

impl Calendar {
    /// The file with both addresses, without which mail programs take neither requests nor cancellations (RFC 5546, 3.2).
    pub fn between(&self, organizer: &str, attendee: &str) -> Result<String, MailError> {
        const EVENT: &str = "\r\nBEGIN:VEVENT\r\n";
        let of_method = format!("\r\nMETHOD:{}\r\n", self.method.as_str());
        let is_calendar =
            self.ics.starts_with("BEGIN:VCALENDAR\r\n") && self.ics.ends_with("END:VCALENDAR\r\n");
        let is_plain = !self
            .ics
            .contains(|character: char| character.is_control() && !matches!(character, '\r' | '\n' | '\t'));
        let is_ours =
            is_calendar && is_plain && self.ics.matches(EVENT).count() == 1 && self.ics.contains(&of_method);
        if self.ics.len() > BYTES || !is_ours {
            return Err(MailError::Invalid(
                "The calendar holds one event, with the method of the mail, and has at most 32 KiB.",
            ));
        }
        let parties =
            [format!("ORGANIZER:mailto:{organizer}"), format!("ATTENDEE;RSVP=FALSE:mailto:{attendee}")];
        let lines: String = parties.iter().map(|line| folded(line)).collect();
        Ok(self.ics.replacen(EVENT, &format!("{EVENT}{lines}"), 1))
    }
}

/// The text whose lines went on in the next.
pub fn unfolded(ics: &str) -> String {
    ["\r\n ", "\r\n\t", "\n ", "\n\t"].into_iter().fold(ics.to_owned(), |text, fold| text.replace(fold, ""))
}

fn folded(line: &str) -> String {
    let mut lines = String::with_capacity(line.len() + 8);
    let mut used = 0;
    for symbol in line.chars() {
        if used + symbol.len_utf8() > LINE_BYTES {
            lines.push_str("\r\n ");
            used = 1;
        }
        lines.push(symbol);
        used += symbol.len_utf8();
    }
    lines + "\r\n"
}
