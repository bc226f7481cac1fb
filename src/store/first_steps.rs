//! What an operator's one-time link does, each in one transaction: sets a practice up, gives a user access again. Whatever ends it before its end leaves
//! nothing, and the link as good as before.

use super::accounts::{insert_practice, insert_user, set_pair};
use super::keys::{Holder, KeyFor, write_keys};
use super::sessions::{NewSession, insert_session, spend_link};
use super::workplaces::insert_workplace;
use super::{Credentials, EndedCode, Practice, Store, Workplace};

/// A practice with its first user, at the first workplace, signed in.
pub struct SetUp<'a> {
    /// The hash of the link.
    pub link: &'a str,
    /// What is set up.
    pub practice: &'a Practice,
    /// Id, short name and role of the first user.
    pub user: [&'a str; 3],
    /// Theirs.
    pub credentials: &'a Credentials<'a>,
    /// The practice's key, sealed for the user.
    pub user_key: &'a KeyFor,
    /// This browser, released.
    pub workplace: &'a Workplace,
    /// Of this browser's token.
    pub workplace_token_hash: &'a str,
    /// The practice's key, sealed for the workplace.
    pub workplace_key: &'a KeyFor,
    /// At this browser.
    pub session: &'a NewSession<'a>,
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CameOf<T> {
    /// All of it is done.
    Done(T),
    /// The link is unknown, used, too old or somebody else's; nothing is done.
    NoLink,
    /// The short name is taken; nothing is done, and the link is as good as before.
    Taken,
}

impl Store {
    /// Sets a practice up. With it the links that starts printed die.
    pub async fn set_up(&self, set_up: &SetUp<'_>, now: i64) -> Result<CameOf<()>, sqlx::Error> {
        let mut transaction = self.begin().await?;
        if spend_link(&mut transaction, set_up.link, "set-up", now).await?.is_none() {
            return Ok(CameOf::NoLink);
        }
        if !insert_practice(&mut transaction, set_up.practice, now).await? {
            return Ok(CameOf::Taken);
        }
        let [id, short, role] = set_up.user;
        let practice = set_up.practice.id.as_str();
        insert_user(&mut transaction, [practice, id, short, role], set_up.credentials, now).await?;
        write_keys(&mut transaction, Holder::User, id, std::slice::from_ref(set_up.user_key)).await?;
        let workplace = set_up.workplace;
        insert_workplace(&mut transaction, workplace, set_up.workplace_token_hash).await?;
        let keys = std::slice::from_ref(set_up.workplace_key);
        write_keys(&mut transaction, Holder::Workplace, &workplace.id, keys).await?;
        insert_session(&mut transaction, set_up.session, now).await?;
        transaction.commit().await?;
        Ok(CameOf::Done(()))
    }

    /// Gives a user another pair, and a session to begin with. What hung on the old pair has ended.
    pub async fn rescue(
        &self,
        link: &str,
        credentials: &Credentials<'_>,
        session: &NewSession<'_>,
        now: i64,
    ) -> Result<CameOf<Vec<EndedCode>>, sqlx::Error> {
        let mut transaction = self.begin().await?;
        let whose = spend_link(&mut transaction, link, "rescue", now).await?.flatten();
        if whose.as_deref() != Some(session.user) {
            return Ok(CameOf::NoLink);
        }
        let ended = set_pair(&mut transaction, session.user, credentials, &[], now).await?;
        insert_session(&mut transaction, session, now).await?;
        transaction.commit().await?;
        Ok(CameOf::Done(ended))
    }
}
