//! Argon2id over what a browser derived from a password (R53). The password itself never comes here.
//!
//! One hash at a time in each of two lanes, for released workplaces and for everybody else: a hash takes 19 MiB and a core for some milliseconds. The
//! memory is made once and kept, because an allocator that is given such a block back keeps it, and the next one as well. Whoever waits has a
//! turn after every other address; who finds too many there is told at once (R63).

use std::fmt::Write;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use argon2::password_hash::phc::PasswordHash;
use argon2::{Algorithm, Argon2, Block, Params, Version};
use base64::{Engine, engine::general_purpose::STANDARD_NO_PAD};
use subtle::ConstantTimeEq;
use tokio::sync::oneshot;

use crate::error::Error;
use crate::limit::{Bounds, Origin, Turns};

/// Who may wait for a hash: at 25 ms each the last one waits three seconds.
const WAITING: Bounds = Bounds { address: 16, network: 32, all: 128 };
/// When to try again, in seconds.
const RETRY: u64 = 3;

/// The hash of a secret that nobody has, with the same parameters: where a name is unknown, the same work is done.
const NOBODY: &str =
    "$argon2id$v=19$m=19456,t=2,p=1$dmlzYXZpcy1ub2JvZHkhIQ$1lVvN1yJTEM7FvSVVBsXvQd1bqTYyiyxPkSFs3IdXE8";

/// Where hashes are computed, one after the other.
pub struct Lane {
    /// Never held across an await.
    line: Mutex<Line>,
    /// Made with the first hash, and kept; held by whose turn it is.
    memory: Mutex<Vec<Block>>,
}

struct Line {
    is_busy: bool,
    turns: Turns<oneshot::Sender<Turn>>,
}

/// The right to hash now; when dropped, the next one has it.
struct Turn(Arc<Lane>);

impl Lane {
    /// Nobody waits.
    pub fn new() -> Arc<Self> {
        let line = Line { is_busy: false, turns: Turns::new(WAITING) };
        Arc::new(Self { line: Mutex::new(line), memory: Mutex::default() })
    }

    /// Waits for the turn of whoever asks from there.
    async fn turn(self: &Arc<Self>, origin: Origin) -> Result<Turn, Error> {
        let waits = {
            let mut line = self.line();
            if !line.is_busy {
                line.is_busy = true;
                return Ok(Turn(Arc::clone(self)));
            }
            let (sender, waits) = oneshot::channel();
            // Whoever must not wait hears of it by the end of the channel.
            drop(line.turns.enter(origin, sender));
            waits
        };
        waits.await.map_err(|_| Error::Busy(RETRY))
    }

    /// Away from the threads that carry messages.
    async fn work<T: Send + 'static>(
        self: &Arc<Self>,
        origin: Origin,
        task: impl FnOnce(&mut Vec<Block>) -> T + Send + 'static,
    ) -> Result<T, Error> {
        let turn = self.turn(origin).await?;
        let work = tokio::task::spawn_blocking(move || {
            let lane = Arc::clone(&turn.0);
            let mut memory = lane.memory.lock().unwrap_or_else(PoisonError::into_inner);
            let done = task(&mut memory);
            drop(memory);
            drop(turn);
            done
        });
        Ok(work.await.expect("hashing does not panic"))
    }

    fn line(&self) -> MutexGuard<'_, Line> {
        self.line.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let next = {
            let mut line = self.0.line();
            let next = line.turns.next();
            line.is_busy = next.is_some();
            next
        };
        // Where nobody listens any more, the turn comes back, is dropped, and goes on to the one behind.
        next.into_iter().for_each(|next| drop(next.send(Turn(Arc::clone(&self.0)))));
    }
}

/// A PHC string: m = 19 MiB, t = 2, p = 1 (OWASP).
pub async fn hash(lane: &Arc<Lane>, origin: Origin, secret: String) -> Result<String, Error> {
    lane.work(origin, move |memory| {
        let (salt, params) = (rand::random::<[u8; 16]>(), Params::default());
        let hash = derive(memory, &params, secret.as_bytes(), &salt, [0; 32])
            .expect("the default parameters hash any secret");
        let mut text =
            format!("$argon2id$v=19$m={},t={},p={}", params.m_cost(), params.t_cost(), params.p_cost());
        for part in [&salt[..], &hash] {
            write!(text, "${}", STANDARD_NO_PAD.encode(part)).expect("a string takes everything");
        }
        text
    })
    .await
}

/// Whether the secret is the stored one's. Without a stored one: no, after the same work.
pub async fn fits(
    lane: &Arc<Lane>,
    origin: Origin,
    secret: String,
    stored: Option<String>,
) -> Result<bool, Error> {
    lane.work(origin, move |memory| {
        let known = stored.is_some();
        let right = verify(memory, secret.as_bytes(), stored.as_deref().unwrap_or(NOBODY));
        known && right.unwrap_or(false)
    })
    .await
}

/// `None` where what is stored cannot be read.
fn verify(memory: &mut Vec<Block>, secret: &[u8], stored: &str) -> Option<bool> {
    let stored = PasswordHash::new(stored).ok()?;
    let params = Params::try_from(&stored).ok()?;
    if stored.algorithm.as_str() != "argon2id" || stored.version != Some(19) {
        return None;
    }
    let (salt, expected) = (stored.salt?, stored.hash?);
    let expected: [u8; 32] = expected.as_bytes().try_into().ok()?;
    let hash = derive(memory, &params, secret, &salt, [0; 32]).ok()?;
    Some(hash.ct_eq(&expected).into())
}

fn derive(
    memory: &mut Vec<Block>,
    params: &Params,
    secret: &[u8],
    salt: &[u8],
    mut hash: [u8; 32],
) -> Result<[u8; 32], argon2::Error> {
    let blocks = params.block_count();
    if memory.len() < blocks {
        memory.resize(blocks, Block::new());
    }
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params.clone()).hash_password_into_with_memory(
        secret,
        salt,
        &mut hash,
        &mut memory[..blocks],
    )?;
    Ok(hash)
}

#[cfg(test)]
mod tests {
    use argon2::password_hash::{PasswordHasher, PasswordVerifier};

    use super::*;

    fn somebody() -> Origin {
        Origin::of("203.0.113.7".parse().unwrap(), false)
    }

    #[tokio::test]
    async fn the_right_secret_fits_another_does_not_and_nobody_has_none() {
        let lane = Lane::new();
        let stored = hash(&lane, somebody(), "a secret".to_owned()).await.unwrap();
        assert!(stored.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{stored}");
        let fits = async |secret: &str, stored: Option<&String>| {
            super::fits(&lane, somebody(), secret.to_owned(), stored.cloned()).await.unwrap()
        };
        assert!(fits("a secret", Some(&stored)).await);
        assert!(!fits("another", Some(&stored)).await);
        assert!(!fits("", None).await);
        assert!(!fits("a secret", Some(&"nonsense".to_owned())).await);
        // Its own way through the same memory is the library's.
        assert!(Argon2::default().verify_password(b"a secret", stored.as_str()).is_ok());
        let theirs = Argon2::default().hash_password(b"a secret").unwrap().to_string();
        assert!(fits("a secret", Some(&theirs)).await && !fits("another", Some(&theirs)).await);
    }

    #[test]
    fn where_a_name_is_unknown_the_hash_is_read_and_the_work_is_done() {
        assert_eq!(verify(&mut Vec::new(), b"any", NOBODY), Some(false));
        let nobody = PasswordHash::new(NOBODY).unwrap();
        assert_eq!(nobody.params.to_string(), "m=19456,t=2,p=1");
    }

    #[tokio::test]
    async fn whoever_goes_away_while_waiting_keeps_nobody_from_a_turn_and_a_flood_is_told_at_once() {
        let lane = Lane::new();
        let first = lane.turn(somebody()).await.unwrap();
        let waiting: Vec<_> = (0..20)
            .map(|_| {
                let lane = Arc::clone(&lane);
                tokio::spawn(async move { lane.turn(somebody()).await.map(drop) })
            })
            .collect();
        tokio::task::yield_now().await;
        let other = tokio::spawn({
            let lane = Arc::clone(&lane);
            async move { lane.turn(Origin::of("203.0.113.8".parse().unwrap(), false)).await.map(drop) }
        });
        tokio::task::yield_now().await;
        let refused = waiting.iter().filter(|waits| waits.is_finished()).count();
        assert_eq!(refused, 4, "sixteen of an address wait");
        waiting.iter().for_each(tokio::task::JoinHandle::abort);
        drop(first);
        other.await.unwrap().unwrap();
        assert!(lane.turn(somebody()).await.is_ok(), "and the lane is free again");
    }
}
