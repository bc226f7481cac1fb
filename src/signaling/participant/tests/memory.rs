//! A consultation's rows in memory: what the store does with them, checked against the real one by the same operations.

use std::collections::BTreeMap;

use chrono::{DateTime, Duration, Utc};

use crate::access::{Paths, Role, Window};
use crate::store::{Claim, Consultation, Found, IssuedCode, Seat};

/// One consultation.
pub struct Memory {
    pub consultation: Consultation,
    pub seats: BTreeMap<u8, Seat>,
    /// The hash a seat is held by.
    pub held_by: BTreeMap<u8, String>,
    /// By hash: the seat, and when it was revoked.
    pub codes: BTreeMap<String, (u8, Option<DateTime<Utc>>)>,
}

impl Memory {
    pub fn new(id: &str, starts_at: DateTime<Utc>) -> Self {
        let window = Window::new(starts_at, Duration::minutes(30));
        let consultation =
            Consultation { id: id.to_owned(), window, revoked_at: None, paths: Paths::Any, practice: None };
        Self { consultation, seats: BTreeMap::new(), held_by: BTreeMap::new(), codes: BTreeMap::new() }
    }

    /// A new seat, or one whose codes are all dead anew.
    pub fn add_seat(&mut self, number: u8, role: Role, code_hash: &str) {
        let seat = self.seats.entry(number).or_insert(Seat {
            number,
            role,
            incarnation: 0,
            claim: None,
            token_hash: None,
            previous_token_hash: None,
            admitted_at: None,
            epoch: 0,
            attempt: 0,
            device: None,
            is_barred: false,
        });
        seat.role = role;
        self.codes.insert(code_hash.to_owned(), (number, None));
    }

    pub fn end_codes(&mut self, number: u8, now: DateTime<Utc>) {
        for (_, revoked_at) in self.codes.values_mut().filter(|(seat, _)| *seat == number) {
            revoked_at.get_or_insert(now);
        }
    }

    pub fn find(&self, code_hash: &str) -> Option<Found> {
        let (number, revoked_at) = self.codes.get(code_hash)?;
        Some(Found {
            consultation: self.consultation.clone(),
            seat: self.seats[number].clone(),
            code: IssuedCode { revoked_at: *revoked_at, use_by: None, used_by: None },
            inviter: None,
        })
    }

    pub fn seats(&self) -> Vec<Seat> {
        self.seats.values().cloned().collect()
    }

    pub fn claim(&mut self, claim: &Claim) -> bool {
        let is_code_good =
            self.codes.get(&claim.code_hash).is_some_and(|(_, revoked_at)| revoked_at.is_none());
        let consultation = &self.consultation;
        let is_open = consultation.revoked_at.is_none()
            && (claim.resumes || consultation.window.expires_at > claim.now);
        let Some(seat) = self.seats.get_mut(&claim.seat) else { return false };
        if !is_code_good || !is_open || seat.epoch != claim.seen {
            return false;
        }
        *seat = Seat {
            number: seat.number,
            role: seat.role,
            incarnation: claim.incarnation,
            claim: Some(claim.claim.clone()),
            token_hash: Some(claim.token_hash.clone()),
            previous_token_hash: claim.previous_token_hash.clone(),
            admitted_at: if claim.resumes { seat.admitted_at } else { Some(claim.now) },
            epoch: seat.epoch + 1,
            attempt: claim.attempt,
            device: Some(claim.device.clone()),
            is_barred: false,
        };
        self.held_by.insert(claim.seat, claim.code_hash.clone());
        true
    }

    pub fn release(&mut self, number: u8, claim: &str) {
        if let Some(seat) = self.seats.get_mut(&number) {
            seat.claim.take_if(|holder| holder == claim);
        }
    }

    pub fn release_all(&mut self) {
        self.seats.values_mut().for_each(|seat| seat.claim = None);
    }

    pub fn clear_admission(&mut self, number: u8, bars: bool) -> Option<i64> {
        let seat = self.seats.get_mut(&number)?;
        clear(seat);
        seat.is_barred = bars;
        Some(seat.epoch)
    }

    pub fn clear_admissions(&mut self) -> Vec<(u8, i64)> {
        for seat in self.seats.values_mut() {
            if seat.role == Role::Doctor {
                seat.claim = None;
                seat.epoch += 1;
            } else {
                clear(seat);
            }
        }
        self.seats.values().map(|seat| (seat.number, seat.epoch)).collect()
    }

    pub fn revoke(&mut self, now: DateTime<Utc>) {
        self.consultation.revoked_at.get_or_insert(now);
    }
}

fn clear(seat: &mut Seat) {
    (seat.claim, seat.token_hash, seat.previous_token_hash, seat.admitted_at) = (None, None, None, None);
    seat.epoch += 1;
}
