//! What was heard last of each seat. Words about a seat may overtake each other; the epoch they name tells which one holds.

use crate::access::Role;
use crate::store::Seat;

/// The seats of a consultation.
#[derive(Default)]
pub struct Partners(Vec<Partner>);

struct Partner {
    seat: u8,
    role: Role,
    /// The latest stay that was heard of.
    heard: i64,
    /// Stays up to this epoch have ended.
    ended: i64,
}

impl Partners {
    /// As the rows say: what was heard before stays.
    pub fn read(&mut self, seats: &[Seat]) {
        for seat in seats {
            self.of(seat.number, seat.role).role = seat.role;
        }
        self.0.retain(|partner| seats.iter().any(|seat| seat.number == partner.seat));
    }

    /// How many seats there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// What a seat is for, if there is one of this number.
    pub fn role(&self, seat: u8) -> Option<Role> {
        self.0.iter().find(|partner| partner.seat == seat).map(|partner| partner.role)
    }

    /// Somebody holds a seat, or did until now: `false` where something later is known.
    pub fn hear(&mut self, seat: u8, role: Role, epoch: i64) -> bool {
        let partner = self.of(seat, role);
        let is_news = epoch >= partner.heard && epoch > partner.ended;
        if is_news {
            partner.heard = epoch;
            partner.role = role;
        }
        is_news
    }

    /// Stays have ended: `false` where a later one is known, which makes no difference to whom it is about.
    pub fn end(&mut self, seat: u8, epoch: i64) -> bool {
        // Before the rows are read nothing is known of what the seat is for; they tell.
        let partner = self.of(seat, Role::Guest);
        partner.ended = partner.ended.max(epoch);
        partner.heard <= epoch
    }

    /// Whether this stay has ended, as far as was heard.
    pub fn has_ended(&self, (seat, epoch): (u8, i64)) -> bool {
        self.0.iter().any(|partner| partner.seat == seat && epoch <= partner.ended)
    }

    fn of(&mut self, seat: u8, role: Role) -> &mut Partner {
        let index = self.0.iter().position(|partner| partner.seat == seat).unwrap_or_else(|| {
            self.0.push(Partner { seat, role, heard: 0, ended: 0 });
            self.0.len() - 1
        });
        &mut self.0[index]
    }
}
