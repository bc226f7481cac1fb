//! A database that another program holds.

use reqwest::Method;
use serde_json::json;
use sqlx::{AnyConnection, Connection, Executor};

use crate::common::{Server, walk};

#[tokio::test]
async fn a_database_that_another_program_has_locked_is_said_and_the_call_goes_on() {
    let server = Server::start().await;
    let mut call = walk::call(&server).await;
    sqlx::any::install_default_drivers();
    let url = format!("sqlite://{}/visavis.db", server.data_dir().display());
    let mut other = AnyConnection::connect(&url).await.unwrap();
    other.execute("BEGIN IMMEDIATE").await.unwrap();
    let (status, problem) = server.api(Method::POST, "/api/consultations", Some(json!({}))).await;
    assert_eq!((status, problem["type"].as_str()), (503, Some("#store")), "{problem}");
    let detail = problem["detail"].as_str().unwrap();
    assert!(detail.contains("busy") && detail.contains("not saved"), "{detail}");
    call.doctor.describe(2, call.patient_place.incarnation, "meanwhile").await;
    assert_eq!(call.patient.expect("description").await["description"]["sdp"], "meanwhile");

    other.execute("ROLLBACK").await.unwrap();
    let issued = server.issue_now().await;
    assert_eq!(server.seats(issued.id()).await.len(), 2);
}
