//! What proves who somebody is, and the budgets against guessing it (R53).

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Instant;

use serde::Deserialize;

use super::member::Member;
use super::password::{self, Lane};
use crate::App;
use crate::error::Error;
use crate::fields::opaque;
use crate::limit::{Attempt, Origin, network_of};
use crate::store::Workplace;

/// A derived secret: 32 bytes as base64url, and some room for another way of deriving.
const SECRET_CHARACTERS: usize = 128;
/// By what somebody signs in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum By {
    /// What the password derives.
    Password,
    /// What the recovery key derives.
    Recovery,
}

/// What an attempt was taken out of.
pub struct Budget {
    kind: Attempt,
    whose: Vec<u8>,
    address: [u8; 8],
    is_released: bool,
    /// Whose turn it is when a hash is computed for it.
    origin: Origin,
}

impl Budget {
    /// Takes one attempt, or refuses it. A recovery key weighs on its address and a released workplace on itself, everything else on the
    /// account and on the address.
    pub fn take(
        app: &App,
        address: IpAddr,
        workplace: Option<&Workplace>,
        (account, by): (&str, By),
    ) -> Result<Self, Error> {
        let now = Instant::now();
        let (peer, address) = (address, network_of(address));
        let released = workplace.filter(|workplace| workplace.released_at.is_some());
        let (kind, whose) = match (by, released) {
            (By::Recovery, _) => (Attempt::Recovery, &address[..]),
            (By::Password, Some(workplace)) => (Attempt::Workplace, workplace.id.as_bytes()),
            (By::Password, None) => (Attempt::Account, account.as_bytes()),
        };
        let origin = match released {
            Some(workplace) => Origin::of_name(&workplace.id),
            None => Origin::of(peer, app.proxies.is_shared(peer)),
        };
        let attempts = &app.desk.attempts;
        let refuse = |wait: std::time::Duration| Error::TooMany(wait.as_secs() + 1);
        if matches!(kind, Attempt::Account) {
            attempts.take(Attempt::Address, &address, now).map_err(refuse)?;
        }
        attempts.take(kind, whose, now).map_err(refuse)?;
        let is_released = released.is_some();
        Ok(Self { kind, whose: whose.to_vec(), address, is_released, origin })
    }

    /// Takes one attempt with a one-time link out of the budget of the address.
    pub fn take_for_link(app: &App, address: IpAddr) -> Result<Self, Error> {
        let (origin, address) = (Origin::of(address, app.proxies.is_shared(address)), network_of(address));
        let taken = app.desk.attempts.take(Attempt::Address, &address, Instant::now());
        taken.map_err(|wait| Error::TooMany(wait.as_secs() + 1))?;
        Ok(Self { kind: Attempt::Address, whose: address.to_vec(), address, is_released: false, origin })
    }

    /// Where this attempt's hash is computed.
    pub fn lane<'a>(&self, app: &'a App) -> &'a Arc<Lane> {
        if self.is_released { &app.desk.hashing_here } else { &app.desk.hashing }
    }

    /// Whether the secret is the stored one's. What was not looked at for lack of time costs nothing.
    pub async fn fits(&self, app: &App, secret: String, stored: Option<String>) -> Result<bool, Error> {
        password::fits(self.lane(app), self.origin, secret, stored).await.inspect_err(|_| self.give_back(app))
    }

    /// What is kept of a secret.
    pub async fn hash(&self, app: &App, secret: String) -> Result<String, Error> {
        password::hash(self.lane(app), self.origin, secret).await
    }

    /// The attempt was right.
    pub fn give_back(&self, app: &App) {
        app.desk.attempts.give_back(self.kind, &self.whose);
        if matches!(self.kind, Attempt::Account) {
            app.desk.attempts.give_back(Attempt::Address, &self.address);
        }
    }
}

/// Derived secrets are of a browser's making.
pub fn secrets(fields: &[(&str, &String)]) -> Result<(), Error> {
    fields.iter().try_for_each(|(field, secret)| opaque(field, secret, SECRET_CHARACTERS))
}

/// Checks the user's present password or recovery key, within the budget of guesses. Where it is right, what is hashed for them next belongs in
/// the same lane.
pub async fn prove(
    app: &App,
    address: IpAddr,
    member: &Member,
    by: By,
    secret: String,
) -> Result<Budget, Error> {
    let account = format!("{}\0{}", member.practice.short, member.user.short);
    let budget = Budget::take(app, address, member.workplace.as_ref(), (&account, by))?;
    let stored = match by {
        By::Password => Some(member.user.password_hash.clone()),
        By::Recovery => member.user.recovery_hash.clone(),
    };
    if !budget.fits(app, secret, stored).await? {
        return Err(Error::SignIn);
    }
    budget.give_back(app);
    Ok(budget)
}
