//! Everything that is stored of a practice, as it lies (R30): read from the store and written to the client piece by piece, so that the size of a
//! practice costs no memory.

use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::header;
use axum::response::IntoResponse;
use chrono::Utc;
use futures_util::stream;
use serde::Serialize;
use tokio::sync::mpsc;

use super::data::{AuditView, view};
use super::member::Admin;
use super::plan::{DeskView, with_seats};
use super::session::PracticeView;
use crate::App;
use crate::audit::note;
use crate::error::{Error, Problem};
use crate::store::{Cursor, Practice, Which};

/// So many rows are in memory at once.
const ROWS: i64 = 16;

/// Everything that is stored of a practice. What its pages sealed is as it lies: only they can open it.
#[derive(utoipa::ToSchema)]
#[allow(dead_code, reason = "describes what is written piece by piece")]
pub struct Export {
    practice: PracticeView,
    consultations: Vec<DeskView>,
    audit: Vec<AuditView>,
}

/// Everything that is stored of the practice. What is changed meanwhile is in it as before or as after; an answer that breaks off ends without its
/// last bracket and with its connection.
#[utoipa::path(get, path = "/api/practice/export", security(("session" = [])), responses(
    (status = 200, description = "As it lies", body = Export),
    (status = 403, description = "Not an admin, or not from here", body = Problem, content_type = "application/problem+json"),
))]
pub async fn export(State(app): State<Arc<App>>, Admin(member): Admin) -> Result<impl IntoResponse, Error> {
    note(&app.store, &member.practice.id, &member.user.short, "exported", "").await;
    let (pieces, mut written) = mpsc::channel(1);
    tokio::spawn(async move {
        if let Err(Stop::Store(cause)) = write(&app, member.practice, &pieces).await {
            tracing::error!(%cause, "the store did not answer; an export breaks off");
            let _ = pieces.send(Err(cause)).await;
        }
    });
    let body = Body::from_stream(stream::poll_fn(move |context| written.poll_recv(context)));
    Ok(([(header::CONTENT_TYPE, "application/json")], body))
}

/// Why an export goes no further.
enum Stop {
    /// Nobody reads it any more.
    Gone,
    /// The store failed.
    Store(sqlx::Error),
}

impl From<sqlx::Error> for Stop {
    fn from(cause: sqlx::Error) -> Self {
        Self::Store(cause)
    }
}

type Pieces = mpsc::Sender<Result<Bytes, sqlx::Error>>;

async fn write(app: &App, practice: Practice, pieces: &Pieces) -> Result<(), Stop> {
    let (id, now) = (practice.id.clone(), Utc::now().timestamp_millis());
    let mut first = "";
    say(pieces, format!("{{\"practice\":{},\"consultations\":[", json(&PracticeView::from(practice))))
        .await?;
    for which in [Which::Coming, Which::Past] {
        let mut after = None;
        loop {
            let planned = app.store.planned_list(&id, which, after.as_ref(), ROWS, now).await?;
            let Some(last) = planned.last() else { break };
            after = Some(Cursor { starts_at: last.starts_at, id: last.id.clone() });
            list(pieces, &mut first, &with_seats(&app.store, planned).await?).await?;
        }
    }
    say(pieces, "],\"audit\":[".to_owned()).await?;
    first = "";
    let mut before: Option<String> = None;
    loop {
        let lines = app.store.audit(&id, before.as_deref(), ROWS).await?;
        let Some(last) = lines.last() else { break };
        before = Some(last.id.clone());
        let lines: Vec<_> = lines.into_iter().map(view).collect();
        list(pieces, &mut first, &lines).await?;
    }
    say(pieces, "]}".to_owned()).await
}

/// The next values of a list, with a comma before each but the first.
async fn list<T: Serialize>(pieces: &Pieces, comma: &mut &'static str, values: &[T]) -> Result<(), Stop> {
    let mut text = String::new();
    for value in values {
        text.push_str(comma);
        text.push_str(&json(value));
        *comma = ",";
    }
    say(pieces, text).await
}

async fn say(pieces: &Pieces, text: String) -> Result<(), Stop> {
    pieces.send(Ok(text.into())).await.map_err(|_| Stop::Gone)
}

fn json(value: &impl Serialize) -> String {
    serde_json::to_string(value).expect("a view is plain data")
}
