//! What the sockets of one consultation tell each other, and a practice's desks hear: subscribe and publish, at most once, bounded. In one
//! process for now; a message is plain data, so that another carrier fits behind the same two methods.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use tokio::sync::broadcast;

use crate::access::Role;
use crate::message::{Departure, ServerMessage};

/// Messages for each seat of a consultation that a subscriber may lag behind before it is dropped: a page that does not read harms nobody else.
pub const CAPACITY_PER_SEAT: usize = 128;

/// Something that happened in a consultation.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum Event {
    /// A page holds its seat. `asks`: it is new, and the others answer with their own `Here`.
    Here { seat: u8, role: Role, incarnation: i64, key: String, claim: String, asks: bool },
    /// A page lost its socket and may resume.
    Away { seat: u8, role: Role, incarnation: i64, claim: String },
    /// A seat's stay has ended: everybody closes the connection to it, its own page says farewell.
    Gone { seat: u8, incarnation: i64, reason: Departure },
    /// A device waits. `asks`: it is new, and doctors answer with `Here`, other devices on the same seat with `AlsoWaiting`.
    Knock {
        knock: String,
        seat: u8,
        role: Role,
        since: DateTime<Utc>,
        another: bool,
        claim: String,
        asks: bool,
    },
    /// A device waits for this seat already.
    AlsoWaiting { knock: String },
    /// A device waits no more.
    KnockGone { knock: String },
    /// A doctor lets a device in.
    Admit { knock: String },
    /// A doctor does not.
    Refuse { knock: String },
    /// From page to page, sealed or opaque. With an incarnation: dropped unless the addressee still is that one.
    Forward { incarnation: Option<i64>, message: Box<ServerMessage> },
    /// Is the device behind this claim alive? It is asked over its socket.
    Probe { seat: u8, claim: String, answer_to: String },
    /// It is.
    Alive { answer_to: String },
    /// The doctor ended the consultation for all.
    Ended,
    /// The consultation was called off.
    Revoked,
    /// One code was taken back, by its [`crate::keys::Keys::code_hash`]; who came with another stays.
    CodeRevoked { hash: String },
}

/// Whom an event is for.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum Audience {
    /// All sockets of the consultation, waiting ones included.
    Everybody,
    /// Whoever holds this seat.
    Seat(u8),
    /// The device that waits under this label.
    Knock(String),
}

/// An event and its addressee.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Envelope {
    /// Whom it is for.
    pub to: Audience,
    /// What happened.
    pub event: Event,
}

/// One node: topics in this process.
pub struct Bus<T> {
    /// Never held across an await; a topic lives as long as someone listens.
    topics: Mutex<HashMap<String, broadcast::Sender<Arc<T>>>>,
}

impl<T> Default for Bus<T> {
    fn default() -> Self {
        Self { topics: Mutex::default() }
    }
}

/// The messages of one topic from the moment of subscribing on.
pub struct Subscription<T> {
    bus: Arc<Bus<T>>,
    topic: String,
    receiver: Option<broadcast::Receiver<Arc<T>>>,
}

/// The subscriber fell behind: messages are lost, and it must start anew.
#[derive(Debug, thiserror::Error)]
#[error("the subscriber fell behind")]
pub struct Lagged;

impl<T> Bus<T> {
    /// Listens to a topic. The first subscriber says how many messages may wait for one that reads slowly.
    pub fn subscribe(self: &Arc<Self>, topic: &str, capacity: usize) -> Subscription<T> {
        let mut topics = self.lock();
        let sender = topics.entry(topic.to_owned()).or_insert_with(|| broadcast::channel(capacity).0);
        Subscription { bus: Arc::clone(self), topic: topic.to_owned(), receiver: Some(sender.subscribe()) }
    }

    /// Tells everyone who listens to the topic now, the publisher included.
    pub fn publish(&self, topic: &str, message: T) {
        if let Some(sender) = self.lock().get(topic) {
            // An error means that nobody listens, which is fine: at most once.
            let _ = sender.send(Arc::new(message));
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<String, broadcast::Sender<Arc<T>>>> {
        self.topics.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

impl Bus<Envelope> {
    /// Tells one, or everybody, of a consultation.
    pub fn tell(&self, consultation: &str, to: Audience, event: Event) {
        self.publish(consultation, Envelope { to, event });
    }
}

impl<T: Clone> Subscription<T> {
    /// The next message. Cancel-safe.
    pub async fn next(&mut self) -> Result<Arc<T>, Lagged> {
        match &mut self.receiver {
            Some(receiver) => receiver.recv().await.map_err(|_| Lagged),
            None => Err(Lagged),
        }
    }

    /// The next message, if it is here already.
    pub fn try_next(&mut self) -> Option<Arc<T>> {
        self.receiver.as_mut().and_then(|receiver| receiver.try_recv().ok())
    }
}

impl<T> Drop for Subscription<T> {
    fn drop(&mut self) {
        self.receiver = None;
        let mut topics = self.bus.lock();
        if topics.get(&self.topic).is_some_and(|topic| topic.receiver_count() == 0) {
            topics.remove(&self.topic);
        }
    }
}
