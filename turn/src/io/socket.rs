//! The UDP socket: batches in, single datagrams out, each from the address that the client sent to.

use std::io::{self, IoSliceMut};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};

use mio::{Interest, Registry, Token};
use quinn_udp::{RecvMeta, UdpSockRef, UdpSocketState};
use socket2::{Domain, Protocol, Socket as Socket2, Type};

use crate::allocation::FiveTuple;
use crate::packet::{HEADROOM, TAILROOM, Transmit};

/// Datagrams, or trains of datagrams where the kernel joins them (GRO), taken in one go.
const BATCH: usize = 8;

/// The largest train.
const LARGEST: usize = 65_535;

/// Room in the kernel for what arrives while one batch is worked on; a smaller limit of the system holds.
const KERNEL_BUFFER: usize = 4 << 20;

/// Binds a UDP socket for a relay. `[::]` takes IPv4 clients too. A port in use is refused with
/// [`io::ErrorKind::AddrInUse`], never shared.
pub fn bind(addr: SocketAddr) -> io::Result<UdpSocket> {
    let socket = Socket2::new(Domain::for_address(addr), Type::DGRAM, Some(Protocol::UDP))?;
    if addr.is_ipv6() {
        socket.set_only_v6(false)?;
    }
    // Best effort: the system may grant less, and the relay then works with less.
    let _ = socket.set_recv_buffer_size(KERNEL_BUFFER);
    let _ = socket.set_send_buffer_size(KERNEL_BUFFER);
    socket.bind(&addr.into())?;
    Ok(socket.into())
}

/// A non-blocking UDP socket that tells and sets local addresses.
pub(crate) struct Socket {
    socket: mio::net::UdpSocket,
    state: UdpSocketState,
    local: SocketAddr,
}

/// Buffers for one batch, with room around each for what the server writes in place.
pub(crate) struct Batch {
    buffers: [Box<[u8]>; BATCH],
    meta: [RecvMeta; BATCH],
}

impl Batch {
    pub(crate) fn new() -> Self {
        let buffer = |_| vec![0; HEADROOM + LARGEST + TAILROOM].into_boxed_slice();
        Batch { buffers: std::array::from_fn(buffer), meta: [RecvMeta::default(); BATCH] }
    }

    /// What `Socket::receive` filled in: the buffer, whose datagrams begin at `HEADROOM`, and what is known of them.
    pub(crate) fn filled(&mut self, count: usize) -> impl Iterator<Item = (&mut [u8], RecvMeta)> {
        self.buffers.iter_mut().map(|buffer| &mut **buffer).zip(self.meta).take(count)
    }
}

impl Socket {
    pub(crate) fn new(socket: UdpSocket) -> io::Result<Self> {
        let state = UdpSocketState::new(UdpSockRef::from(&socket))?;
        let local = socket.local_addr()?;
        Ok(Socket { socket: mio::net::UdpSocket::from_std(socket), state, local })
    }

    pub(crate) fn local_addr(&self) -> SocketAddr {
        self.local
    }

    pub(crate) fn register(&mut self, registry: &Registry, token: Token) -> io::Result<()> {
        registry.register(&mut self.socket, token, Interest::READABLE)
    }

    /// Takes what is there, at most one batch; `WouldBlock` if nothing is.
    pub(crate) fn receive(&self, batch: &mut Batch) -> io::Result<usize> {
        let mut slices =
            batch.buffers.each_mut().map(|buffer| IoSliceMut::new(&mut buffer[HEADROOM..HEADROOM + LARGEST]));
        let receive = || self.state.recv(UdpSockRef::from(&self.socket), &mut slices, &mut batch.meta);
        self.socket.try_io(receive)
    }

    /// The five-tuple of what was received; none if it was sent to a group, whose address cannot answer. (To try
    /// would cost everyone: after one EINVAL quinn-udp sends no more trains.)
    pub(crate) fn five_tuple(&self, meta: &RecvMeta) -> Option<FiveTuple> {
        let local_ip = meta.dst_ip.unwrap_or(self.local.ip()).to_canonical();
        let is_group = local_ip.is_multicast() || local_ip == IpAddr::V4(Ipv4Addr::BROADCAST);
        (!is_group).then(|| FiveTuple::udp(meta.addr, SocketAddr::new(local_ip, self.local.port())))
    }

    /// Sends one datagram from the address its client sent to.
    pub(crate) fn send(&self, transmit: &Transmit<'_>) -> io::Result<()> {
        // A socket bound to one address sends from it anyway.
        let src_ip = self.local.ip().is_unspecified().then(|| transmit.to.server.socket_addr().ip());
        let outgoing = quinn_udp::Transmit {
            destination: self.reachable(transmit.to.client.socket_addr()),
            ecn: None,
            contents: transmit.bytes,
            segment_size: None,
            src_ip: src_ip.filter(|ip| !ip.is_unspecified()),
        };
        self.socket.try_io(|| self.state.try_send(UdpSockRef::from(&self.socket), &outgoing))
    }

    /// An IPv6 socket reaches IPv4 clients by their IPv4-mapped addresses. (Linux takes the plain ones too.)
    fn reachable(&self, client: SocketAddr) -> SocketAddr {
        match client.ip() {
            IpAddr::V4(v4) if self.local.is_ipv6() => SocketAddr::from((v4.to_ipv6_mapped(), client.port())),
            _ => client,
        }
    }
}
