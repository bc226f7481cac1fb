//! The pool on a real SQLite, when something goes wrong.

use std::path::Path;
use std::task::Poll;

use chrono::Utc;

use super::{CameOf, Credentials, KeyFor, NewPlan, NewSession, Practice, SetUp, Store, Workplace};
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

fn credentials() -> Credentials<'static> {
    Credentials {
        password_hash: "a hash",
        recovery_hash: Some("another"),
        public_key: "a key",
        by_password: "wrapped",
        by_recovery: Some("wrapped, too"),
        must_change: false,
    }
}

fn practice() -> Practice {
    Practice {
        id: "practice".to_owned(),
        short: "markt".to_owned(),
        name: "Praxis am Markt".to_owned(),
        phone: None,
        time_zone: "Europe/Berlin".to_owned(),
        key_version: 1,
        retention_days: 30,
    }
}

fn session(hash: &'static str) -> NewSession<'static> {
    let workplace = (hash == "first").then_some("workplace");
    NewSession { hash, id: hash, user: "user", workplace, expires_at: i64::MAX }
}

async fn set_up(store: &Store) -> Result<CameOf<()>, sqlx::Error> {
    let workplace = Workplace {
        id: "workplace".to_owned(),
        practice: "practice".to_owned(),
        name: "Empfang".to_owned(),
        public_key: "a key".to_owned(),
        requested_by: "leitung".to_owned(),
        created_at: 1,
        released_at: Some(1),
        released_by: Some("leitung".to_owned()),
        last_seen_at: None,
    };
    let key = KeyFor { version: 1, wrapped: "wrapped".to_owned() };
    let set_up = SetUp {
        link: "link",
        practice: &practice(),
        user: ["user", "leitung", "head"],
        credentials: &credentials(),
        user_key: &key,
        workplace: &workplace,
        workplace_token_hash: "a hash",
        workplace_key: &key,
        session: &session("first"),
    };
    store.set_up(&set_up, 1).await
}

async fn rescue(store: &Store) -> Result<CameOf<Vec<super::EndedCode>>, sqlx::Error> {
    store.rescue("link", &credentials(), &session("second"), 1).await
}

/// Lets a future be woken so often, and then drops it: a request whose process or client is gone.
async fn cut_short<T>(future: impl Future<Output = T>, wakes: u32) -> Option<T> {
    let mut future = std::pin::pin!(future);
    let mut left = wakes;
    std::future::poll_fn(|context| {
        if left == 0 {
            return Poll::Ready(None);
        }
        left -= 1;
        future.as_mut().poll(context).map(Some)
    })
    .await
}

/// All that a statement may fail on.
async fn fail_on(store: &Store, what: &str, table: &str) {
    let sql = format!(
        "CREATE TRIGGER {what}_{table} BEFORE {what} ON {table} BEGIN SELECT RAISE(ABORT, 'injected'); END"
    );
    sqlx::query(sqlx::AssertSqlSafe(sql)).execute(&store.pool).await.unwrap();
}

async fn mend(store: &Store, what: &str, table: &str) {
    let sql = format!("DROP TRIGGER {what}_{table}");
    sqlx::query(sqlx::AssertSqlSafe(sql)).execute(&store.pool).await.unwrap();
}

#[tokio::test]
async fn setting_a_practice_up_is_done_or_undone_whatever_statement_fails_and_wherever_it_is_cut_short() {
    let home = tempfile::tempdir().unwrap();
    let store = open(home.path()).await;
    store.create_link("link", "set-up", None, i64::MAX).await.unwrap();
    let untouched = async || {
        let link = store.link("link", "set-up", 1).await.unwrap();
        link.is_some() && !store.has_practice().await.unwrap()
    };
    for (what, table) in [
        ("DELETE", "links"),
        ("INSERT", "practices"),
        ("INSERT", "users"),
        ("INSERT", "user_keys"),
        ("INSERT", "workplaces"),
        ("INSERT", "workplace_keys"),
        ("INSERT", "sessions"),
        ("UPDATE", "users"),
        ("UPDATE", "workplaces"),
    ] {
        fail_on(&store, what, table).await;
        set_up(&store).await.unwrap_err();
        mend(&store, what, table).await;
        assert!(untouched().await, "{what} {table}");
    }
    let mut wakes = 1;
    while cut_short(set_up(&store), wakes).await.is_none() {
        // What was cut short after its last statement may be done: then all of it is.
        if !untouched().await {
            break;
        }
        wakes += 1;
    }
    assert!(store.link("link", "set-up", 1).await.unwrap().is_none(), "the link is used up");
    assert_eq!(store.user_keys("user").await.unwrap().len(), 1);
    assert_eq!(store.workplace_keys("workplace").await.unwrap().len(), 1);
    assert!(store.session("first", 1).await.unwrap().is_some());
    assert_eq!(set_up(&store).await.unwrap(), CameOf::NoLink);
    store.create_link("link", "set-up", None, i64::MAX).await.unwrap();
    assert_eq!(set_up(&store).await.unwrap(), CameOf::Taken);
    assert!(store.link("link", "set-up", 1).await.unwrap().is_some(), "a name that is taken costs no link");
    store.close().await;
}

#[tokio::test]
async fn a_rescue_is_done_or_undone_whatever_statement_fails_and_wherever_it_is_cut_short() {
    let home = tempfile::tempdir().unwrap();
    let store = open(home.path()).await;
    store.create_link("link", "set-up", None, i64::MAX).await.unwrap();
    assert_eq!(set_up(&store).await.unwrap(), CameOf::Done(()));
    store.create_link("link", "rescue", Some("user"), i64::MAX).await.unwrap();
    let untouched = async || {
        let link = store.link("link", "rescue", 1).await.unwrap();
        let session = store.session("first", 1).await.unwrap();
        link.is_some() && session.is_some() && store.user_keys("user").await.unwrap().len() == 1
    };
    for (what, table) in [
        ("DELETE", "links"),
        ("UPDATE", "users"),
        ("DELETE", "user_keys"),
        ("DELETE", "sessions"),
        ("INSERT", "sessions"),
    ] {
        fail_on(&store, what, table).await;
        rescue(&store).await.unwrap_err();
        mend(&store, what, table).await;
        assert!(untouched().await, "{what} {table}");
    }
    let mut wakes = 1;
    while cut_short(rescue(&store), wakes).await.is_none() {
        if !untouched().await {
            break;
        }
        wakes += 1;
    }
    assert!(store.link("link", "rescue", 1).await.unwrap().is_none());
    assert!(store.session("first", 1).await.unwrap().is_none(), "what hung on the old pair has ended");
    assert!(store.session("second", 1).await.unwrap().is_some());
    assert_eq!(rescue(&store).await.unwrap(), CameOf::NoLink);
    store.close().await;
}
