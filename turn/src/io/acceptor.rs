//! Listening sockets for TCP and TLS clients of a relay that has them to itself.

use std::io;
use std::net::TcpListener;
use std::sync::Arc;

use mio::{Interest, Registry, Token};
use rustls::{ServerConfig, ServerConnection};

use super::handle::{Newcomer, Shared};

/// Connections taken from one listener before others have their turn.
const TURNS: usize = 32;

/// One listening socket.
pub(super) struct Acceptor {
    listener: mio::net::TcpListener,
    tls: Option<Arc<ServerConfig>>,
    /// Polling is edge-triggered: connections may wait until the socket said that none does.
    pub(super) is_readable: bool,
}

impl Acceptor {
    pub(super) fn new(listener: TcpListener, tls: Option<Arc<ServerConfig>>) -> io::Result<Self> {
        listener.set_nonblocking(true)?;
        Ok(Acceptor { listener: mio::net::TcpListener::from_std(listener), tls, is_readable: true })
    }

    pub(super) fn register(&mut self, registry: &Registry, token: Token) -> io::Result<()> {
        registry.register(&mut self.listener, token, Interest::READABLE)
    }

    /// Hands the clients that wait to the workers. An error is not the clients' fault: there may be no descriptor left.
    pub(super) fn accept(&mut self, shared: &Shared) -> io::Result<()> {
        for _ in 0..TURNS {
            let tcp = match self.listener.accept() {
                Ok((tcp, _)) => tcp.into(),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.is_readable = false;
                    return Ok(());
                }
                Err(error) if is_one_clients(&error) => continue,
                Err(error) => return Err(error),
            };
            let tls = match &self.tls {
                None => None,
                Some(config) => Some(ServerConnection::new(Arc::clone(config)).map_err(io::Error::other)?),
            };
            shared.adopt(Newcomer { tcp, client: None, tls, received: Vec::new(), place: Box::new(()) });
        }
        Ok(())
    }
}

/// A client that went away while it waited.
fn is_one_clients(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset | io::ErrorKind::Interrupted
    )
}
