//! The pool on a real SQLite, when something goes wrong.

use std::path::Path;

use chrono::Utc;

use super::{NewPlan, Store};
use crate::access::{Paths, Window};

/// SQLite rolls a transaction back by itself on a full disk, on an I/O error, and here, where it is told to.
const ROLLS_BACK: &str =
    "INSERT OR ROLLBACK INTO seats (consultation, seat, role, incarnation) VALUES ('none', 1, NULL, 0)";

fn plan(id: &str) -> NewPlan<'_> {
    let window = Window::new(Utc::now(), chrono::Duration::minutes(30));
    NewPlan {
        id,
        window,
        paths: Paths::Any,
        practice: None,
        duration_minutes: 20,
        language: "de",
        created_by: None,
        seats: &[],
    }
}

async fn open(home: &Path) -> Store {
    let store = Store::connect_embedded(home).await.unwrap();
    store.migrate().await.unwrap();
    store
}

#[tokio::test]
async fn a_connection_on_which_sqlite_has_rolled_back_by_itself_is_not_used_again() {
    let home = tempfile::tempdir().unwrap();
    let store = open(home.path()).await;
    let mut transaction = store.begin().await.unwrap();
    sqlx::query(ROLLS_BACK).execute(&mut *transaction).await.unwrap_err();
    drop(transaction);
    store.create(&plan("acknowledged"), Utc::now()).await.unwrap();
    store.close().await;
    let store = open(home.path()).await;
    assert!(store.consultation("acknowledged").await.unwrap().is_some());
    store.close().await;
}

#[tokio::test]
async fn transactions_that_are_dropped_leave_the_store_writable() {
    let home = tempfile::tempdir().unwrap();
    let store = open(home.path()).await;
    for number in 0..20 {
        let mut transaction = store.begin().await.unwrap();
        let sql = "UPDATE consultations SET revision = 1";
        sqlx::query(sql).execute(&mut *transaction).await.unwrap();
        drop(transaction);
        store.create(&plan(&number.to_string()), Utc::now()).await.unwrap();
    }
    assert_eq!(store.list(None, 100).await.unwrap().len(), 20);
    store.close().await;
}
