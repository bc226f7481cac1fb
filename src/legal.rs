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

impl Provider {
    /// Name and number as HTML, as far as there are any: no line stands for what nobody gave.
    fn paragraph(&self, telephone: &str) -> String {
        let name = self.name.as_deref().map(|name| encode_text(name).into_owned());
        let phone = self.phone.as_deref().map(|phone| format!("{telephone}: {}", encode_text(phone)));
        let lines: Vec<String> = name.into_iter().chain(phone).collect();
        if lines.is_empty() { String::new() } else { format!("<p>{}</p>", lines.join("<br>")) }
    }
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
    let own = own_words(&app.config.data_dir.join("legal").join(format!("{page}.txt"))).await;
    let html = include_str!("legal/layout.html")
        .replace("{{title}}", title)
        .replace("{{body}}", body)
        .replace("{{name}}", &encode_text(name))
        .replace("{{provider}}", &provider.paragraph("Telefon"))
        .replace("{{provider-en}}", &provider.paragraph("Telephone"))
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

#[cfg(test)]
mod tests {
    use super::*;

    fn provider(name: Option<&str>, phone: Option<&str>) -> Provider {
        Provider {
            name: name.map(Into::into),
            phone: phone.map(Into::into),
            time_zone: "Europe/Berlin".into(),
        }
    }

    #[test]
    fn what_nobody_configured_is_not_said() {
        assert_eq!(provider(None, None).paragraph("Telefon"), "");
        assert_eq!(
            provider(Some("Praxis <am> Markt"), None).paragraph("Telefon"),
            "<p>Praxis &lt;am&gt; Markt</p>"
        );
        let both = provider(Some("Praxis am Markt"), Some("030 1234567")).paragraph("Telefon");
        assert_eq!(both, "<p>Praxis am Markt<br>Telefon: 030 1234567</p>");
    }

    /// R65: the address stands where the operator writes it, and no page sends anybody to look for it elsewhere.
    #[test]
    fn no_page_promises_what_it_cannot_know() {
        let pages = [
            include_str!("legal/imprint.html"),
            include_str!("legal/privacy.html"),
            include_str!("legal/terms.html"),
        ];
        for page in pages {
            for promise in ["Anschrift", "address on", "its address", "Nur die Praxis", "Only the practice"] {
                assert!(!page.contains(promise), "{promise}");
            }
        }
    }
}
