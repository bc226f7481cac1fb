//! The check before the appointment: what it gets at the relay ends with the appointment.

use reqwest::Method;
use serde_json::{Value, json};

use crate::common::Server;
use crate::common::desk::Practice;
use crate::common::turn::TurnClient;

/// Begins a check with a code: the status and the answer.
async fn begin(server: &Server, code: &str) -> (u16, Value) {
    let request = server.http().request(Method::POST, server.url("/api/readiness/begin"));
    let response = request.json(&json!({ "code": code })).send().await.unwrap();
    (response.status().as_u16(), response.json().await.unwrap())
}

/// How an appointment ends for the patient who was to come.
#[derive(Debug, Clone, Copy)]
enum End {
    CalledOff,
    Deleted,
    NewCode,
    SeatTakenAway,
    PracticeDeleted,
}

#[tokio::test]
async fn what_a_check_got_at_the_relay_ends_with_the_appointment() {
    for end in [End::CalledOff, End::Deleted, End::NewCode, End::SeatTakenAway, End::PracticeDeleted] {
        let server = Server::start().await;
        let practice = Practice::set_up(&server, "markt").await;
        // Months ahead: an invitation is good for a check from the first day on.
        let plan = json!({ "startsAt": "2027-06-01T09:00", "seats": ["doctor", "patient", "guest"] });
        let plan = practice.head.plan(&server, plan).await;
        let path = format!("/consultations/{}", plan["consultation"]["id"].as_str().unwrap());
        let code = |seat: usize| plan["codes"][seat].as_object().unwrap()["code"].as_str().unwrap();
        let (_, begun) = begin(&server, code(0)).await;
        let mut client = TurnClient::new(&server, &begun["iceServers"]).await;
        assert_eq!(client.allocate().await, Ok(()));
        let (_, others) = begin(&server, code(1)).await;
        let mut other = TurnClient::new(&server, &others["iceServers"]).await;
        assert_eq!(other.allocate().await, Ok(()));

        let head = &practice.head;
        let status = match end {
            End::CalledOff => head.order(&server, &format!("{path}/cancel")).await.0,
            End::Deleted => head.delete(&server, &path).await.0,
            End::NewCode => head.order(&server, &format!("{path}/seats/2/reissue")).await.0,
            End::SeatTakenAway => head.delete(&server, &format!("{path}/seats/2")).await.0,
            End::PracticeDeleted => head.post(&server, "/delete", json!({ "secret": "right" })).await.0,
        };
        assert!(status == 204 || status == 201, "{end:?}: {status}");

        assert_eq!(client.refresh().await, Err(437), "{end:?}: its allocation is gone");
        let mut again = TurnClient::new(&server, &begun["iceServers"]).await;
        assert_eq!(again.allocate().await, Err(401), "{end:?}: its credential opens nothing");
        let (status, _) = begin(&server, code(0)).await;
        assert!(status == 409 || status == 404, "{end:?}: {status}");
        let of_one_seat = matches!(end, End::NewCode | End::SeatTakenAway);
        assert_eq!(other.refresh().await.is_ok(), of_one_seat, "{end:?}: the other seat's check");
    }
}
