//! `visavis consultation …` and `visavis practice …`: over the Unix socket while a server runs, on the store itself, under the lock, while none does.

use axum::body::Bytes;
use chrono::Utc;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use serde::de::DeserializeOwned;
use tokio::net::UnixStream;
use url::Url;

use crate::access::rfc3339;
use crate::config::Config;
use crate::consultation::{self, Issued, IssuedSeat, NewConsultation, Planned, Planner};
use crate::error::Error;
use crate::fields::fold;
use crate::keys::random_128;
use crate::operator::{names, rescue_link, set_up_link};
use crate::start::{DataDir, Refusal, Secrets, open_store};
use crate::store::Store;

/// Plan consultations and issue their codes
#[derive(Debug, clap::Subcommand)]
pub enum ConsultationCommand {
    /// Plan a consultation and print its codes and links, this once
    New {
        /// Planned start, RFC 3339 or a local time like 2026-11-30T09:00 [default: now]
        #[arg(long, value_name = "TIME")]
        start: Option<String>,
        /// Guests besides doctor and patient: relatives, interpreters, colleagues
        #[arg(long, default_value_t = 0, value_parser = clap::value_parser!(u8).range(0..=7), value_name = "COUNT")]
        guests: u8,
        /// Picture and sound go over the relay alone: neither side learns the other's address
        #[arg(long)]
        relayed_only: bool,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// List consultations, the newest first, without their codes
    List {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Give a seat a new code; the old one dies
    Reissue {
        /// The consultation
        id: String,
        /// The seat's number; 1 is the doctor's
        seat: u8,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Call a consultation off; who is in it is out within a second
    Revoke {
        /// The consultation
        id: String,
    },
}

/// Does what the command says and returns what to print.
pub async fn carry_out(command: ConsultationCommand, config: &Config) -> Result<String, Refusal> {
    let door = Door::open(config).await?;
    // Made here and never sent: the server does not learn it (R13).
    let secret = random_128();
    match command {
        ConsultationCommand::New { start, guests, relayed_only, json } => {
            use crate::access::Role::{Doctor, Guest, Patient};
            let seats =
                [Doctor, Patient].into_iter().chain(std::iter::repeat_n(Guest, guests.into())).collect();
            let plan = NewConsultation {
                starts_at: start,
                seats: Some(seats),
                relayed_only,
                ..NewConsultation::default()
            };
            let mut issued = door.new_consultation(plan).await?;
            for seat in &mut issued.seats {
                seat.link = format!("{}.{secret}", seat.link);
            }
            Ok(if json { to_json(&issued) } else { describe(&issued) })
        }
        ConsultationCommand::List { json } => {
            let planned = door.list().await?;
            Ok(if json { to_json(&planned) } else { planned.iter().map(line).collect() })
        }
        ConsultationCommand::Reissue { id, seat, json } => {
            // The other seats' links carry a secret that nobody here knows any more, so the new link has none: the code alone decides.
            let issued = door.reissue(&id, seat).await?;
            Ok(if json { to_json(&issued) } else { describe_seat(&issued) })
        }
        ConsultationCommand::Revoke { id } => {
            door.revoke(&id).await?;
            Ok(format!("{id} is called off.\n"))
        }
    }
}

/// Let practices in
#[derive(Debug, clap::Subcommand)]
pub enum PracticeCommand {
    /// Print a one-time link with which somebody sets a practice up, valid for a day
    New,
    /// List practices
    List,
    /// Print a one-time link with which a user chooses a new password, valid for a day. It gives access, not the names: those a released workplace or a colleague gives back
    Rescue {
        /// The practice's short name
        practice: String,
        /// The user's short name
        user: String,
    },
}

/// Does what the command says and returns what to print.
pub async fn keep_practices(command: PracticeCommand, config: &Config) -> Result<String, Refusal> {
    let door = Door::open(config).await?;
    match command {
        PracticeCommand::New => Ok(format!("{}\n", door.set_up_link().await?)),
        PracticeCommand::List => {
            Ok(door.practices().await?.iter().map(|(short, name)| format!("{short}  {name}\n")).collect())
        }
        PracticeCommand::Rescue { practice, user } => {
            Ok(format!("{}\n", door.rescue(&practice, &user).await?))
        }
    }
}

/// The way to the consultations.
pub enum Door {
    /// A server runs: its API on the Unix socket.
    Server(UnixStream),
    /// None does: the store, locked for as long as this lives.
    Store { store: Store, secrets: Box<Secrets>, public_url: Url, config: Box<Config>, _data_dir: DataDir },
}

impl Door {
    /// Finds the server, or else opens the store.
    pub async fn open(config: &Config) -> Result<Self, Refusal> {
        if let Ok(stream) = UnixStream::connect(config.socket_path()).await {
            return Ok(Self::Server(stream));
        }
        let data_dir = DataDir::open(&config.data_dir)?.ok_or_else(|| {
            Refusal(format!("Another visavis uses the directory {} and does not answer. Wait until it has started, or stop it.", config.data_dir.display()))
        })?;
        let port = if config.listen.port() == 0 { 8080 } else { config.listen.port() };
        let public_url = config.public_url(port);
        let store = open_store(config, &data_dir).await?;
        let secrets = match Secrets::load(config, &store).await {
            Ok(secrets) => Box::new(secrets),
            Err(refusal) => {
                store.close().await;
                return Err(refusal);
            }
        };
        Ok(Self::Store { store, secrets, public_url, config: Box::new(config.clone()), _data_dir: data_dir })
    }

    async fn new_consultation(self, plan: NewConsultation) -> Result<Issued, Refusal> {
        match self {
            Self::Server(stream) => {
                ask(stream, Method::POST, "/api/consultations", serde_json::to_vec(&plan).ok()).await
            }
            Self::Store { store, secrets, public_url, config, .. } => {
                let planner = Planner::of_operator(&store, &secrets.keys, &config, &public_url);
                done(planner.create(&plan).await, &store).await
            }
        }
    }

    async fn set_up_link(self) -> Result<String, Refusal> {
        match self {
            Self::Server(stream) => ask(stream, Method::POST, "/api/practices", None).await,
            Self::Store { store, public_url, .. } => {
                done(set_up_link(&store, &public_url).await.map_err(Error::from), &store).await
            }
        }
    }

    async fn practices(self) -> Result<Vec<(String, String)>, Refusal> {
        match self {
            Self::Server(stream) => ask(stream, Method::GET, "/api/practices", None).await,
            Self::Store { store, .. } => done(names(&store).await, &store).await,
        }
    }

    async fn rescue(self, practice: &str, user: &str) -> Result<String, Refusal> {
        match self {
            Self::Server(stream) => {
                // Any letter may stand in a name; a URL's path takes it percent-encoded.
                let path = format!("/api/practices/{}/rescue/{}", percent(practice), percent(user));
                ask(stream, Method::POST, &path, None).await
            }
            Self::Store { store, public_url, .. } => {
                done(rescue_link(&store, &public_url, practice, user).await, &store).await
            }
        }
    }

    async fn list(self) -> Result<Vec<Planned>, Refusal> {
        match self {
            Self::Server(stream) => ask(stream, Method::GET, "/api/consultations?limit=1000", None).await,
            Self::Store { store, .. } => {
                let listed = store.list(None, 1000).await.map_err(Into::into);
                let now = Utc::now();
                Ok(done(listed, &store)
                    .await?
                    .iter()
                    .map(|consultation| consultation::planned(consultation, now))
                    .collect())
            }
        }
    }

    async fn reissue(self, id: &str, seat: u8) -> Result<IssuedSeat, Refusal> {
        match self {
            Self::Server(stream) => {
                ask(
                    stream,
                    Method::POST,
                    &format!("/api/consultations/{}/seats/{seat}/reissue", encode(id)),
                    None,
                )
                .await
            }
            Self::Store { store, secrets, public_url, .. } => {
                let issued = async {
                    let issued =
                        consultation::reissue_code(&store, &secrets.keys, &public_url, id, seat).await?;
                    store.clear_admission(id, seat, false).await?;
                    Ok(issued)
                };
                done(issued.await, &store).await
            }
        }
    }

    async fn revoke(self, id: &str) -> Result<(), Refusal> {
        match self {
            Self::Server(stream) => {
                ask(stream, Method::DELETE, &format!("/api/consultations/{}", encode(id)), None).await
            }
            Self::Store { store, .. } => {
                let revoked = match store.revoke(id, Utc::now()).await {
                    Ok(true) => Ok(()),
                    Ok(false) => Err(crate::error::Error::NotFound("consultation")),
                    Err(error) => Err(error.into()),
                };
                done(revoked, &store).await
            }
        }
    }
}

/// Closes the store, whatever came of it.
async fn done<T>(result: Result<T, crate::error::Error>, store: &Store) -> Result<T, Refusal> {
    store.close().await;
    result.map_err(|error| Refusal(error.to_string()))
}

fn broken(error: &dyn std::fmt::Display) -> Refusal {
    Refusal(format!("The running visavis did not answer as expected ({error}). Look into its log."))
}

/// One request to the running server, whose answer is JSON.
async fn ask<T: DeserializeOwned>(
    stream: UnixStream,
    method: Method,
    path: &str,
    body: Option<Vec<u8>>,
) -> Result<T, Refusal> {
    let answer = send(stream, method, path, body).await?;
    let status = answer.status();
    let body = answer.into_body().collect().await.map_err(|error| broken(&error))?.to_bytes();
    let body: &[u8] = if status == StatusCode::NO_CONTENT { b"null" } else { &body };
    serde_json::from_slice(body).map_err(|error| broken(&error))
}

/// One request to the running server; a problem's detail becomes the refusal.
pub async fn send(
    stream: UnixStream,
    method: Method,
    path: &str,
    body: Option<Vec<u8>>,
) -> Result<Response<Incoming>, Refusal> {
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(|error| broken(&error))?;
    tokio::spawn(connection);
    let request = Request::builder()
        .method(method)
        .uri(path)
        .header(hyper::header::HOST, "localhost")
        .header(hyper::header::CONTENT_TYPE, "application/json")
        .body(Full::<Bytes>::from(body.unwrap_or_default()))
        .map_err(|error| broken(&error))?;
    let response = sender.send_request(request).await.map_err(|error| broken(&error))?;
    let status = response.status();
    if status.is_success() {
        return Ok(response);
    }
    let body = response.into_body().collect().await.map_err(|error| broken(&error))?.to_bytes();
    let problem: serde_json::Value = serde_json::from_slice(&body).map_err(|error| broken(&error))?;
    Err(Refusal(problem["detail"].as_str().unwrap_or(status.as_str()).to_owned()))
}

fn percent(name: &str) -> String {
    url::form_urlencoded::byte_serialize(fold(name).as_bytes()).collect()
}

/// An id in a path: whatever is no letter, digit or dash can be none of ours.
fn encode(id: &str) -> String {
    id.chars().map(|c| if c.is_ascii_alphanumeric() || c == '-' { c } else { '_' }).collect()
}

fn to_json(value: &impl serde::Serialize) -> String {
    let text = serde_json::to_string_pretty(value).expect("answers are plain data");
    format!("{text}\n")
}

fn describe(issued: &Issued) -> String {
    let mut text = format!(
        "Consultation {}\nStarts {}, codes open {}, valid until {}\n",
        issued.id,
        rfc3339(issued.starts_at),
        rfc3339(issued.opens_at),
        rfc3339(issued.expires_at)
    );
    if issued.relayed_only {
        text.push_str("Picture and sound go over the relay alone\n");
    }
    issued.note.iter().for_each(|note| text.push_str(&format!("Note: {note}\n")));
    issued.seats.iter().for_each(|seat| text.push_str(&describe_seat(seat)));
    text
}

fn describe_seat(seat: &IssuedSeat) -> String {
    format!("{} {:8} {}  {}\n", seat.seat, seat.role.as_str(), seat.code, seat.link)
}

fn line(planned: &Planned) -> String {
    format!("{}  starts {}  {}\n", planned.id, rfc3339(planned.starts_at), planned.state.as_str())
}
