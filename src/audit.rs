//! The audit trail's pen.

use chrono::Utc;

use crate::keys::new_id;
use crate::store::{AuditLine, Store};

/// Writes a line into a practice's audit trail: who did what to what, never a word about a patient.
pub async fn note(
    store: &Store,
    practice: &str,
    actor: &str,
    what: &str,
    about: &str,
) -> Result<(), sqlx::Error> {
    let line = AuditLine {
        id: new_id(),
        at: Utc::now().timestamp_millis(),
        actor: actor.to_owned(),
        what: what.to_owned(),
        about: about.to_owned(),
    };
    store.write_audit(practice, &line).await
}
