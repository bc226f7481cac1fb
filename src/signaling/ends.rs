//! Ends stays, from wherever the decision comes: a doctor's page, the API, the command line. Each takes the admission from the row, ends the
//! relay's allocations and tells every page, in this order, so that nothing can come back in between (R11). The row's epoch says which stays are
//! meant: whoever comes after it is not.

use chrono::Utc;

use crate::App;
use crate::access::SEATS;
use crate::bus::{Audience, Event};
use crate::message::Departure;
use crate::store::EndedCode;

/// Ends one seat's stay. Its device may knock again, unless its code was revoked before.
pub async fn dismiss(app: &App, consultation: &str, seat: u8, reason: Departure) -> Result<(), sqlx::Error> {
    // A new code is another person's.
    let bars = reason != Departure::Revoked;
    let Some(epoch) = app.store.clear_admission(consultation, seat, bars).await? else { return Ok(()) };
    if reason == Departure::Revoked {
        end_check(app, consultation, seat);
    }
    end_seat(app, consultation, seat, epoch);
    app.bus.tell(consultation, Audience::Everybody, Event::Gone { seat, epoch, reason });
    Ok(())
}

/// Ends what the relay carries for a seat's stays up to an epoch.
pub fn end_seat(app: &App, consultation: &str, seat: u8, epoch: i64) {
    app.relay.end_stays(&app.keys.call_label(consultation), &seat.to_string(), epoch.unsigned_abs());
}

/// Doctors' codes were taken back, and the rows say so: whoever came with one is out, waiting or sitting (R11).
pub fn bar(app: &App, ended: Vec<EndedCode>) {
    for EndedCode { consultation, seat, hash, held } in ended {
        if let Some(epoch) = held {
            end_seat(app, &consultation, seat, epoch);
        }
        app.bus.tell(&consultation, Audience::Everybody, Event::CodeRevoked { hash });
        if let Some(epoch) = held {
            let gone = Event::Gone { seat, epoch, reason: Departure::Removed };
            app.bus.tell(&consultation, Audience::Everybody, gone);
        }
    }
}

/// The doctor ends the consultation for all: only doctors come back without knocking.
pub async fn end(app: &App, consultation: &str) -> Result<(), sqlx::Error> {
    let epochs = app.store.clear_admissions(consultation).await?;
    for (seat, epoch) in &epochs {
        end_seat(app, consultation, *seat, *epoch);
    }
    app.bus.tell(consultation, Audience::Everybody, Event::Ended { epochs });
    Ok(())
}

/// Seats were added or taken away.
pub fn say_seats(app: &App, consultation: &str) {
    app.bus.tell(consultation, Audience::Everybody, Event::Seats);
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
        // No stay gets credentials any more, whether or not it has heard.
        end_seat(app, consultation, seat, i64::MAX);
        end_check(app, consultation, seat);
    }
    app.bus.tell(consultation, Audience::Everybody, Event::Revoked);
}

/// The check of a seat's device before the appointment ends with the seat.
fn end_check(app: &App, consultation: &str, seat: u8) {
    app.relay.end_call(&app.keys.check_label(consultation, seat));
}
