//! What a socket counts as until it waits in a consultation or holds a seat. There three devices may wait for a seat, and one holds it.

use std::net::IpAddr;
use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use crate::App;
use crate::limit::{Place, Standing};

/// The places of one socket.
pub struct Places {
    connection: Arc<Place>,
    /// Until a valid code was shown, of the client's address; then of the code.
    own: Place,
    has_shown: Option<String>,
}

impl Places {
    /// Of a socket that has shown nothing yet.
    pub fn of_a_stranger(app: &Arc<App>, address: IpAddr, connection: Arc<Place>) -> Self {
        let own = app.strangers.enter(address, app.proxies.is_shared(address));
        Self { connection, own, has_shown: None }
    }

    /// A code that is valid now, or will be, was shown: from here on the socket is one of its, whatever its address does.
    pub fn show(&mut self, app: &App, code_hash: &str) {
        if self.has_shown.as_deref() != Some(code_hash) {
            self.own = app.looking.enter_by(code_hash);
            self.has_shown = Some(code_hash.to_owned());
            self.connection.settle(Standing::Invited);
        }
    }

    /// Something was said.
    pub fn touch(&self) {
        self.own.touch();
        self.connection.touch();
    }

    /// The page waits in a consultation or holds a seat.
    pub fn settle(self) {
        self.connection.settle(Standing::Settled);
    }

    /// Waits until the socket must go for others' sake.
    pub async fn displaced(&self) {
        tokio::select! {
            () = self.own.displaced() => {}
            () = self.connection.displaced() => {}
        }
    }

    /// The words that a place must be given back, for whoever does not hold them.
    pub fn words(&self) -> [CancellationToken; 2] {
        [self.own.word(), self.connection.word()]
    }
}
