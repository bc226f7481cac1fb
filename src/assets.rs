//! Answers that never change while the process lives: the embedded pages and the API's document. Each is built once and compressed once in each
//! coding, with the first request for it, so that no request costs more than copying it (R51, R63).

use std::borrow::Cow;
use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::{Arc, LazyLock};

use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, HeaderValue, Request, StatusCode, header};
use axum::response::{IntoResponse, Response};
use http_body_util::BodyExt;
use rust_embed::RustEmbed;
use sha2::{Digest, Sha256};
use tokio::sync::OnceCell;
use tower::{Layer, ServiceExt};
use tower_http::CompressionLevel;
use tower_http::compression::CompressionLayer;

/// The pages, embedded.
#[derive(RustEmbed)]
#[folder = "static"]
struct Pages;

/// Codings of an answer, the best first (RFC 9110 §8.4.1).
const CODINGS: [&str; 2] = ["br", "gzip"];

/// One answer.
pub struct Asset {
    /// Weak, because it names all codings alike.
    tag: HeaderValue,
    kind: HeaderValue,
    plain: Bytes,
    coded: [OnceCell<Bytes>; CODINGS.len()],
}

/// A file of `static/`. Where assertions are checked, pages are read from the disk, so that a developer sees what changed.
pub fn page(path: &str) -> Option<Arc<Asset>> {
    static ALL: LazyLock<HashMap<Cow<'static, str>, Arc<Asset>>> =
        LazyLock::new(|| Pages::iter().filter_map(|path| Some((path.clone(), read(&path)?))).collect());
    if cfg!(debug_assertions) { read(path) } else { ALL.get(path).map(Arc::clone) }
}

fn read(path: &str) -> Option<Arc<Asset>> {
    let file = Pages::get(path)?;
    let kind = match file.metadata.mimetype() {
        text @ ("text/html" | "text/css" | "text/javascript") => format!("{text}; charset=utf-8"),
        other => other.to_owned(),
    };
    let plain = match file.data {
        Cow::Borrowed(bytes) => Bytes::from_static(bytes),
        Cow::Owned(bytes) => bytes.into(),
    };
    Some(Arc::new(Asset::new(plain, &kind)))
}

impl Asset {
    /// Of bytes of this media type.
    pub fn new(plain: Bytes, kind: &str) -> Self {
        let hash: String = Sha256::digest(&plain)[..12].iter().map(|byte| format!("{byte:02x}")).collect();
        let header =
            |text: &str| HeaderValue::from_str(text).expect("media types and hashes are visible ASCII");
        let coded = std::array::from_fn(|_| OnceCell::new());
        Self { tag: header(&format!("W/\"{hash}\"")), kind: header(kind), plain, coded }
    }

    /// The answer to a request with these headers.
    pub async fn answer(&self, headers: &HeaderMap) -> Response {
        let caching = [
            (header::ETAG, self.tag.clone()),
            (header::CACHE_CONTROL, HeaderValue::from_static("no-cache")),
            (header::VARY, HeaderValue::from_static("accept-encoding")),
        ];
        if is_known(headers, self.tag.as_bytes()) {
            return (StatusCode::NOT_MODIFIED, caching).into_response();
        }
        let coding = if self.is_worth_it() { coding(headers) } else { None };
        let body = match coding {
            Some(coding) => self.coded[coding].get_or_init(|| self.compress(CODINGS[coding])).await.clone(),
            None => self.plain.clone(),
        };
        let mut response = (caching, [(header::CONTENT_TYPE, self.kind.clone())], body).into_response();
        if let Some(coding) = coding {
            let coding = HeaderValue::from_static(CODINGS[coding]);
            response.headers_mut().insert(header::CONTENT_ENCODING, coding);
        }
        response
    }

    /// Pictures and fonts are compressed already.
    fn is_worth_it(&self) -> bool {
        let kind = self.kind.as_bytes();
        let is_text = [&b"text/"[..], b"application/json", b"image/svg", b"application/manifest"];
        self.plain.len() > 256 && is_text.iter().any(|start| kind.starts_with(start))
    }

    async fn compress(&self, coding: &'static str) -> Bytes {
        let plain = self.plain.clone();
        let whole = tower::service_fn(move |_: Request<Body>| {
            let answer = Response::builder().header(header::CONTENT_TYPE, "text/plain");
            std::future::ready(Ok::<_, Infallible>(
                answer.body(Body::from(plain.clone())).expect("a constant header makes an answer"),
            ))
        });
        // For texts like ours: a tenth smaller than the default, for the same time.
        let layer = CompressionLayer::new().quality(CompressionLevel::Precise(5));
        let request = Request::builder().header(header::ACCEPT_ENCODING, coding).body(Body::empty());
        let answer = layer.layer(whole).oneshot(request.expect("a constant header makes a request")).await;
        let body = match answer {
            Ok(answer) => answer.into_body().collect().await,
            Err(never) => match never {},
        };
        body.expect("bytes in memory can be read").to_bytes()
    }
}

/// The best coding that the client takes.
fn coding(headers: &HeaderMap) -> Option<usize> {
    let values = headers.get_all(header::ACCEPT_ENCODING).iter().filter_map(|value| value.to_str().ok());
    let mut weights = [None; CODINGS.len()];
    let mut others = 0.0;
    for entry in values.flat_map(|value| value.split(',')) {
        let (name, parameters) = entry.split_once(';').unwrap_or((entry, ""));
        let (name, weight) = (name.trim(), weight(parameters));
        match CODINGS.iter().position(|coding| name.eq_ignore_ascii_case(coding)) {
            Some(coding) => weights[coding] = Some(weight),
            None if name == "*" => others = weight,
            None => {}
        }
    }
    let weights = weights.map(|weight: Option<f32>| weight.unwrap_or(others));
    let best = weights.into_iter().fold(0.0, f32::max);
    weights.iter().position(|weight| *weight > 0.0 && *weight >= best)
}

/// A quality value (RFC 9110 §12.4.2); what cannot be read is none.
fn weight(parameters: &str) -> f32 {
    let value = parameters.split(';').find_map(|parameter| {
        let (name, value) = parameter.split_once('=')?;
        name.trim().eq_ignore_ascii_case("q").then(|| value.trim())
    });
    value.map_or(1.0, |value| value.parse().ok().filter(|weight| (0.0..=1.0).contains(weight)).unwrap_or(0.0))
}

/// Whether If-None-Match names the tag, compared weakly (RFC 9110 §13.1.2): in a list, as `*`, in its strong form, or with the suffix that proxies
/// give to what they compress.
fn is_known(headers: &HeaderMap, tag: &[u8]) -> bool {
    let bare = |tag: &str| -> Option<String> {
        let opaque = tag.trim().trim_start_matches("W/").strip_prefix('"')?.strip_suffix('"')?;
        Some(
            ["-gzip", "-br"]
                .iter()
                .find_map(|suffix| opaque.strip_suffix(suffix))
                .unwrap_or(opaque)
                .to_owned(),
        )
    };
    let own = std::str::from_utf8(tag).ok().and_then(bare);
    let values = headers.get_all(header::IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
    let mut known = values.flat_map(|value| value.split(','));
    known.any(|known| known.trim() == "*" || (own.is_some() && bare(known) == own))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(name: header::HeaderName, value: &str) -> HeaderMap {
        HeaderMap::from_iter([(name, value.parse().unwrap())])
    }

    #[test]
    fn the_best_coding_that_is_taken_is_chosen() {
        for (accepted, chosen) in [
            ("gzip, deflate, br, zstd", Some("br")),
            ("gzip", Some("gzip")),
            ("GZIP;q=0.5", Some("gzip")),
            ("br;q=0.1, gzip;q=0.9", Some("gzip")),
            ("br;q=0, *", Some("gzip")),
            ("*", Some("br")),
            ("identity", None),
            ("br;q=0, gzip;q=0", None),
            ("br;q=nonsense", None),
            ("", None),
        ] {
            let coding = coding(&with(header::ACCEPT_ENCODING, accepted)).map(|coding| CODINGS[coding]);
            assert_eq!(coding, chosen, "{accepted}");
        }
        assert_eq!(coding(&HeaderMap::new()), None);
    }

    #[test]
    fn a_tag_is_known_in_every_form_in_which_it_comes_back() {
        let known = |value: &str| is_known(&with(header::IF_NONE_MATCH, value), b"W/\"abc\"");
        for value in ["W/\"abc\"", "\"abc\"", "*", "\"x\", W/\"abc\"", "\"abc-gzip\"", "W/\"abc-br\" , \"y\""]
        {
            assert!(known(value), "{value}");
        }
        for value in ["\"abcd\"", "abc", "\"x\"", "W/", "\"", ""] {
            assert!(!known(value), "{value}");
        }
    }

    #[tokio::test]
    async fn every_coding_holds_the_same_bytes_and_is_made_once() {
        let text = "a text that can be made shorter. ".repeat(100);
        let asset = Asset::new(text.clone().into(), "text/css; charset=utf-8");
        for coding in CODINGS {
            let answer = asset.answer(&with(header::ACCEPT_ENCODING, coding)).await;
            assert_eq!(answer.headers()[header::CONTENT_ENCODING], coding);
            let once = answer.into_body().collect().await.unwrap().to_bytes();
            assert!(once.len() * 4 < text.len());
            let again = asset.answer(&with(header::ACCEPT_ENCODING, coding)).await;
            let again = again.into_body().collect().await.unwrap().to_bytes();
            assert_eq!(again.as_ptr(), once.as_ptr(), "the same memory");
        }
        let plain = asset.answer(&HeaderMap::new()).await;
        assert!(!plain.headers().contains_key(header::CONTENT_ENCODING));
        assert_eq!(plain.into_body().collect().await.unwrap().to_bytes(), text);
    }
}
