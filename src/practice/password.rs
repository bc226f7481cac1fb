//! Argon2id over what a browser derived from a password (R53). The password itself never comes here.

use std::sync::Arc;

use argon2::Argon2;
use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use tokio::sync::Semaphore;

/// The hash of a secret that nobody has, with the same parameters: where a name is unknown, the same work is done.
const NOBODY: &str =
    "$argon2id$v=19$m=19456,t=2,p=1$dmlzYXZpcy1ub2JvZHkhIQ$1lVvN1yJTEM7FvSVVBsXvQd1bqTYyiyxPkSFs3IdXE8";

/// A PHC string: m = 19 MiB, t = 2, p = 1 (OWASP).
pub async fn hash(hashing: &Arc<Semaphore>, secret: String) -> String {
    work(hashing, move || {
        let hash = Argon2::default().hash_password(secret.as_bytes());
        hash.expect("the default parameters hash any secret").to_string()
    })
    .await
}

/// Whether the secret is the stored one's. Without a stored one: no, after the same work.
pub async fn fits(hashing: &Arc<Semaphore>, secret: String, stored: Option<String>) -> bool {
    work(hashing, move || {
        let known = stored.is_some();
        let stored = stored.unwrap_or_else(|| NOBODY.to_owned());
        let right = PasswordHash::new(&stored)
            .is_ok_and(|hash| Argon2::default().verify_password(secret.as_bytes(), &hash).is_ok());
        known && right
    })
    .await
}

/// Few at a time, and away from the threads that carry messages.
async fn work<T: Send + 'static>(hashing: &Arc<Semaphore>, task: impl FnOnce() -> T + Send + 'static) -> T {
    let permit = Arc::clone(hashing).acquire_owned().await;
    tokio::task::spawn_blocking(move || {
        let _permit = permit;
        task()
    })
    .await
    .expect("hashing does not panic")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_right_secret_fits_another_does_not_and_nobody_has_none() {
        let hashing = Arc::new(Semaphore::new(1));
        let stored = hash(&hashing, "a secret".to_owned()).await;
        assert!(stored.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{stored}");
        assert!(fits(&hashing, "a secret".to_owned(), Some(stored.clone())).await);
        assert!(!fits(&hashing, "another".to_owned(), Some(stored)).await);
        assert!(!fits(&hashing, String::new(), None).await);
    }

    #[test]
    fn where_a_name_is_unknown_the_hash_is_read_and_the_work_is_done() {
        let nobody = PasswordHash::new(NOBODY).unwrap();
        assert_eq!(nobody.hash.map(|hash| hash.as_bytes().len()), Some(32));
        assert_eq!(nobody.params.to_string(), "m=19456,t=2,p=1");
    }
}
