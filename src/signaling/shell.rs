//! Carries out what a [`Participant`] decides: one task for each socket, one loop. Writes wait in the socket, questions to the store in a queue, and
//! what others tell is heard before both.

use std::collections::VecDeque;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use chrono::Utc;
use tokio::time::{sleep_until, timeout};
use tokio_util::sync::CancellationToken;

use super::ends;
use super::participant::{Answer, Context, Effect, Input, Now, Participant, Presence, Query, Unavailable};
use super::places::Places;
use super::socket::Socket;
use crate::App;
use crate::bus::{CAPACITY_PER_SEAT, Envelope, Subscription};
use crate::ice;
use crate::keys::random_128;
use crate::practice::presence::{Attending, Visitor};

/// How long a page has for the closing handshake, and to take what it was sent before.
const END: Duration = Duration::from_secs(1);
/// The same where its place is needed: each is a file that the process may open.
const HURRIED_END: Duration = Duration::from_millis(50);
/// Messages that a page may have sent before it read the close.
const UNDER_WAY: u32 = 256;

type Task<T> = Pin<Box<dyn Future<Output = T> + Send>>;

struct Shell {
    app: Arc<App>,
    address: IpAddr,
    /// What the socket counts as until it is settled.
    places: Option<Places>,
    /// Whether the word that a place is needed has come.
    is_displaced: bool,
    /// The words that a place is needed.
    displaced: [CancellationToken; 2],
    line: Line,
    bus: Option<Subscription<Envelope>>,
    consultation: String,
    /// Questions in their order; the first is being asked.
    asking: VecDeque<Task<Answer>>,
    /// What the practice's desks see of the page.
    attending: Option<Attending>,
    /// The page takes no more: said at the next turn.
    is_full: bool,
}

/// The page's end.
enum Line {
    Open(Box<Socket>),
    /// Says its last words.
    Closing(Task<()>),
    Closed,
}

/// One page's socket from its first message to its end, and what is left to do after that.
pub async fn serve(app: Arc<App>, socket: Socket, address: IpAddr, places: Places) {
    let mut participant = Participant::new(now());
    let stop = app.stop.clone();
    let mut is_stopping = false;
    let mut shell = Shell {
        app,
        address,
        displaced: places.words(),
        places: Some(places),
        is_displaced: false,
        line: Line::Open(Box::new(socket)),
        bus: None,
        consultation: String::new(),
        asking: VecDeque::new(),
        attending: None,
        is_full: false,
    };
    let mut effects = Vec::new();
    while !participant.is_over() || matches!(shell.line, Line::Closing(_)) {
        let (listens, deadline) = (participant.is_listening(), participant.deadline());
        let input = tokio::select! {
            biased;
            () = stop.cancelled(), if !is_stopping => {
                is_stopping = true;
                Input::Stop
            }
            input = shell.next(listens, deadline) => match input {
                Some(input) => input,
                None => continue,
            },
        };
        shell.step(&mut participant, input, &mut effects);
    }
}

impl Shell {
    /// What happens next: what others tell, what came of a question, and only then what the page says. `None`: its line has closed.
    async fn next(&mut self, listens: bool, deadline: Option<Instant>) -> Option<Input> {
        if std::mem::take(&mut self.is_full) {
            return Some(Input::Overflow);
        }
        let Self { bus, asking, places, is_displaced, line, .. } = self;
        tokio::select! {
            biased;
            envelope = event(bus) => Some(envelope),
            answer = answer(asking) => Some(answer),
            () = displaced(places, is_displaced) => Some(Input::Displaced),
            () = until(deadline) => Some(Input::Tick),
            input = line.next(listens) => input,
        }
    }

    fn step(&mut self, participant: &mut Participant, input: Input, effects: &mut Vec<Effect>) {
        if let (Input::Message(_), Some(places)) = (&input, &self.places) {
            places.touch();
        }
        let mut random = random_128;
        let keys = &self.app.keys;
        participant.step(input, &mut Context { now: now(), keys, random: &mut random, effects });
        for effect in effects.drain(..) {
            self.carry_out(effect);
        }
    }

    fn carry_out(&mut self, effect: Effect) {
        let app = &self.app;
        match effect {
            Effect::Send(message) => {
                if let Line::Open(socket) = &mut self.line {
                    self.is_full |= socket.send(&message).is_err();
                }
            }
            Effect::Ping(payload) => {
                if let Line::Open(socket) = &mut self.line {
                    socket.ping(payload);
                }
            }
            Effect::Close(code, reason) => {
                // A page that does not finish the handshake is not waited for, hardly at all where somebody else needs its place.
                let is_needed = self.displaced.iter().any(CancellationToken::is_cancelled);
                self.line.close(code, reason, if is_needed { HURRIED_END } else { END });
            }
            Effect::Publish(to, event) => app.bus.tell(&self.consultation, to, event),
            Effect::Subscribe { consultation, seats } => {
                self.bus = Some(app.bus.subscribe(&consultation, CAPACITY_PER_SEAT * seats));
                self.consultation = consultation;
            }
            Effect::Widen { seats } => app.bus.widen(&self.consultation, CAPACITY_PER_SEAT * seats),
            Effect::Unsubscribe => {
                self.bus = None;
                self.places = None;
                // The socket was lost, unless it says its last words.
                if matches!(self.line, Line::Open(_)) {
                    self.line = Line::Closed;
                }
            }
            Effect::Ask(query) => self.asking.push_back(Box::pin(ask(Arc::clone(app), self.address, query))),
            Effect::Shown { code_hash } => {
                if let Some(places) = &mut self.places {
                    places.show(app, &code_hash);
                }
            }
            Effect::Settled => {
                if let Some(places) = self.places.take() {
                    places.settle();
                }
            }
            Effect::Show(presence) => {
                self.attending = presence.map(|presence| attend(app, &presence));
            }
            Effect::EndSeat { consultation, seat, epoch } => ends::end_seat(app, &consultation, seat, epoch),
        }
    }
}

impl Line {
    /// Sends what waits, and gives the next thing from the page if it `listens`; `None` once a closing line has closed.
    async fn next(&mut self, listens: bool) -> Option<Input> {
        match self {
            Self::Open(socket) => return Some(socket.next(listens).await),
            Self::Closing(closing) => closing.await,
            Self::Closed => std::future::pending().await,
        }
        *self = Self::Closed;
        None
    }

    fn close(&mut self, code: u16, reason: &'static str, patience: Duration) {
        *self = match std::mem::replace(self, Self::Closed) {
            Self::Open(mut socket) => {
                socket.close(code, reason);
                Self::Closing(Box::pin(async move {
                    let _ = timeout(patience, drain(&mut socket)).await;
                }))
            }
            other => other,
        };
    }
}

/// Reads until the page has closed its end. From a page that floods on, no more is taken than may have been under way: it stands still until the
/// caller's deadline.
async fn drain(socket: &mut Socket) {
    for _ in 0..UNDER_WAY {
        if matches!(socket.next(true).await, Input::Lost) {
            return;
        }
    }
    socket.next(false).await;
}

async fn event(bus: &mut Option<Subscription<Envelope>>) -> Input {
    match bus {
        Some(bus) => bus.next().await.map_or(Input::Overflow, Input::Event),
        None => std::future::pending().await,
    }
}

async fn answer(asking: &mut VecDeque<Task<Answer>>) -> Input {
    let Some(first) = asking.front_mut() else { return std::future::pending().await };
    let answer = first.await;
    asking.pop_front();
    Input::Answer(answer)
}

/// Said once: whoever is on the way out, or in, is not asked again.
async fn displaced(places: &mut Option<Places>, is_told: &mut bool) {
    match places {
        Some(places) if !*is_told => places.displaced().await,
        _ => std::future::pending().await,
    }
    *is_told = true;
}

async fn until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => sleep_until(deadline.into()).await,
        None => std::future::pending().await,
    }
}

fn now() -> Now {
    Now { monotonic: Instant::now(), unix: Utc::now() }
}

fn attend(app: &Arc<App>, presence: &Presence) -> Attending {
    let Presence { practice, consultation, claim, seat, role, waits } = presence;
    let visitor = Visitor { practice, consultation, claim, seat: *seat, role: *role };
    match waits {
        Some((knock, since)) => Attending::waits(app, &visitor, knock, *since),
        None => Attending::sits(app, &visitor),
    }
}

/// Asks the store, or whoever else has to be waited for.
async fn ask(app: Arc<App>, address: IpAddr, query: Query) -> Answer {
    let store = &app.store;
    match query {
        Query::Find { code_hash, is_guess } => {
            let found = store.find(&code_hash).await;
            let wait =
                if is_guess { weigh(&app, address, !matches!(found, Ok(None))) } else { Duration::ZERO };
            Answer::Found(known(found).map(|found| found.map(Box::new)), wait)
        }
        Query::Use { code_hash, device } => {
            Answer::Used(known(store.use_code(&code_hash, &device, Utc::now().timestamp_millis()).await))
        }
        Query::Enter { code_hash, consultation } => {
            let entered = async {
                let Some(found) = store.find(&code_hash).await? else { return Ok(None) };
                Ok(Some((Box::new(found), store.seats(&consultation).await?)))
            };
            Answer::Entered(known(entered.await))
        }
        Query::Claim(claim) => Answer::Claimed(known(store.claim(&claim).await)),
        Query::Release { consultation, seat, claim } => {
            Answer::Done(known(store.release(&consultation, seat, &claim).await))
        }
        Query::Seated { consultation, seat, epoch } => {
            let seats = known(store.seats(&consultation).await);
            Answer::Seated(seats.map(|seats| {
                let ice_servers = ice::servers_of(&app, &consultation, (seat, epoch), seats.len());
                (seats, ice_servers)
            }))
        }
        Query::Seats { consultation } => Answer::Seats(known(store.seats(&consultation).await)),
        Query::Mint { consultation, seat, epoch, seats } => {
            Answer::Minted(ice::servers_of(&app, &consultation, (seat, epoch), seats))
        }
        Query::Dismiss { consultation, seat, reason } => {
            Answer::Done(known(ends::dismiss(&app, &consultation, seat, reason).await))
        }
        Query::End { consultation } => Answer::Done(known(ends::end(&app, &consultation).await)),
    }
}

/// How long the answer to a code shall wait, and a line in the log where many are wrong.
fn weigh(app: &App, address: IpAddr, is_right: bool) -> Duration {
    if !is_right && let Some(failures) = app.guesses.failed() {
        tracing::warn!(failures, "many wrong access codes since the start: somebody may be guessing");
    }
    app.guesses.weigh(address, is_right, Instant::now())
}

fn known<T>(result: Result<T, sqlx::Error>) -> Result<T, Unavailable> {
    result.map_err(|cause| {
        tracing::error!(%cause, "the store did not answer");
        Unavailable
    })
}
