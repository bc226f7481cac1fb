//! The audit trail's pen.

use chrono::Utc;

use crate::keys::new_id;
use crate::store::{AuditLine, Store};

/// Writes a line into a practice's audit trail: who did what to what, never a word about a patient. A line that the store does not take is an
/// error in the log and nothing else: what it tells of is done, and an answer that denies it would be untrue.
pub async fn note(store: &Store, practice: &str, actor: &str, what: &str, about: &str) {
    let line = AuditLine {
        id: new_id(),
        at: Utc::now().timestamp_millis(),
        actor: actor.to_owned(),
        what: what.to_owned(),
        about: about.to_owned(),
    };
    if let Err(cause) = store.write_audit(practice, &line).await {
        tracing::error!(%cause, what, "a line of the audit trail could not be written");
    }
}
