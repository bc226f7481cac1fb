//! The API, described (OpenAPI 3.1), from the handlers themselves.

use std::sync::LazyLock;

use axum::http::HeaderMap;
use axum::response::Response;
use utoipa::OpenApi;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{ContentBuilder, Ref, ResponseBuilder};

use crate::assets::Asset;
use crate::error::Problem;
use crate::practice::{data, entrance, export, me, passkeys, plan, seats, tokens, users, workplaces};
use crate::{consultation, readiness};

#[derive(OpenApi)]
#[openapi(
    info(
        title = "visavis",
        description = "Under /api/consultations software plans consultations and gets their codes, with the operator's token or an API token of a practice. \
            Under /api/practice the practice's own pages work; what they call “wrapped” and “sealed” is made in the browser, and nothing on the server opens it."
    ),
    paths(
        consultation::post, consultation::list, consultation::show, consultation::delete, consultation::reissue,
        readiness::begin, readiness::report,
        entrance::salt, entrance::set_up, entrance::rescue, entrance::sign_in,
        passkeys::sign_in_begin, passkeys::sign_in_finish,
        me::show, me::password, me::recovery, me::keys, me::sessions, me::end_session,
        passkeys::list, passkeys::register_begin, passkeys::register_finish, passkeys::remove,
        users::list, users::create, users::change, users::reset, users::keys, users::withdraw,
        workplaces::list, workplaces::create, workplaces::rename, workplaces::release, workplaces::withdraw,
        plan::list, plan::create, plan::show, plan::change, plan::delete, plan::cancel, plan::mail,
        seats::enter, seats::add, seats::remove, seats::reissue,
        tokens::list, tokens::create, tokens::remove,
        data::audit, export::export, data::delete, data::change,
    ),
    components(schemas(Problem)),
    modifiers(&Tokens, &Names, &Everywhere)
)]
struct Api;

struct Tokens;

impl utoipa::Modify for Tokens {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        let components = document.components.get_or_insert_default();
        for (name, whose) in [
            ("operator", "The operator's token"),
            ("software", "An API token of a practice; one with the scope “read” serves GET alone"),
            ("session", "A session's token, from sign-in"),
        ] {
            let scheme = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).description(Some(whose)).build();
            components.add_security_scheme(name, SecurityScheme::Http(scheme));
        }
    }
}

/// Handlers in different rooms have the same short names; operations need unique ones (OpenAPI 3.1 §4.8.10).
struct Names;

impl utoipa::Modify for Names {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        for (path, item) in &mut document.paths.paths {
            let operations =
                [&mut item.get, &mut item.post, &mut item.put, &mut item.patch, &mut item.delete];
            for (method, operation) in ["get", "post", "put", "patch", "delete"].into_iter().zip(operations) {
                let name = path.replace("/api/", "_").replace(['/', '-'], "_").replace(['{', '}'], "");
                operation
                    .iter_mut()
                    .for_each(|operation| operation.operation_id = Some(format!("{method}{name}")));
            }
        }
    }
}

/// What any operation may answer, said once: it asks for a token, takes a body, needs the store.
struct Everywhere;

impl utoipa::Modify for Everywhere {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        for item in document.paths.paths.values_mut() {
            let operations =
                [&mut item.get, &mut item.post, &mut item.put, &mut item.patch, &mut item.delete];
            for operation in operations.into_iter().flatten() {
                let answers = [
                    ("401", operation.security.is_some(), "No token, or not a right one"),
                    (
                        "422",
                        operation.request_body.is_some(),
                        "A field is not understood; the problem names it",
                    ),
                    ("503", true, "The store does not answer"),
                ];
                for (status, may_come, description) in answers {
                    if may_come {
                        let answer = || problem(description).into();
                        operation.responses.responses.entry(status.to_owned()).or_insert_with(answer);
                    }
                }
            }
        }
    }
}

fn problem(description: &str) -> utoipa::openapi::Response {
    let content = ContentBuilder::new().schema(Some(Ref::from_schema_name("Problem"))).build();
    ResponseBuilder::new().description(description).content("application/problem+json", content).build()
}

/// `GET /api/openapi.json`.
pub async fn document(headers: HeaderMap) -> Response {
    static DOCUMENT: LazyLock<Asset> = LazyLock::new(|| {
        let text = serde_json::to_vec(&Api::openapi()).expect("the document is plain data");
        Asset::new(text.into(), "application/json")
    });
    DOCUMENT.answer(&headers).await
}
