//! Imprint, privacy notice and terms: readable without signing in and without script (R35). The operator's own words stand in the data
//! directory, as plain text; what visavis itself does is said by the page.

use std::path::Path as FilePath;
use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{Html, IntoResponse, Response};
use html_escape::encode_text;
use serde::Serialize;

use crate::App;
use crate::config::Config;
use crate::store::Practice;

/// Who offers consultations here, where no consultation says so.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Provider {
    /// As people know it.
    pub name: Option<String>,
    /// What they dial.
    pub phone: Option<String>,
    /// IANA name.
    pub time_zone: String,
}

/// As configured, or else the only practice of this server.
pub async fn provider(app: &App) -> Provider {
    let Config { practice_name, practice_phone, time_zone, .. } = &app.config;
    if practice_name.is_none()
        && let Ok(practices) = app.store.practices().await
        && let [only] = practices.as_slice()
    {
        let Practice { name, phone, time_zone, .. } = only.clone();
        return Provider { name: Some(name), phone, time_zone };
    }
    Provider {
        name: practice_name.clone(),
        phone: practice_phone.clone(),
        time_zone: time_zone.name().to_owned(),
    }
}

/// `GET /legal/{page}`.
pub async fn page(State(app): State<Arc<App>>, Path(page): Path<String>) -> Response {
    let (title, body) = match page.as_str() {
        "imprint" => ("Impressum", include_str!("legal/imprint.html")),
        "privacy" => ("Datenschutz", include_str!("legal/privacy.html")),
        "terms" => ("Nutzungsbedingungen", include_str!("legal/terms.html")),
        _ => return (StatusCode::NOT_FOUND, "There is no such page.").into_response(),
    };
    let provider = provider(&app).await;
    let name = provider.name.as_deref().unwrap_or("visavis");
    let phone = provider.phone.as_deref().unwrap_or("–");
    let own = own_words(&app.config.data_dir.join("legal").join(format!("{page}.txt"))).await;
    let html = include_str!("legal/layout.html")
        .replace("{{title}}", title)
        .replace("{{body}}", body)
        .replace("{{name}}", &encode_text(name))
        .replace("{{phone}}", &encode_text(phone))
        .replace("{{own}}", &paragraphs(&own));
    Html(html).into_response()
}

/// The operator's text, or nothing.
async fn own_words(path: &FilePath) -> String {
    match tokio::fs::read_to_string(path).await {
        Ok(text) => text,
        Err(error) => {
            if error.kind() != std::io::ErrorKind::NotFound {
                tracing::warn!(path = %path.display(), %error, "a legal text cannot be read");
            }
            String::new()
        }
    }
}

/// Plain text as paragraphs, at its empty lines.
fn paragraphs(text: &str) -> String {
    let blocks = text.split("\n\n").map(str::trim).filter(|block| !block.is_empty());
    blocks.map(|block| format!("<p>{}</p>", encode_text(block).replace('\n', "<br>"))).collect()
}
