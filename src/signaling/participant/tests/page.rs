//! A page as the consultation page is: what it says when it comes, and what it believes of what it is told.

use std::collections::{BTreeMap, BTreeSet};

use crate::message::{ClientMessage, ErrorName, PublicKey, Secret, ServerMessage};

/// A tab.
pub struct Page {
    pub seat: u8,
    pub code: String,
    pub device: Secret,
    pub key: PublicKey,
    pub token: Option<Secret>,
    pub incarnation: Option<i64>,
    pub attempt: u32,
    /// The socket it listens to.
    pub socket: Option<usize>,
    pub standing: Standing,
    /// Who is present, away or was heard of, with its incarnation.
    pub partners: BTreeMap<u8, i64>,
    pub away: BTreeSet<u8>,
    pub knocks: BTreeSet<String>,
    pub doctors: BTreeSet<u8>,
    /// Whose descriptions came.
    pub heard: BTreeSet<u8>,
}

/// Where the page believes to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    Out,
    Waiting,
    In,
    /// It was told a last word.
    Final(&'static str),
}

impl Page {
    pub fn new(seat: u8, code: &str, number: u64) -> Self {
        Self {
            seat,
            code: code.to_owned(),
            device: secret("d", number),
            key: key(number, 0),
            token: None,
            incarnation: None,
            attempt: 0,
            socket: None,
            standing: Standing::Out,
            partners: BTreeMap::new(),
            away: BTreeSet::new(),
            knocks: BTreeSet::new(),
            doctors: BTreeSet::new(),
            heard: BTreeSet::new(),
        }
    }

    /// What it says first on a new socket.
    pub fn join(&mut self) -> ClientMessage {
        self.attempt += 1;
        ClientMessage::Join {
            code: self.code.clone().try_into().unwrap(),
            device: self.device.clone(),
            key: self.key.clone(),
            token: self.token.clone(),
            incarnation: self.incarnation.filter(|_| self.token.is_some()),
            attempt: Some(self.attempt),
        }
    }

    /// Loaded anew: what stood in the tab's storage stays.
    pub fn reload(&mut self, number: u64) {
        self.key = key(number, 1);
        (self.incarnation, self.socket) = (None, None);
        self.standing = Standing::Out;
        self.forget();
    }

    fn forget(&mut self) {
        self.partners.clear();
        self.away.clear();
        self.knocks.clear();
        self.doctors.clear();
        self.heard.clear();
    }

    /// Its socket is gone; it may come back.
    pub fn cut(&mut self) {
        self.socket = None;
    }

    pub fn hear(&mut self, message: &ServerMessage) {
        use ServerMessage as M;
        match message {
            M::Welcome { token, incarnation, holders, .. } => {
                self.standing = Standing::In;
                self.token = Some(Secret::try_from(token.clone()).unwrap());
                self.incarnation = Some(*incarnation);
                self.knocks.clear();
                self.doctors.clear();
                self.partners.retain(|seat, incarnation| {
                    holders.iter().any(|holder| (holder.seat, holder.incarnation) == (*seat, *incarnation))
                });
                // Who is there says so.
                self.away = self.partners.keys().copied().collect();
            }
            M::Waiting { .. } => {
                self.standing = Standing::Waiting;
                self.forget();
            }
            M::Doctor { seat, .. } => drop(self.doctors.insert(*seat)),
            M::DoctorGone { seat } => drop(self.doctors.remove(seat)),
            M::Peer { seat, incarnation, .. } => {
                self.partners.insert(*seat, *incarnation);
                self.away.remove(seat);
            }
            M::Away { seat, .. } => drop(self.away.insert(*seat)),
            M::Gone { seat, .. } => {
                self.partners.remove(seat);
                self.away.remove(seat);
            }
            M::Knock { knock, .. } => drop(self.knocks.insert(knock.clone())),
            M::KnockGone { knock } => drop(self.knocks.remove(knock)),
            M::SentBack {} => self.token = None,
            M::Description { from, .. } => drop(self.heard.insert(*from)),
            M::Refused {} => self.end("refused"),
            M::Removed {} => self.end("removed"),
            M::Replaced {} => self.end("replaced"),
            M::Ended {} => self.end("ended"),
            M::Revoked {} => self.end("revoked"),
            M::Error(complaint) => match complaint.error {
                ErrorName::CodeRevoked => self.end("revoked"),
                ErrorName::CodeExpired => self.end("expired"),
                ErrorName::Crowded => self.end("crowded"),
                _ => {}
            },
            _ => {}
        }
    }

    fn end(&mut self, word: &'static str) {
        self.standing = Standing::Final(word);
        self.socket = None;
        if word != "ended" {
            self.token = None;
        }
        self.incarnation = None;
        self.forget();
    }

    /// Whom it believes to be in the call with a socket.
    pub fn present(&self) -> BTreeMap<u8, i64> {
        self.partners
            .iter()
            .filter(|(seat, _)| !self.away.contains(seat))
            .map(|(seat, i)| (*seat, *i))
            .collect()
    }
}

/// 22 characters of base64url.
pub fn secret(what: &str, number: u64) -> Secret {
    Secret::try_from(format!("{what}{number:0>21}")).unwrap()
}

fn key(number: u64, life: u64) -> PublicKey {
    PublicKey::try_from(format!("K{life}{number:0>85}")).unwrap()
}
