//! Ends of stays, from wherever the decision comes (R11): within a second the socket is gone or waits, the relay's allocation is gone, and
//! the credential opens no new one. What was measured is printed.

use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::json;

use crate::common::turn::TurnClient;
use crate::common::walk::{self, Call};
use crate::common::{Server, success};

/// What R11 asks for.
const REQUIRED: Duration = Duration::from_secs(1);

/// A call in which both seats have an allocation.
struct Relayed {
    call: Call,
    patient: TurnClient,
    doctor: TurnClient,
}

async fn relayed(server: &Server) -> Relayed {
    let mut call = walk::call(server).await;
    let mut patient = TurnClient::new(server, &call.ice_servers).await;
    call.doctor.send(json!({ "type": "ice" })).await;
    let mut doctor = TurnClient::new(server, &call.doctor.expect("ice").await["iceServers"]).await;
    for client in [&mut patient, &mut doctor] {
        assert_eq!(client.allocate().await, Ok(()));
        assert_eq!(client.refresh().await, Ok(()));
    }
    Relayed { call, patient, doctor }
}

/// Waits until the patient's socket read `farewell` and closed (or waits, if `waits`), the allocation got 437 and the credential is refused.
async fn assert_ended(server: &Server, what: &str, decided: Instant, relayed: &mut Relayed, farewell: &str) {
    let call = &mut relayed.call;
    let required = async {
        call.patient.expect(farewell).await;
        let socket = if farewell == "sentBack" {
            call.patient.expect("waiting").await;
            "waits"
        } else {
            assert_eq!(call.patient.expect_close().await, 1000);
            "closed"
        };
        let heard = decided.elapsed();
        loop {
            match relayed.patient.refresh().await {
                Ok(()) => tokio::task::yield_now().await,
                Err(code) => {
                    assert_eq!(code, 437);
                    break;
                }
            }
        }
        (socket, heard, decided.elapsed())
    };
    let (socket, heard, ended) =
        tokio::time::timeout(REQUIRED, required).await.expect("within the second that R11 asks for");
    println!(
        "{what}: the socket {socket} after {} ms, 437 on Refresh after {} ms",
        heard.as_millis(),
        ended.as_millis()
    );
    let mut again = TurnClient::new(server, &call.ice_servers).await;
    assert_eq!(again.allocate().await, Err(401), "{what}: the old credential opens nothing");
}

#[tokio::test]
async fn remove_ends_socket_and_allocation_within_a_second() {
    let server = Server::start().await;
    let mut relayed = relayed(&server).await;
    let decided = Instant::now();
    relayed.call.doctor.send(json!({ "type": "remove", "seat": 2 })).await;
    assert_ended(&server, "remove", decided, &mut relayed, "removed").await;
    assert_eq!(relayed.call.doctor.expect("gone").await["reason"], "removed");
    assert_eq!(relayed.doctor.refresh().await, Ok(()), "the doctor's own allocation lives on");
}

#[tokio::test]
async fn removal_reaches_a_seat_whose_device_is_away() {
    let server = Server::start().await;
    let mut relayed = relayed(&server).await;
    let place = relayed.call.patient_place.clone();
    relayed.call.patient = server.page().await;
    relayed.call.doctor.expect("away").await;
    relayed.call.doctor.send(json!({ "type": "remove", "seat": 2 })).await;
    relayed.call.doctor.expect("gone").await;
    assert_eq!(relayed.patient.refresh().await, Err(437));
    let mut again = server.page().await;
    again.resume(&place).await;
    again.expect("waiting").await;
}

#[tokio::test]
async fn sending_back_and_refusing_end_the_allocation_and_then_the_socket() {
    let server = Server::start().await;
    let mut relayed = relayed(&server).await;
    let decided = Instant::now();
    relayed.call.doctor.send(json!({ "type": "sendBack", "seat": 2 })).await;
    assert_ended(&server, "sendBack", decided, &mut relayed, "sentBack").await;
    let knock = relayed.call.doctor.expect("knock").await;
    let decided = Instant::now();
    relayed.call.doctor.send(json!({ "type": "refuse", "knock": knock["knock"] })).await;
    assert_ended(&server, "refuse", decided, &mut relayed, "refused").await;
}

#[tokio::test]
async fn a_patient_who_is_admitted_again_at_once_gets_a_credential_that_works() {
    let server = Server::start().await;
    let mut relayed = relayed(&server).await;
    relayed.call.doctor.send(json!({ "type": "sendBack", "seat": 2 })).await;
    relayed.call.patient.expect("waiting").await;
    relayed.call.doctor.admit_next().await;
    let welcome = relayed.call.patient.expect("welcome").await;
    let mut fresh = TurnClient::new(&server, &welcome["iceServers"]).await;
    assert_eq!(fresh.allocate().await, Ok(()));
    let mut stale = TurnClient::new(&server, &relayed.call.ice_servers).await;
    assert_eq!(stale.allocate().await, Err(401));
}

#[tokio::test]
async fn revoking_by_the_api_ends_everything_within_a_second() {
    let server = Server::start().await;
    let mut relayed = relayed(&server).await;
    let path = format!("/api/consultations/{}", relayed.call.issued.id());
    let decided = Instant::now();
    assert_eq!(server.api(Method::DELETE, &path, None).await.0, 204);
    assert_ended(&server, "revoke by the API", decided, &mut relayed, "revoked").await;
    relayed.call.doctor.expect("revoked").await;
    assert_eq!(relayed.call.doctor.expect_close().await, 1000);
    assert_eq!(relayed.doctor.refresh().await, Err(437));
}

#[tokio::test]
async fn revoking_by_the_command_line_ends_everything_within_a_second() {
    let server = Server::start().await;
    let mut relayed = relayed(&server).await;
    let id = relayed.call.issued.id().to_owned();
    success(&server.cli(&["consultation", "revoke", &id]).await);
    // The process's own start is the operator's time; the second begins when its command has ended at the latest.
    assert_ended(&server, "revoke by the command line", Instant::now(), &mut relayed, "revoked").await;
    relayed.call.doctor.expect("revoked").await;
    for place in [relayed.call.doctor_place, relayed.call.patient_place] {
        let mut again = server.page().await;
        again.resume(&place).await;
        again.expect_error("code-revoked").await;
    }
}

#[tokio::test]
async fn a_new_code_for_a_seat_ends_the_stay_of_who_came_with_the_old_one() {
    let server = Server::start().await;
    let mut relayed = relayed(&server).await;
    let path = format!("/api/consultations/{}/seats/2/reissue", relayed.call.issued.id());
    let decided = Instant::now();
    let (status, reissued) = server.api(Method::POST, &path, None).await;
    assert_eq!(status, 201, "{reissued}");
    assert_ended(&server, "reissue", decided, &mut relayed, "revoked").await;
    assert_eq!(relayed.call.doctor.expect("gone").await["reason"], "revoked");
    let mut old = server.page().await;
    old.resume(&relayed.call.patient_place).await;
    old.expect_error("code-revoked").await;
    let mut new = server.page().await;
    new.wait_at(reissued["code"].as_str().unwrap()).await;
    assert_eq!(relayed.call.doctor.admit_next().await["seat"], 2);
    new.expect("welcome").await;
}

#[tokio::test]
async fn a_device_that_waits_is_out_when_its_code_is_called_off() {
    let server = Server::start().await;
    let issued = server.issue_now().await;
    let mut patient = server.page().await;
    patient.wait_at(issued.code(2)).await;
    success(&server.cli(&["consultation", "reissue", issued.id(), "2"]).await);
    patient.expect("revoked").await;
    assert_eq!(patient.expect_close().await, 1000);
}

#[tokio::test]
async fn hanging_up_and_the_end_of_the_consultation_end_allocations() {
    let server = Server::start().await;
    let mut relayed = relayed(&server).await;
    relayed.call.patient.send(json!({ "type": "leave" })).await;
    relayed.call.doctor.expect("gone").await;
    assert_eq!(relayed.patient.refresh().await, Err(437));
    assert_eq!(relayed.doctor.refresh().await, Ok(()));
    relayed.call.doctor.send(json!({ "type": "end" })).await;
    relayed.call.doctor.expect("ended").await;
    assert_eq!(relayed.doctor.refresh().await, Err(437));
}

#[tokio::test]
async fn an_allocation_outlives_a_lost_socket_and_a_resume_of_the_same_page() {
    let server = Server::start().await;
    let mut relayed = relayed(&server).await;
    relayed.call.patient = server.page().await;
    relayed.call.doctor.expect("away").await;
    assert_eq!(relayed.patient.refresh().await, Ok(()));
    let mut again = server.page().await;
    again.resume(&relayed.call.patient_place).await;
    again.expect("welcome").await;
    assert_eq!(relayed.patient.refresh().await, Ok(()));
    assert_eq!(relayed.doctor.refresh().await, Ok(()));
}
