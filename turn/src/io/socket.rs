//! A UDP socket of one worker: batches in, runs of datagrams out, each from the address that its client sent to.

use std::io::{self, IoSlice, IoSliceMut};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};

use mio::{Interest, Registry, Token};
use nix::sys::socket::sockopt::ReceiveTimestampns;
use quinn_udp::{RecvMeta, UdpSockRef, UdpSocketState};
use socket2::{Domain, MsgHdr, Protocol, SockAddr, SockRef, Socket as Socket2, Type};

use super::control::Control;
use crate::allocation::FiveTuple;

/// Datagrams, or trains of datagrams where the kernel joins them (GRO), taken in one go at most.
const BATCH: usize = 32;

/// And at least: one that brings fewer than asked for says that there are no more.
const SMALLEST_BATCH: usize = 2;

/// The largest train.
const LARGEST: usize = 65_535;

/// Room in the kernel for what arrives while one batch is worked on; a smaller limit of the system holds.
const KERNEL_BUFFER: usize = 4 << 20;

/// Binds the UDP sockets of a relay's workers to one port: the kernel gives each client to one of them, always the same.
/// `[::]` takes IPv4 clients too. A port in use is refused with [`io::ErrorKind::AddrInUse`], never shared: the first
/// socket is bound without SO_REUSEPORT and lets only its own siblings in after that.
pub fn bind(addr: SocketAddr, workers: usize) -> io::Result<Vec<UdpSocket>> {
    let first = bound(addr, Sharing::Refused)?;
    let addr = first.local_addr()?;
    if workers > 1 {
        SockRef::from(&first).set_reuse_port(true)?;
    }
    let siblings = (1..workers).map(|_| bound(addr, Sharing::WithSiblings));
    std::iter::once(Ok(first)).chain(siblings).collect()
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Sharing {
    Refused,
    WithSiblings,
}

fn bound(addr: SocketAddr, sharing: Sharing) -> io::Result<UdpSocket> {
    let socket = Socket2::new(Domain::for_address(addr), Type::DGRAM, Some(Protocol::UDP))?;
    if addr.is_ipv6() {
        socket.set_only_v6(false)?;
    }
    if sharing == Sharing::WithSiblings {
        socket.set_reuse_port(true)?;
    }
    // Best effort: the system may grant less, and the relay then works with less.
    let _ = socket.set_recv_buffer_size(KERNEL_BUFFER);
    let _ = socket.set_send_buffer_size(KERNEL_BUFFER);
    socket.bind(&addr.into())?;
    Ok(socket.into())
}

/// Takes back what QUIC would want to know of each datagram and a relay does not: the time of its arrival and its class
/// of service. Each costs something for every datagram; a system that keeps them costs only that.
fn without_extras(socket: &UdpSocket) {
    let _ = nix::sys::socket::setsockopt(socket, ReceiveTimestampns, &false);
    let socket = SockRef::from(socket);
    let _ = socket.set_recv_tos_v4(false);
    let _ = socket.set_recv_tclass_v6(false);
}

/// A non-blocking UDP socket that tells and sets local addresses.
pub(crate) struct Socket {
    socket: mio::net::UdpSocket,
    state: UdpSocketState,
    local: SocketAddr,
}

/// Buffers for one batch.
pub(crate) struct Batch {
    /// In one piece, so that the system gives memory only for what is used of it.
    bytes: Box<[u8]>,
    pub(crate) meta: [RecvMeta; BATCH],
    /// How many to ask for: preparing many for one costs more than the one.
    asked: usize,
}

/// What a receive brought.
pub(crate) struct Filled {
    pub(crate) count: usize,
    /// Whether there may be more.
    pub(crate) is_full: bool,
}

impl Batch {
    pub(crate) fn new() -> Self {
        Batch {
            bytes: vec![0; BATCH * LARGEST].into_boxed_slice(),
            meta: [RecvMeta::default(); BATCH],
            asked: SMALLEST_BATCH,
        }
    }

    /// The buffer of this number.
    pub(crate) fn buffer(&self, number: usize) -> &[u8] {
        &self.bytes[number * LARGEST..][..LARGEST]
    }

    /// The same, to be changed.
    pub(crate) fn buffer_mut(&mut self, number: usize) -> &mut [u8] {
        &mut self.bytes[number * LARGEST..][..LARGEST]
    }

    fn filled(&mut self, count: usize) -> Filled {
        let is_full = count == self.asked;
        if is_full {
            self.asked = (self.asked * 2).min(BATCH);
        } else if count < self.asked / 4 {
            self.asked = (self.asked / 2).max(SMALLEST_BATCH);
        }
        Filled { count, is_full }
    }
}

impl Socket {
    pub(crate) fn new(socket: UdpSocket) -> io::Result<Self> {
        let state = UdpSocketState::new(UdpSockRef::from(&socket))?;
        without_extras(&socket);
        let local = socket.local_addr()?;
        Ok(Socket { socket: mio::net::UdpSocket::from_std(socket), state, local })
    }

    pub(crate) fn local_addr(&self) -> SocketAddr {
        self.local
    }

    /// The socket of the port that a client talks to.
    pub(crate) fn facing<'a>(sockets: &'a [Socket], to: &FiveTuple) -> Option<&'a Socket> {
        let port = to.server.socket_addr().port();
        sockets.iter().find(|socket| socket.local.port() == port)
    }

    pub(crate) fn register(&mut self, registry: &Registry, token: Token) -> io::Result<()> {
        registry.register(&mut self.socket, token, Interest::READABLE)
    }

    /// Datagrams that one send may hold (GSO); 1 where the kernel knows no such thing.
    pub(crate) fn longest_run(&self) -> usize {
        self.state.max_gso_segments()
    }

    /// Takes what is there, at most one batch; `WouldBlock` if nothing is.
    pub(crate) fn receive(&self, batch: &mut Batch) -> io::Result<Filled> {
        let mut buffers = batch.bytes.chunks_exact_mut(LARGEST);
        let mut slices: [IoSliceMut<'_>; BATCH] =
            std::array::from_fn(|_| IoSliceMut::new(buffers.next().expect("there are as many buffers")));
        let (slices, meta) = (&mut slices[..batch.asked], &mut batch.meta[..batch.asked]);
        let count = self.socket.try_io(|| self.state.recv(UdpSockRef::from(&self.socket), slices, meta))?;
        Ok(batch.filled(count))
    }

    /// The five-tuple of what was received; none if it was sent to a group, whose address cannot answer.
    pub(crate) fn five_tuple(&self, meta: &RecvMeta) -> Option<FiveTuple> {
        let local_ip = meta.dst_ip.unwrap_or(self.local.ip()).to_canonical();
        let is_group = local_ip.is_multicast() || local_ip == IpAddr::V4(Ipv4Addr::BROADCAST);
        (!is_group).then(|| FiveTuple::udp(meta.addr, SocketAddr::new(local_ip, self.local.port())))
    }

    /// Sends to a client from the address it sent to: one datagram, or a run of datagrams of `segment` bytes each, of
    /// which the last may be shorter.
    pub(crate) fn send(&self, to: &FiveTuple, parts: &[IoSlice<'_>], segment: Option<u16>) -> io::Result<()> {
        let mut control = Control::new();
        // A socket bound to one address sends from it anyway.
        if self.local.ip().is_unspecified() {
            control.source(to.server.socket_addr().ip());
        }
        if let Some(segment) = segment {
            control.segment(segment);
        }
        let destination = SockAddr::from(self.reachable(to.client.socket_addr()));
        let message = MsgHdr::new().with_addr(&destination).with_buffers(parts).with_control(control.bytes());
        let send = || SockRef::from(&self.socket).sendmsg(&message, 0);
        self.socket.try_io(send).map(drop)
    }

    /// An IPv6 socket reaches IPv4 clients by their IPv4-mapped addresses. (Linux takes the plain ones too.)
    fn reachable(&self, client: SocketAddr) -> SocketAddr {
        match client.ip() {
            IpAddr::V4(v4) if self.local.is_ipv6() => SocketAddr::from((v4.to_ipv6_mapped(), client.port())),
            _ => client,
        }
    }
}
