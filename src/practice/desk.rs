//! What the practice's side keeps in memory.

use std::sync::Arc;
use std::time::Instant;

use url::Url;
use webauthn_rs::Webauthn;

use super::live::{Changed, LiveMessage};
use super::passkeys::{Ceremonies, relying_party};
use super::password::Lane;
use super::presence::Presence;
use crate::bus::Bus;
use crate::invitation::Mailer;
use crate::limit::{Attempts, LIVE, Places};

/// What the desk keeps in memory.
pub struct Desk {
    /// What a practice's desks hear of each other and of their patients.
    pub bus: Arc<Bus<LiveMessage>>,
    /// Sockets of the desk's pages, by user.
    pub live: Arc<Places>,
    /// Who waits and who sits where, by practice.
    pub presence: Presence,
    /// Budgets against guessing.
    pub attempts: Attempts,
    /// Where strangers' passwords are hashed.
    pub hashing: Arc<Lane>,
    /// The same for released workplaces: whoever keeps the strangers' lane busy delays no colleague.
    pub hashing_here: Arc<Lane>,
    /// Passkey ceremonies under way.
    pub ceremonies: Ceremonies,
    /// None where the public URL has no name: WebAuthn wants one.
    pub webauthn: Option<Webauthn>,
    /// None where no mail server is configured.
    pub mailer: Option<Mailer>,
}

impl Desk {
    /// An empty desk.
    pub fn new(public_url: &Url, mailer: Option<Mailer>) -> Self {
        Self {
            bus: Arc::default(),
            live: Places::new(LIVE),
            presence: Presence::default(),
            attempts: Attempts::new(Instant::now()),
            hashing: Lane::new(),
            hashing_here: Lane::new(),
            ceremonies: Ceremonies::default(),
            webauthn: relying_party(public_url),
            mailer,
        }
    }

    /// Tells a practice's desks what to read anew.
    pub fn tell(&self, practice: &str, changed: Changed) {
        self.bus.publish(practice, LiveMessage::Changed(changed));
    }

    /// Asks a practice's desks to look whether their session still lives.
    pub fn tell_sessions(&self, practice: &str) {
        self.bus.publish(practice, LiveMessage::Sessions);
    }
}
