//! Ends stays, from wherever the decision comes: a doctor's page, the API, the command line. Each takes the admission from the row, ends the
//! relay's allocations and tells every page, in this order, so that nothing can come back in between (R11).

use std::sync::Arc;

use chrono::Utc;

use crate::App;
use crate::access::SEATS;
use crate::bus::{Audience, Event};
use crate::message::Departure;
use crate::store::EndedCode;

/// Ends one seat's stay. Its device may knock again, unless its code was revoked before.
pub async fn dismiss(app: &App, consultation: &str, seat: u8, reason: Departure) -> Result<(), sqlx::Error> {
    app.store.clear_admission(consultation, seat).await?;
    if reason == Departure::Revoked {
        end_check(app, consultation, seat);
    }
    depart(app, consultation, seat, i64::MAX, reason);
    Ok(())
}

/// Says that a seat's stay has ended and ends what the relay carries for it. `incarnation`: the last page that is meant.
pub fn depart(app: &App, consultation: &str, seat: u8, incarnation: i64, reason: Departure) {
    app.relay.end_seat(&app.keys.call_label(consultation), &seat.to_string());
    app.bus.tell(consultation, Audience::Everybody, Event::Gone { seat, incarnation, reason });
}

/// Doctors' codes were taken back, and the rows say so: whoever came with one is out, waiting or sitting (R11).
pub fn bar(app: &App, ended: Vec<EndedCode>) {
    for EndedCode { consultation, seat, hash, held } in ended {
        if held {
            app.relay.end_seat(&app.keys.call_label(&consultation), &seat.to_string());
        }
        app.bus.tell(&consultation, Audience::Everybody, Event::CodeRevoked { hash });
        if held {
            let gone = Event::Gone { seat, incarnation: i64::MAX, reason: Departure::Removed };
            app.bus.tell(&consultation, Audience::Everybody, gone);
        }
    }
}

/// The doctor ends the consultation for all: only doctors come back without knocking.
pub async fn end(app: &App, consultation: &str) -> Result<(), sqlx::Error> {
    app.store.clear_admissions(consultation).await?;
    app.relay.end_call(&app.keys.call_label(consultation));
    app.bus.tell(consultation, Audience::Everybody, Event::Ended);
    Ok(())
}

/// Calls a consultation off; `false` if there is none.
pub async fn revoke(app: &App, consultation: &str) -> Result<bool, sqlx::Error> {
    if !app.store.revoke(consultation, Utc::now()).await? {
        return Ok(false);
    }
    say_revoked(app, consultation);
    Ok(true)
}

/// The same for all of a practice, whenever they were planned: a call may go on when its day is over.
pub async fn revoke_all(app: &App, practice: &str) -> Result<(), sqlx::Error> {
    for consultation in app.store.revoke_all(practice, Utc::now()).await? {
        say_revoked(app, &consultation);
    }
    Ok(())
}

fn say_revoked(app: &App, consultation: &str) {
    app.relay.end_call(&app.keys.call_label(consultation));
    for seat in 1..=SEATS {
        end_check(app, consultation, seat);
    }
    app.bus.tell(consultation, Audience::Everybody, Event::Revoked);
}

/// The check of a seat's device before the appointment ends with the seat.
fn end_check(app: &App, consultation: &str, seat: u8) {
    app.relay.end_call(&app.keys.check_label(consultation, seat));
}

/// A lost socket ends no call; two minutes without any socket do.
pub fn end_if_deserted(app: &Arc<App>, consultation: &str) {
    const DESERTED: std::time::Duration = std::time::Duration::from_secs(120);
    let (app, consultation) = (Arc::clone(app), consultation.to_owned());
    tokio::spawn(async move {
        tokio::select! {
            () = tokio::time::sleep(DESERTED) => {}
            () = app.stop.cancelled() => return,
        }
        match app.store.is_attended(&consultation).await {
            Ok(true) => {}
            Ok(false) => app.relay.end_call(&app.keys.call_label(&consultation)),
            Err(cause) => tracing::error!(%cause, "could not look whether a call is deserted"),
        }
    });
}
