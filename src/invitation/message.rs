//! What a mail may be, and its shape on the wire.

use lettre::address::Address;
use lettre::message::header::{ContentType, Header, HeaderName, HeaderValue};
use lettre::message::{Attachment, Mailbox, Message, MultiPart, SinglePart};
use url::Host;
use uuid::Uuid;

use super::MailError;
use super::calendar::{Calendar, unfolded};

const ADDRESS_BYTES: usize = 254;
const SUBJECT_CHARACTERS: usize = 200;
const TEXT_BYTES: usize = 16 * 1024;
const CODE_SYMBOLS: usize = 12;
const SECRET_SYMBOLS: usize = 22;

/// A mail as the desk hands it in.
#[derive(Debug)]
pub struct Mail {
    /// Whose name stands before the server's address.
    pub sender: String,
    /// One address, without a name.
    pub to: String,
    /// In one line.
    pub subject: String,
    /// Plain text.
    pub text: String,
    /// The appointment for the recipient's calendar.
    pub calendar: Option<Calendar>,
}

/// RFC 3834: nobody's holiday notice answers.
#[derive(Clone)]
struct AutoSubmitted;

impl Header for AutoSubmitted {
    fn name() -> HeaderName {
        HeaderName::new_from_ascii_str("Auto-Submitted")
    }

    fn parse(_: &str) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        Ok(Self)
    }

    fn display(&self) -> HeaderValue {
        HeaderValue::new(Self::name(), "auto-generated".to_owned())
    }
}

/// The recipient and the mail, or what is wrong with it.
pub fn compose(mail: Mail, from: &Address) -> Result<(Address, Message), MailError> {
    let to = recipient(&mail.to)?;
    check(&mail)?;
    let builder = Message::builder()
        .from(Mailbox::new(Some(mail.sender), from.clone()))
        .to(Mailbox::new(None, to.clone()))
        .subject(mail.subject)
        .message_id(Some(format!("<{}@{}>", Uuid::now_v7(), from.domain())))
        .header(AutoSubmitted);
    let text = SinglePart::plain(mail.text);
    let message = match mail.calendar {
        None => builder.singlepart(text),
        Some(calendar) => {
            let ics = calendar.between(from.as_ref(), to.as_ref())?;
            let kind = |kind: String| ContentType::parse(&kind).expect("a content type of ours");
            let part = kind(format!("text/calendar; charset=utf-8; method={}", calendar.method.as_str()));
            // Mail programs with a calendar show the one, all others save the other.
            let shown = MultiPart::alternative()
                .singlepart(text)
                .singlepart(SinglePart::builder().header(part).body(ics.clone()));
            let saved =
                Attachment::new("termin.ics".to_owned()).body(ics, kind("application/ics".to_owned()));
            builder.multipart(MultiPart::mixed().multipart(shown).singlepart(saved))
        }
    };
    let message = message.map_err(|_| MailError::Invalid("This is no e-mail that can be sent."))?;
    Ok((to, message))
}

/// A single address; an international domain in its form for mail servers.
fn recipient(text: &str) -> Result<Address, MailError> {
    const WRONG: MailError =
        MailError::Invalid("This is not an e-mail address. It looks like name@example.org, one alone.");
    let text = text.trim();
    let (user, domain) = text.rsplit_once('@').ok_or(WRONG)?;
    let Host::Domain(domain) = Host::parse(domain).map_err(|_| WRONG)? else { return Err(WRONG) };
    if text.len() > ADDRESS_BYTES || text.contains(char::is_whitespace) || !domain.contains('.') {
        return Err(WRONG);
    }
    Address::new(user, domain).map_err(|_| WRONG)
}

fn check(mail: &Mail) -> Result<(), MailError> {
    let is_plain = |character: char| !character.is_control() || matches!(character, '\n' | '\r' | '\t');
    let invalid = |sentence| Err(MailError::Invalid(sentence));
    if mail.subject.trim().is_empty() || mail.subject.chars().count() > SUBJECT_CHARACTERS {
        return invalid("The subject has 1 to 200 characters.");
    }
    if mail.subject.contains(char::is_control) {
        return invalid("The subject is one line, without control characters.");
    }
    if mail.text.trim().is_empty() || mail.text.len() > TEXT_BYTES || !mail.text.chars().all(is_plain) {
        return invalid("The text has at most 16 KiB, without control characters.");
    }
    let ics = mail.calendar.as_ref().map(|calendar| unfolded(&calendar.ics)).unwrap_or_default();
    if [&mail.subject, &mail.text, &ics].into_iter().any(|text| has_secret(text)) {
        return invalid(
            "The mail holds a link with its secret (#code.secret), which must not pass this server. Send the link without the part after the dot.",
        );
    }
    Ok(())
}

/// Whether a fragment holds more than a code: `#XXXX-XXXX-XXXX.` and 22 symbols of base64url, escaped or not.
fn has_secret(text: &str) -> bool {
    let text = text
        .replace("%23", "#")
        .replace("%2E", ".")
        .replace("%2e", ".")
        .replace("%2D", "-")
        .replace("%2d", "-");
    text.split('#').skip(1).any(|fragment| {
        let Some((code, rest)) = fragment.split_once('.') else { return false };
        let symbols = code.chars().filter(|symbol| *symbol != '-');
        let is_code = symbols.clone().count() == CODE_SYMBOLS
            && symbols.clone().all(|symbol| symbol.is_ascii_alphanumeric());
        let secret = |symbol: &char| symbol.is_ascii_alphanumeric() || matches!(symbol, '-' | '_');
        is_code && rest.chars().take_while(secret).count() >= SECRET_SYMBOLS
    })
}
