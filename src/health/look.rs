//! The figures: a real write, the disk, the relay's own sockets, the descriptors, the certificate.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use rand::Rng;
use rlimit::Resource;
use tokio::net::UdpSocket;

use super::judge::{self, Check};
use crate::App;
use crate::disk;
use crate::store::Failure;
use crate::tls::Tls;

/// How long the relay may take for an answer, and how often it is asked: a busy machine drops a datagram.
const ANSWER: Duration = Duration::from_millis(500);
const ASKED: usize = 3;
/// STUN (RFC 8489): a Binding request without attributes, its success, the magic cookie.
const BINDING_REQUEST: [u8; 8] = [0x00, 0x01, 0, 0, 0x21, 0x12, 0xA4, 0x42];
const BINDING_SUCCESS: [u8; 2] = [0x01, 0x01];
const STUN_HEADER: usize = 20;

/// What the server has besides its store.
pub struct Watched {
    /// The certificate in force.
    pub tls: Option<Arc<Tls>>,
    /// Where the relay listens.
    pub relay: Vec<SocketAddr>,
}

/// Looks at every part.
pub async fn at(app: &App, watched: &Watched) -> Vec<Check> {
    let mut checks = vec![store(app).await, space(app), relay(&watched.relay).await, descriptors().await];
    if let Some(tls) = &watched.tls {
        checks.push(judge::certificate(tls.days_left(chrono::Utc::now())));
    }
    checks
}

/// The lease is renewed, and that is a real write.
async fn store(app: &App) -> Check {
    match app.store.renew_lease().await {
        Ok(true) => Check::ok("store", "it takes changes".to_owned()),
        Ok(false) => {
            app.health.lost.cancel();
            Check::failing("store", "another visavis has taken the database over".to_owned())
        }
        Err(cause) => {
            let what = match Failure::of(&cause) {
                Failure::Full => "no space is left on its disk".to_owned(),
                Failure::Busy => "it is busy for too long".to_owned(),
                _ => cause.to_string(),
            };
            Check::failing("store", format!("it takes no changes: {what}"))
        }
    }
}

fn space(app: &App) -> Check {
    match disk::free_bytes(&app.config.data_dir) {
        Ok(free) => judge::space(free, disk::FULL_BYTES),
        Err(error) => Check::failing("space", error.to_string()),
    }
}

/// Asks the relay for an answer as a browser would, over each of its UDP ports.
async fn relay(addresses: &[SocketAddr]) -> Check {
    for address in addresses {
        if let Err(error) = ask(*address).await {
            return Check::failing("relay", format!("UDP port {}: {error}", address.port()));
        }
    }
    Check::ok("relay", "it answers".to_owned())
}

async fn ask(address: SocketAddr) -> io::Result<()> {
    let (own, there): (IpAddr, IpAddr) = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => (Ipv4Addr::LOCALHOST.into(), Ipv4Addr::LOCALHOST.into()),
        IpAddr::V6(ip) if ip.is_unspecified() => (Ipv6Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()),
        ip @ IpAddr::V4(_) => (Ipv4Addr::UNSPECIFIED.into(), ip),
        ip @ IpAddr::V6(_) => (Ipv6Addr::UNSPECIFIED.into(), ip),
    };
    let socket = UdpSocket::bind((own, 0)).await?;
    socket.connect((there, address.port())).await?;
    let mut request = [0; STUN_HEADER];
    request[..8].copy_from_slice(&BINDING_REQUEST);
    rand::rng().fill_bytes(&mut request[8..]);
    for _ in 0..ASKED {
        socket.send(&request).await?;
        let mut answer = [0; 256];
        match tokio::time::timeout(ANSWER, socket.recv(&mut answer)).await {
            Ok(Ok(STUN_HEADER..)) if answer[..2] == BINDING_SUCCESS && answer[8..20] == request[8..20] => {
                return Ok(());
            }
            Ok(Err(error)) => return Err(error),
            Ok(Ok(_)) | Err(_) => {}
        }
    }
    Err(io::ErrorKind::TimedOut.into())
}

async fn descriptors() -> Check {
    let counted = tokio::task::spawn_blocking(|| {
        let open = std::fs::read_dir("/proc/self/fd")?.count();
        Ok::<_, io::Error>((u64::try_from(open).unwrap_or(u64::MAX), Resource::NOFILE.get_soft()?))
    });
    match counted.await.unwrap_or_else(|error| Err(io::Error::other(error))) {
        Ok((open, limit)) => judge::descriptors(open, limit),
        Err(error) => Check::failing("descriptors", error.to_string()),
    }
}
