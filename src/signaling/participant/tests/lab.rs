//! The world around the participants, and what has to hold in it at any time.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::ffi::OsString;
use std::sync::Arc;
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};

use super::super::{Answer, Context, Effect, Input, Now, Participant, Phase, Query, Standing as Stands};
use super::memory::Memory;
use super::page::{Page, Standing};
use crate::access::{AccessCode, Role};
use crate::bus::{Audience, Envelope, Event};
use crate::ice::IceServer;
use crate::keys::Keys;
use crate::message::{ClientMessage, Departure, ServerMessage};

pub const ID: &str = "a consultation";

pub struct Lab {
    pub now: Now,
    pub store: Memory,
    pub pages: Vec<Page>,
    sockets: Vec<End>,
    keys: Keys,
    draws: u64,
    /// Second halves of ends: the rows are changed, the rest follows.
    ends: VecDeque<Ending>,
    /// Stays up to this epoch have ended at the relay, by seat.
    relay: BTreeMap<u8, i64>,
    /// The latest epoch of each incarnation of a seat.
    incarnations: HashMap<(u8, i64), i64>,
    /// The words that a doctor, or the practice, has given cause for, by seat.
    causes: BTreeSet<(u8, &'static str)>,
    pub steps: u64,
    /// LAB_TRACE names a file for what happened before the last panic.
    trace: Option<(OsString, String)>,
}

impl Drop for Lab {
    fn drop(&mut self) {
        if let Some((file, trace)) = self.trace.take().filter(|_| std::thread::panicking()) {
            let _ = std::fs::write(file, trace);
        }
    }
}

/// A socket at the server.
struct End {
    participant: Participant,
    page: usize,
    is_subscribed: bool,
    events: VecDeque<Arc<Envelope>>,
    asked: VecDeque<Query>,
    answers: VecDeque<Answer>,
    is_closed: bool,
    /// The seat and epoch that it was given last.
    held: Option<(u8, i64)>,
    /// Ends that it was told of, by seat.
    told: BTreeMap<u8, i64>,
    is_revoked: bool,
}

struct Ending {
    seats: Vec<(u8, i64)>,
    event: Event,
    answers: Option<usize>,
}

impl Lab {
    /// One doctor's seat and one patient's, a page for each.
    pub fn new() -> Self {
        let unix = DateTime::parse_from_rfc3339("2026-12-01T10:00:00Z").unwrap().with_timezone(&Utc);
        let mut lab = Self {
            now: Now { monotonic: Instant::now(), unix },
            store: Memory::new(ID, unix),
            pages: Vec::new(),
            sockets: Vec::new(),
            keys: Keys::fixed(),
            draws: 0,
            ends: VecDeque::new(),
            relay: BTreeMap::new(),
            incarnations: HashMap::new(),
            causes: BTreeSet::new(),
            steps: 0,
            trace: std::env::var_os("LAB_TRACE").map(|file| (file, String::new())),
        };
        lab.add_seat(Role::Doctor);
        lab.add_seat(Role::Patient);
        lab
    }

    /// A seat under the lowest number that is free, and a page with its code.
    pub fn add_seat(&mut self, role: Role) -> Option<usize> {
        let is_free =
            |number: &u8| !self.store.codes.values().any(|(seat, end)| seat == number && end.is_none());
        let number = (1..=4).find(is_free)?;
        let (code, hash) = self.code();
        self.store.add_seat(number, role, &hash);
        self.tell(Audience::Everybody, Event::Seats);
        Some(self.add_page(number, &code))
    }

    fn code(&self) -> (String, String) {
        let code = AccessCode::random();
        (code.to_string(), self.keys.code_hash(&code.canonical()))
    }

    /// Another device with a seat's code.
    pub fn add_page(&mut self, seat: u8, code: &str) -> usize {
        self.draws += 1;
        self.pages.push(Page::new(seat, code, self.draws));
        self.pages.len() - 1
    }

    /// The practice takes a seat away, or gives it a new code.
    pub fn end_seat(&mut self, seat: u8, is_reissued: bool) {
        self.store.end_codes(seat, self.now.unix);
        if is_reissued {
            let (code, hash) = self.code();
            self.store.codes.insert(hash, (seat, None));
            self.add_page(seat, &code);
        }
        self.dismiss(seat, Departure::Revoked, None);
        self.finish_ends();
        self.tell(Audience::Everybody, Event::Seats);
    }

    pub fn revoke(&mut self) {
        self.store.revoke(self.now.unix);
        self.relay = (1..=4).map(|seat| (seat, i64::MAX)).collect();
        self.tell(Audience::Everybody, Event::Revoked);
    }

    fn dismiss(&mut self, seat: u8, reason: Departure, answers: Option<usize>) {
        let word = match reason {
            Departure::Revoked => "revoked",
            _ => "removed",
        };
        self.causes.insert((seat, word));
        if let Some(epoch) = self.store.clear_admission(seat, reason != Departure::Revoked) {
            let event = Event::Gone { seat, epoch, reason };
            self.ends.push_back(Ending { seats: vec![(seat, epoch)], event, answers });
        }
    }

    fn finish_ends(&mut self) {
        while !self.ends.is_empty() {
            self.finish_end();
        }
    }

    fn finish_end(&mut self) {
        let Some(Ending { seats, event, answers }) = self.ends.pop_front() else { return };
        for (seat, epoch) in seats {
            self.end_at_relay(seat, epoch);
        }
        self.tell(Audience::Everybody, event);
        if let Some(socket) = answers {
            self.sockets[socket].answers.push_back(Answer::Done(Ok(())));
        }
    }

    fn end_at_relay(&mut self, seat: u8, epoch: i64) {
        let ended = self.relay.entry(seat).or_default();
        *ended = epoch.max(*ended);
    }

    fn tell(&mut self, to: Audience, event: Event) {
        let envelope = Arc::new(Envelope { to, event });
        for end in self.sockets.iter_mut().filter(|end| end.is_subscribed) {
            end.events.push_back(Arc::clone(&envelope));
        }
    }

    /// The page opens a socket and says that it comes. The one before may live on at the server.
    pub fn open(&mut self, page: usize) {
        if let Standing::Final(_) = self.pages[page].standing {
            return;
        }
        let socket = self.sockets.len();
        self.sockets.push(End {
            participant: Participant::new(self.now),
            page,
            is_subscribed: false,
            events: VecDeque::new(),
            asked: VecDeque::new(),
            answers: VecDeque::new(),
            is_closed: false,
            held: None,
            told: BTreeMap::new(),
            is_revoked: false,
        });
        self.pages[page].socket = Some(socket);
        let join = self.pages[page].join();
        self.step(socket, Input::Message(join));
    }

    /// The page is loaded anew and comes back.
    pub fn reload(&mut self, page: usize) {
        self.draws += 1;
        self.pages[page].reload(self.draws);
        self.open(page);
    }

    /// The server learns that a socket is gone.
    pub fn lose(&mut self, socket: usize) {
        if !self.sockets[socket].is_closed {
            self.sockets[socket].is_closed = true;
            let page = self.sockets[socket].page;
            if self.pages[page].socket == Some(socket) {
                self.pages[page].cut();
            }
            self.step(socket, Input::Lost);
        }
    }

    /// What a page says, if its socket is open and the server reads.
    pub fn say(&mut self, page: usize, message: ClientMessage) {
        let Some(socket) = self.pages[page].socket else { return };
        let end = &self.sockets[socket];
        if end.is_closed || !end.participant.is_listening() {
            return;
        }
        match &message {
            ClientMessage::Admit { knock } => drop(self.pages[page].knocks.remove(knock.as_str())),
            ClientMessage::Refuse { knock } => {
                self.pages[page].knocks.remove(knock.as_str());
                self.causes.extend((1..=4).map(|seat| (seat, "refused")));
            }
            ClientMessage::Leave {} => {
                let page = &mut self.pages[page];
                page.cut();
                page.standing = Standing::Out;
                page.incarnation = None;
            }
            _ => {}
        }
        self.step(socket, Input::Message(message));
    }

    /// The process ends and another begins: no socket, no claim, no memory.
    pub fn restart(&mut self) {
        self.finish_ends();
        for socket in 0..self.sockets.len() {
            self.sockets[socket].is_closed = true;
            self.sockets[socket].is_subscribed = false;
            self.sockets[socket].participant.phase = Phase::Over;
            self.sockets[socket].participant.pending.clear();
            self.sockets[socket].events.clear();
            self.sockets[socket].asked.clear();
            self.sockets[socket].answers.clear();
        }
        self.pages.iter_mut().for_each(Page::cut);
        self.store.release_all();
        if self.store.consultation.revoked_at.is_none() {
            self.relay.clear();
        }
    }

    /// The clock on the wall steps; nothing that lasts notices.
    pub fn step_clock(&mut self, by: Duration) {
        self.now.unix += chrono::Duration::from_std(by).unwrap();
    }

    /// Time passes. The server itself is never half a second late: who is asked and does not answer for a second counts as gone.
    pub fn advance(&mut self, mut by: Duration) {
        const AT_ONCE: Duration = Duration::from_secs(5);
        if by >= Duration::from_millis(500) {
            self.run_all();
        }
        while by > AT_ONCE {
            self.advance_by(AT_ONCE);
            self.run_all();
            by -= AT_ONCE;
        }
        self.advance_by(by);
    }

    fn advance_by(&mut self, by: Duration) {
        self.now.monotonic += by;
        self.now.unix += chrono::Duration::from_std(by).unwrap();
        for socket in 0..self.sockets.len() {
            while self.sockets[socket].participant.deadline().is_some_and(|at| at <= self.now.monotonic)
                && !self.sockets[socket].participant.is_over()
            {
                let before = self.sockets[socket].participant.deadline();
                self.step(socket, Input::Tick);
                if self.sockets[socket].participant.deadline() == before {
                    break;
                }
            }
        }
    }

    /// What may happen next, in any order: an event is heard, a question is asked of the store, an answer arrives, an end goes on.
    pub fn run_one(&mut self, choice: usize) -> bool {
        let mut ways = Vec::new();
        for (index, end) in self.sockets.iter().enumerate() {
            if !end.events.is_empty() {
                ways.push((index, 0));
            }
            if !end.asked.is_empty() && end.answers.is_empty() {
                ways.push((index, 1));
            }
            if !end.answers.is_empty() {
                ways.push((index, 2));
            }
        }
        if !self.ends.is_empty() {
            ways.push((usize::MAX, 3));
        }
        if ways.is_empty() {
            return false;
        }
        let (socket, way) = ways[choice % ways.len()];
        match way {
            0 => {
                let event = self.sockets[socket].events.pop_front().unwrap();
                self.note(socket, &event);
                self.step(socket, Input::Event(event));
            }
            1 => {
                // A question stays the first until its answer is there.
                if let Some(query) = self.sockets[socket].asked.pop_front() {
                    self.execute(socket, query);
                }
            }
            2 => {
                let answer = self.sockets[socket].answers.pop_front().unwrap();
                self.step(socket, Input::Answer(answer));
            }
            _ => self.finish_end(),
        }
        true
    }

    pub fn run_all(&mut self) {
        for _ in 0..100_000 {
            if !self.run_one(0) {
                return;
            }
        }
        panic!("it never comes to rest");
    }

    /// Two seconds in which nobody does anything, and a device that is gone has been found to be.
    pub fn settle(&mut self) {
        self.run_all();
        for _ in 0..4 {
            self.advance(Duration::from_millis(500));
            self.run_all();
        }
    }

    fn execute(&mut self, socket: usize, query: Query) {
        let store = &mut self.store;
        let answer = match query {
            Query::Find { code_hash, .. } => {
                Answer::Found(Ok(store.find(&code_hash).map(Box::new)), Duration::ZERO)
            }
            Query::Use { .. } => Answer::Used(Ok(true)),
            Query::Enter { code_hash, .. } => {
                let seats = store.seats();
                Answer::Entered(Ok(store.find(&code_hash).map(|found| (Box::new(found), seats))))
            }
            Query::Claim(claim) => {
                let is_claimed = store.claim(&claim);
                if is_claimed {
                    let epoch = claim.seen + 1;
                    self.sockets[socket].held = Some((claim.seat, epoch));
                    self.incarnations.insert((claim.seat, claim.incarnation), epoch);
                }
                Answer::Claimed(Ok(is_claimed))
            }
            Query::Release { seat, claim, .. } => {
                store.release(seat, &claim);
                Answer::Done(Ok(()))
            }
            Query::Seated { seat, epoch, .. } => {
                let seats = store.seats();
                Answer::Seated(Ok((seats, self.mint(socket, seat, epoch))))
            }
            Query::Seats { .. } => Answer::Seats(Ok(store.seats())),
            Query::Mint { seat, epoch, .. } => Answer::Minted(self.mint(socket, seat, epoch)),
            Query::Dismiss { seat, reason, .. } => return self.dismiss(seat, reason, Some(socket)),
            Query::End { .. } => {
                let epochs = store.clear_admissions();
                self.causes.extend((1..=4).map(|seat| (seat, "ended")));
                let event = Event::Ended { epochs: epochs.clone() };
                self.ends.push_back(Ending { seats: epochs, event, answers: Some(socket) });
                return;
            }
        };
        self.sockets[socket].answers.push_back(answer);
    }

    fn mint(&mut self, socket: usize, seat: u8, epoch: i64) -> Option<Vec<IceServer>> {
        let ended = self.relay.get(&seat).copied().unwrap_or_default();
        if epoch <= ended {
            return None;
        }
        let (own, held) = self.sockets[socket].held.expect("only who holds a seat asks for credentials");
        assert!(
            own == seat && held > ended,
            "credentials for the holder of before: seat {seat}, epoch {held}, ended up to {ended}"
        );
        Some(Vec::new())
    }

    fn step(&mut self, socket: usize, input: Input) {
        self.steps += 1;
        let Self { sockets, keys, draws, now, trace, .. } = self;
        let mut random = || {
            *draws += 1;
            format!("r{draws:0>21}")
        };
        let mut effects = Vec::new();
        let mut context = Context { now: *now, keys, random: &mut random, effects: &mut effects };
        let happened = trace.as_ref().map(|_| format!("{input:?}"));
        sockets[socket].participant.step(input, &mut context);
        if let (Some((_, trace)), Some(happened)) = (trace, happened) {
            let page = sockets[socket].page;
            trace.push_str(&format!("socket {socket} of page {page}: {happened}\n    {effects:?}\n"));
        }
        for effect in effects {
            self.carry_out(socket, effect);
        }
    }

    fn carry_out(&mut self, socket: usize, effect: Effect) {
        let end = &mut self.sockets[socket];
        match effect {
            Effect::Send(message) if !end.is_closed => self.send(socket, &message),
            Effect::Close(code, _) if !end.is_closed => {
                end.is_closed = true;
                let page = &mut self.pages[end.page];
                if page.socket == Some(socket) && matches!(code, 1011..=1013) {
                    page.cut();
                }
            }
            Effect::Publish(to, event) => self.tell(to, event),
            Effect::Subscribe { .. } => end.is_subscribed = true,
            Effect::Unsubscribe => {
                end.is_subscribed = false;
                end.is_closed = true;
                end.events.clear();
            }
            Effect::Ask(query) => end.asked.push_back(query),
            Effect::Ping(payload) if !end.is_closed => {
                // A device that is there answers at once; a socket that it has left behind is answered by nobody.
                let is_there = self.pages[end.page].socket == Some(socket);
                is_there.then(|| self.step(socket, Input::Pong(payload)));
            }
            Effect::EndSeat { seat, epoch, .. } => self.end_at_relay(seat, epoch),
            _ => {}
        }
    }

    /// What a socket was told, for what it must not hear after it.
    fn note(&mut self, socket: usize, envelope: &Envelope) {
        let end = &mut self.sockets[socket];
        let mut told = |seat: u8, epoch: i64| {
            let known = end.told.entry(seat).or_default();
            *known = epoch.max(*known);
        };
        match &envelope.event {
            Event::Gone { seat, epoch, .. } => told(*seat, *epoch),
            Event::Ended { epochs } => epochs.iter().for_each(|(seat, epoch)| told(*seat, *epoch)),
            Event::Revoked => end.is_revoked = true,
            _ => {}
        }
    }

    /// Nothing of a call for who is not in it, and nothing after an end (R07, R11).
    fn send(&mut self, socket: usize, message: &ServerMessage) {
        let end = &self.sockets[socket];
        let is_of_a_call = matches!(
            message,
            ServerMessage::Welcome { .. }
                | ServerMessage::Ice { .. }
                | ServerMessage::Peer { .. }
                | ServerMessage::Description { .. }
                | ServerMessage::Candidate { .. }
        );
        if is_of_a_call {
            let (seat, epoch) = end.held.expect("who never held a seat gets nothing of a call");
            let ended = end.told.get(&seat).copied().unwrap_or_default();
            assert!(epoch > ended && !end.is_revoked, "{message:?} after the end of seat {seat}");
        }
        if let ServerMessage::Description { from, incarnation, .. } = message {
            let epoch = self.incarnations[&(*from, *incarnation)];
            let ended = end.told.get(from).copied().unwrap_or_default();
            assert!(epoch > ended, "a description of seat {from} after its end");
        }
        let page = end.page;
        if self.pages[page].socket != Some(socket) {
            return;
        }
        if let Some(word) = last_word(message) {
            self.judge(socket, word);
        }
        self.pages[page].hear(message);
    }

    /// A last word to the socket that its page listens to needs a cause.
    fn judge(&self, socket: usize, word: &'static str) {
        let (page, end) = (&self.pages[self.sockets[socket].page], &self.sockets[socket]);
        let seat = &self.store.seats[&page.seat];
        match word {
            "replaced" => {
                let holder = self.sockets.iter().find(|other| {
                    other.held.is_some_and(|(number, epoch)| {
                        number == page.seat && epoch > end.held.map_or(0, |(_, mine)| mine)
                    })
                });
                let is_other = holder.is_some_and(|holder| holder.page != end.page)
                    // Its stay was ended, and a socket it had left behind came in before it was told.
                    || ["ended", "removed"].iter().any(|word| self.causes.contains(&(seat.number, *word)))
                    // Two tabs with one device's storage, or a tab before it was loaded anew.
                    || self.sockets.iter().any(|other| other.page != end.page && self.pages[other.page].device == page.device);
                assert!(is_other, "replaced, and nobody else is there: seat {}", page.seat);
            }
            "revoked" => {
                let hash = self.keys.code_hash(&AccessCode::parse(&page.code).unwrap().canonical());
                let is_revoked =
                    self.store.consultation.revoked_at.is_some() || self.store.codes[&hash].1.is_some();
                assert!(is_revoked, "revoked, and the code is good: seat {}", page.seat);
            }
            word => assert!(
                self.causes.contains(&(seat.number, word)),
                "{word} without a cause: seat {}",
                page.seat
            ),
        }
    }

    /// What has to hold when all is quiet.
    pub fn check(&self) {
        let held: Vec<_> =
            (0..self.sockets.len()).filter_map(|socket| Some((socket, self.standing(socket)?))).collect();
        for (number, seat) in &self.store.seats {
            let admitted: Vec<_> =
                held.iter().filter(|(socket, (is_in, _))| *is_in && self.seat(*socket) == *number).collect();
            assert!(admitted.len() <= 1, "seat {number} is held twice");
            let claim = admitted.first().map(|(_, (_, claim))| claim.clone());
            assert_eq!(claim, seat.claim, "who holds seat {number} is not whom its row names");
        }
        let present: BTreeMap<u8, i64> = held
            .iter()
            .filter(|(_, (is_in, _))| *is_in)
            .map(|(socket, _)| (self.seat(*socket), self.store.seats[&self.seat(*socket)].incarnation))
            .collect();
        for (index, page) in self.pages.iter().enumerate() {
            let Some(socket) = page.socket.filter(|socket| !self.sockets[*socket].is_closed) else {
                continue;
            };
            let Some((is_in, _)) = self.standing(socket) else { continue };
            assert_eq!(
                page.standing == Standing::In,
                is_in,
                "page {index} is in where it believes to be out, or the other way"
            );
            let mut others = present.clone();
            if is_in {
                others.remove(&page.seat);
                assert_eq!(page.present(), others, "whom page {index} (seat {}) sees", page.seat);
            } else {
                let doctors: BTreeSet<u8> = others
                    .keys()
                    .copied()
                    .filter(|seat| self.store.seats[seat].role == Role::Doctor)
                    .collect();
                assert_eq!(page.doctors, doctors, "the doctors that page {index} waits for");
            }
            if is_in && self.store.seats[&page.seat].role == Role::Doctor {
                let waiting: BTreeSet<String> = held
                    .iter()
                    .filter(|(_, (is_in, _))| !is_in)
                    .map(|(socket, _)| self.label(*socket))
                    .filter(|label| *label != self.label(socket))
                    .collect();
                let knocks =
                    page.knocks.iter().filter(|knock| **knock != self.label(socket)).cloned().collect();
                assert_eq!(waiting, knocks, "who waits, and whom the doctor of page {index} sees knock");
            }
        }
    }

    /// Whether a socket is in, or waits, and its claim.
    fn standing(&self, socket: usize) -> Option<(bool, String)> {
        let end = &self.sockets[socket];
        let Phase::Inside(inside) = &end.participant.phase else { return None };
        let claim = inside.knock.claim.clone();
        match inside.standing {
            Stands::Waiting(_) => Some((false, claim)),
            Stands::Admitted(_) | Stands::Seating(..) => Some((true, claim)),
            Stands::Joining(_) => None,
        }
    }

    fn seat(&self, socket: usize) -> u8 {
        self.pages[self.sockets[socket].page].seat
    }

    fn label(&self, socket: usize) -> String {
        match &self.sockets[socket].participant.phase {
            Phase::Inside(inside) => inside.knock.label.clone(),
            _ => String::new(),
        }
    }

    pub fn is_in(&self, page: usize) -> bool {
        self.pages[page].standing == Standing::In && self.pages[page].socket.is_some()
    }

    pub fn open_sockets(&self) -> Vec<usize> {
        (0..self.sockets.len()).filter(|socket| !self.sockets[*socket].is_closed).collect()
    }

    /// Whether a page's code is good.
    pub fn is_entitled(&self, page: usize) -> bool {
        let hash = self.keys.code_hash(&AccessCode::parse(&self.pages[page].code).unwrap().canonical());
        let consultation = &self.store.consultation;
        consultation.revoked_at.is_none()
            && self.now.unix < consultation.window.expires_at
            && self.store.codes[&hash].1.is_none()
    }
}

fn last_word(message: &ServerMessage) -> Option<&'static str> {
    Some(match message {
        ServerMessage::Refused {} => "refused",
        ServerMessage::Removed {} => "removed",
        ServerMessage::Replaced {} => "replaced",
        ServerMessage::Ended {} => "ended",
        ServerMessage::Revoked {} => "revoked",
        _ => return None,
    })
}
