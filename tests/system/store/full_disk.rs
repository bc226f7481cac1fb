//! A disk that fills up and is freed again, under a server at work.

use std::time::Duration;

use rand::RngExt;
use reqwest::Method;
use serde_json::{Value, json};

use crate::common::disk::SmallDisk;
use crate::common::{Ending, Page, Server, walk};

const WRITERS: usize = 8;
const EACH: usize = 3;
const DISK: u64 = 3 << 20;

/// What a consultation that was asked for became.
enum Answer {
    /// 201: its id.
    Taken(String),
    /// The status and the problem.
    Refused(u16, Value),
}

async fn write(server: &Server) -> Answer {
    let (status, body) = server.api(Method::POST, "/api/consultations", Some(json!({}))).await;
    match status {
        201 => Answer::Taken(body["id"].as_str().unwrap().to_owned()),
        status => Answer::Refused(status, body),
    }
}

/// Eight who plan at once, three consultations each.
async fn writers(server: &Server) -> Vec<Answer> {
    let writer = async || {
        let mut answers = Vec::new();
        for _ in 0..EACH {
            answers.push(write(server).await);
        }
        answers
    };
    let all: [_; WRITERS] = std::array::from_fn(|_| writer());
    futures_util::future::join_all(all).await.into_iter().flatten().collect()
}

/// Keeps the acknowledged ones and answers the refusals.
fn sort(answers: Vec<Answer>, acknowledged: &mut Vec<String>) -> Vec<(u16, Value)> {
    let mut refused = Vec::new();
    for answer in answers {
        match answer {
            Answer::Taken(id) => acknowledged.push(id),
            Answer::Refused(status, problem) => refused.push((status, problem)),
        }
    }
    refused
}

async fn missing_of(server: &Server, acknowledged: &[String]) -> Vec<String> {
    let mut missing = Vec::new();
    for id in acknowledged {
        if server.api(Method::GET, &format!("/api/consultations/{id}"), None).await.0 != 200 {
            missing.push(id.clone());
        }
    }
    missing
}

/// Both pages of a call hear each other through the server.
async fn goes_on(call: &mut walk::Call, word: &str) {
    call.doctor.describe(2, call.patient_place.incarnation, word).await;
    assert_eq!(call.patient.expect("description").await["description"]["sdp"], word);
    call.patient.describe(1, call.doctor_place.incarnation, word).await;
    assert_eq!(call.doctor.expect("description").await["description"]["sdp"], word);
}

/// One disk that fills and is freed. `pause` stands between the steps, so that they meet the writers at any moment.
async fn round(pause: impl Fn() -> Duration, ending: Ending) -> Option<()> {
    let mut server = Server::start_on(SmallDisk::mount(DISK).await?).await;
    let mut acknowledged = Vec::new();
    let mut call = walk::call(&server).await;
    acknowledged.push(call.issued.id().to_owned());
    let waits = server.issue_now().await;
    let mut doctor = server.page().await;
    doctor.enter(waits.code(1)).await;
    let mut patient = server.page().await;
    patient.wait_at(waits.code(2)).await;

    let at_work = writers(&server);
    let fills = async {
        tokio::time::sleep(pause()).await;
        server.disk().fill_to(1);
    };
    let before = if pause().is_zero() {
        fills.await;
        at_work.await
    } else {
        futures_util::future::join(at_work, fills).await.0
    };
    let mut refused = sort(before, &mut acknowledged);
    // Whatever room the writers before had left in SQLite's log is used up by now or by these.
    refused.extend(sort(writers(&server).await, &mut acknowledged));
    assert!(!refused.is_empty(), "the disk was full");
    goes_on(&mut call, "while the disk is full").await;

    server.disk().free();
    let refused_after = sort(writers(&server).await, &mut acknowledged);
    goes_on(&mut call, "after the disk was full").await;
    if refused_after.is_empty() {
        admit(&mut doctor, &mut patient, waits.code(2)).await;
    }
    server.restart(ending).await;
    let missing = missing_of(&server, &acknowledged).await;
    assert_eq!(missing, Vec::<String>::new(), "of {} acknowledged", acknowledged.len());
    assert!(refused_after.is_empty(), "after there was room again: {refused_after:?}");
    for (status, problem) in &refused {
        let said = (*status, problem["type"].as_str().unwrap());
        assert_eq!(said, (503, "#no-space"), "{problem}");
        assert!(problem["detail"].as_str().unwrap().contains("not saved"), "{problem}");
    }
    Some(())
}

async fn admit(doctor: &mut Page, patient: &mut Page, code: &str) {
    doctor.admit_next().await;
    patient.welcomed(code).await;
}

#[tokio::test]
async fn each_acknowledged_consultation_outlives_a_full_disk_and_the_call_goes_on() {
    round(|| Duration::ZERO, Ending::Terminate).await;
}

#[tokio::test]
async fn twenty_full_disks_at_random_moments_lose_nothing() {
    if std::env::var_os("VISAVIS_LONG").is_none() {
        return;
    }
    for number in 1..=20 {
        let ending = if number % 2 == 0 { Ending::Terminate } else { Ending::Kill };
        let pause = || Duration::from_millis(rand::rng().random_range(1..60));
        if round(pause, ending).await.is_none() {
            return;
        }
        println!("round {number}: nothing is missing");
    }
}
