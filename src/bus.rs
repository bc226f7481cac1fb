//! What the sockets of one consultation tell each other, and a practice's desks hear: subscribe and publish, at most once, bounded. In one
//! process for now; a message is plain data, so that another carrier fits behind the same two methods.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use crate::access::Role;
use crate::message::{Departure, ServerMessage};

/// Messages for each seat of a consultation that a subscriber may lag behind before it is dropped: a page that does not read harms nobody else.
pub const CAPACITY_PER_SEAT: usize = 128;

/// Something that happened in a consultation. What is said of a seat names the epoch that it is about: each listener keeps the latest it has heard of,
/// so that a word which comes late says nothing (docs/protocol.md).
#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum Event {
    /// A page holds its seat. `asks`: it is new, and the others answer with their own `Here`.
    Here { seat: u8, role: Role, incarnation: i64, epoch: i64, key: String, asks: bool },
    /// A page lost its socket and may resume.
    Away { seat: u8, role: Role, incarnation: i64, epoch: i64 },
    /// A seat's stays up to this epoch have ended: everybody closes the connection to it, its own page says farewell.
    Gone { seat: u8, epoch: i64, reason: Departure },
    /// A device waits. `asks`: it is new, and doctors answer with `Here`, other devices on the same seat with `AlsoWaiting`.
    Knock { knock: Knock, seat: u8, role: Role, another: bool, asks: bool },
    /// A device waits for this seat already.
    AlsoWaiting { knock: String },
    /// A socket waits no more under this label; another one of its device may.
    KnockGone { knock: String, claim: String },
    /// Who holds a seat as this epoch lets a device in.
    Admit { by: (u8, i64) },
    /// A doctor does not.
    Refuse { by: (u8, i64) },
    /// From page to page, sealed or opaque: dropped where its sender's stay has ended, and with an incarnation unless the addressee still is that one.
    Forward { from: Option<(u8, i64)>, incarnation: Option<i64>, message: Box<ServerMessage> },
    /// Is the device behind this socket alive? It is asked over it, and whoever asks is told.
    Probe { answer_to: String, question: String },
    /// It is.
    Alive { question: String },
    /// Seats were added or taken away.
    Seats,
    /// The doctor ended the consultation for all: each seat's stays up to its epoch.
    Ended { epochs: Vec<(u8, i64)> },
    /// The consultation was called off.
    Revoked,
    /// One code was taken back, by its [`crate::keys::Keys::code_hash`]; who came with another stays.
    CodeRevoked { hash: String },
}

/// A socket that waits. The knock is its device's, and of two sockets of one device the later waits on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Knock {
    /// The device's label ([`crate::keys::knock_label`]).
    pub label: String,
    /// Names the socket.
    pub claim: String,
    /// Names the page: fresh for each page life.
    pub key: String,
    /// The how manyth socket of its device.
    pub attempt: i64,
    /// Since when it waits.
    pub since: DateTime<Utc>,
}

impl Knock {
    /// Whether this socket waits in the other's place. A device says itself which of its sockets it goes on with; else whoever came last.
    pub fn is_later_than(&self, other: &Self) -> bool {
        (self.attempt, self.since, &self.claim) > (other.attempt, other.since, &other.claim)
    }
}

/// Whom an event is for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Audience {
    /// All sockets of the consultation, waiting ones included.
    Everybody,
    /// Whoever holds this seat.
    Seat(u8),
    /// One socket, by its claim.
    Socket(String),
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
    topics: Mutex<HashMap<String, Topic<T>>>,
}

struct Topic<T> {
    /// Messages that one listener may lag behind.
    capacity: usize,
    listeners: Vec<Listener<T>>,
}

struct Listener<T> {
    messages: UnboundedSender<Arc<T>>,
    waiting: Arc<AtomicUsize>,
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
    messages: UnboundedReceiver<Arc<T>>,
    waiting: Arc<AtomicUsize>,
}

/// The subscriber fell behind: messages are lost, and it must start anew.
#[derive(Debug, thiserror::Error)]
#[error("the subscriber fell behind")]
pub struct Lagged;

impl<T> Bus<T> {
    /// Listens to a topic, and lets at least so many messages wait for each of its listeners.
    pub fn subscribe(self: &Arc<Self>, topic: &str, capacity: usize) -> Subscription<T> {
        let (sender, messages) = unbounded_channel();
        let waiting = Arc::new(AtomicUsize::new(0));
        let mut topics = self.lock();
        let entry =
            topics.entry(topic.to_owned()).or_insert_with(|| Topic { capacity, listeners: Vec::new() });
        entry.capacity = entry.capacity.max(capacity);
        entry.listeners.push(Listener { messages: sender, waiting: Arc::clone(&waiting) });
        drop(topics);
        Subscription { bus: Arc::clone(self), topic: topic.to_owned(), messages, waiting }
    }

    /// Lets more messages wait for each listener of a topic.
    pub fn widen(&self, topic: &str, capacity: usize) {
        if let Some(topic) = self.lock().get_mut(topic) {
            topic.capacity = topic.capacity.max(capacity);
        }
    }

    /// Tells everyone who listens to the topic now, the publisher included: at most once, and nothing more to who has fallen behind.
    pub fn publish(&self, topic: &str, message: T) {
        let mut topics = self.lock();
        let Some(topic) = topics.get_mut(topic) else { return };
        let (message, capacity) = (Arc::new(message), topic.capacity);
        topic.listeners.retain(|listener| {
            listener.waiting.fetch_add(1, Ordering::Relaxed) < capacity
                && listener.messages.send(Arc::clone(&message)).is_ok()
        });
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<String, Topic<T>>> {
        self.topics.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

impl Bus<Envelope> {
    /// Tells one, or everybody, of a consultation.
    pub fn tell(&self, consultation: &str, to: Audience, event: Event) {
        self.publish(consultation, Envelope { to, event });
    }
}

impl<T> Subscription<T> {
    /// The next message; an error once all are read that came before it fell behind. Cancel-safe.
    pub async fn next(&mut self) -> Result<Arc<T>, Lagged> {
        let message = self.messages.recv().await.ok_or(Lagged)?;
        self.waiting.fetch_sub(1, Ordering::Relaxed);
        Ok(message)
    }
}

impl<T> Drop for Subscription<T> {
    fn drop(&mut self) {
        let mut topics = self.bus.lock();
        let Some(topic) = topics.get_mut(&self.topic) else { return };
        topic.listeners.retain(|listener| !Arc::ptr_eq(&listener.waiting, &self.waiting));
        if topic.listeners.is_empty() {
            topics.remove(&self.topic);
        }
    }
}
