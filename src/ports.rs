//! The ports, bound before anything else starts: one number for pages and relay on TCP and UDP, and a further one for the relay alone if
//! it is configured. An occupied port is refused, never shared.

use std::io;
use std::net::SocketAddr;

use tokio::net::TcpListener;
use visavis_turn::Listeners;

use crate::listener::bind_tcp;
use crate::start::{Refusal, refuse};

/// Everything that listens.
pub struct Ports {
    /// Pages and signaling; the relay's clients come here, too.
    pub pages: TcpListener,
    /// Its address.
    pub address: SocketAddr,
    /// The relay's own sockets, the main port's UDP first.
    pub relay: Listeners,
    /// The relay's further port for TCP, and its address.
    pub turn: Option<(TcpListener, SocketAddr)>,
}

impl Ports {
    /// Binds `listen`, and `turn_listen` if there is one, with so many UDP sockets on each.
    pub fn bind(
        listen: SocketAddr,
        turn_listen: Option<SocketAddr>,
        workers: usize,
    ) -> Result<Self, Refusal> {
        let (pages, address, udp) =
            bind_both(listen, workers).map_err(|error| unusable(&error, listen, "--listen"))?;
        let pages = TcpListener::from_std(pages).map_err(|error| unusable(&error, listen, "--listen"))?;
        let mut ports =
            Self { pages, address, relay: Listeners { udp: vec![udp], ..Listeners::default() }, turn: None };
        if let Some(listen) = turn_listen {
            let (tcp, address, udp) =
                bind_both(listen, workers).map_err(|error| unusable(&error, listen, "--turn-listen"))?;
            ports.relay.udp.push(udp);
            let tcp =
                TcpListener::from_std(tcp).map_err(|error| unusable(&error, listen, "--turn-listen"))?;
            ports.turn = Some((tcp, address));
        }
        Ok(ports)
    }
}

/// TCP and UDP of the same number.
fn bind_both(
    listen: SocketAddr,
    workers: usize,
) -> io::Result<(std::net::TcpListener, SocketAddr, Vec<std::net::UdpSocket>)> {
    // With port 0 the free TCP port may be taken on the UDP side; the next one is not, sooner or later.
    let mut tries = if listen.port() == 0 { 16 } else { 1 };
    loop {
        tries -= 1;
        let bound = bind_tcp(listen).and_then(|tcp| {
            let address = tcp.local_addr()?;
            Ok((tcp, address, visavis_turn::bind(address, workers)?))
        });
        match bound {
            Err(error) if error.kind() == io::ErrorKind::AddrInUse && tries > 0 => {}
            bound => return bound,
        }
    }
}

fn unusable(error: &io::Error, listen: SocketAddr, option: &str) -> Refusal {
    let port = listen.port();
    refuse(match error.kind() {
        io::ErrorKind::AddrInUse => {
            format!(
                "Port {port} is in use by another program. Stop that program, or choose another port with {option}."
            )
        }
        io::ErrorKind::PermissionDenied => {
            format!(
                "Port {port} needs rights that this user does not have. Choose a port above 1023 with {option}."
            )
        }
        _ => format!("The address {listen} cannot be used ({error}). Choose another with {option}."),
    })
}
