//! The generator's one socket: all clients of 127.0.0.0/8 on one port, so that a batch of receives serves them all.
//!
//! Each packet leaves from its client's address (IP_PKTINFO) and what comes back tells the address it came to. Trains
//! go out with UDP_SEGMENT and come in whole (UDP_GRO), as network cards hand them over.

use std::io::{self, IoSliceMut};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use quinn_udp::{RecvMeta, Transmit, UdpSockRef, UdpSocketState};
use socket2::{Domain, Protocol, Socket as Socket2, Type};

/// Trains taken in one system call.
const BATCH: usize = 32;
/// The largest train.
const LARGEST: usize = 65_535;
/// Room for what arrives between two receives. The system's limit (net.core.rmem_max) may hold it lower.
const KERNEL_BUFFER: usize = 4 << 20;

/// Wall-clock nanoseconds since 1970: the clock of the kernel's receive time stamps.
pub fn unix_nanos() -> u64 {
    nanos(SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default())
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).expect("unix time in nanoseconds fits 64 bits until 2554")
}

/// The address of a client, by its number.
pub fn client_ip(number: u32) -> Ipv4Addr {
    Ipv4Addr::from_bits(Ipv4Addr::new(127, 1, 0, 1).to_bits() + number)
}

pub struct Socket {
    udp: UdpSocket,
    state: UdpSocketState,
    server: SocketAddr,
}

/// Buffers of one batch of receives.
pub struct Batch {
    buffers: Vec<Box<[u8]>>,
    meta: [RecvMeta; BATCH],
}

/// One datagram for one client.
pub struct Received<'a> {
    pub to: Ipv4Addr,
    /// When the kernel took it in, in unix nanoseconds.
    pub at: u64,
    pub bytes: &'a [u8],
}

impl Batch {
    pub fn new() -> Self {
        let buffers = (0..BATCH).map(|_| vec![0; LARGEST].into_boxed_slice()).collect();
        Batch { buffers, meta: [RecvMeta::default(); BATCH] }
    }

    /// The datagrams of the first `count` buffers, trains taken apart.
    pub fn datagrams(&self, count: usize) -> impl Iterator<Item = Received<'_>> {
        self.buffers.iter().zip(&self.meta).take(count).flat_map(|(buffer, meta)| {
            let to = match meta.dst_ip {
                Some(IpAddr::V4(ip)) => ip,
                _ => Ipv4Addr::UNSPECIFIED,
            };
            let at = meta.timestamp.map_or_else(unix_nanos, nanos);
            buffer[..meta.len].chunks(meta.stride.max(1)).map(move |bytes| Received { to, at, bytes })
        })
    }
}

impl Socket {
    pub fn open(server: SocketAddr) -> io::Result<Self> {
        let socket = Socket2::new(Domain::IPV4, Type::DGRAM, Some(Protocol::UDP))?;
        // Nobody outside this machine reaches the port.
        socket.bind_device(Some(b"lo"))?;
        socket.set_recv_buffer_size(KERNEL_BUFFER)?;
        socket.set_send_buffer_size(KERNEL_BUFFER)?;
        socket.bind(&SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0)).into())?;
        let udp = UdpSocket::from(socket);
        let state = UdpSocketState::new(UdpSockRef::from(&udp))?;
        Ok(Socket { udp, state, server })
    }

    /// Sends one datagram in one system call.
    pub fn send(&self, from: Ipv4Addr, bytes: &[u8]) -> io::Result<()> {
        self.transmit(from, bytes, None)
    }

    /// Sends datagrams of `segment` bytes each in one system call, as one train.
    pub fn send_train(&self, from: Ipv4Addr, bytes: &[u8], segment: usize) -> io::Result<()> {
        self.transmit(from, bytes, Some(segment))
    }

    fn transmit(&self, from: Ipv4Addr, contents: &[u8], segment_size: Option<usize>) -> io::Result<()> {
        let src_ip = Some(IpAddr::V4(from));
        let transmit = Transmit { destination: self.server, ecn: None, contents, segment_size, src_ip };
        loop {
            match self.state.try_send(UdpSockRef::from(&self.udp), &transmit) {
                // Loopback delivers before it returns, so the send buffer is empty again in a moment.
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => std::thread::yield_now(),
                outcome => return outcome,
            }
        }
    }

    /// Takes what is there, at most a batch; 0 if nothing is.
    pub fn receive(&self, batch: &mut Batch) -> io::Result<usize> {
        let mut slices: Vec<_> = batch.buffers.iter_mut().map(|buffer| IoSliceMut::new(buffer)).collect();
        match self.state.recv(UdpSockRef::from(&self.udp), &mut slices, &mut batch.meta) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(0),
            outcome => outcome,
        }
    }

    /// Datagrams the kernel dropped because the generator did not take them in time (/proc/net/udp).
    pub fn drops(&self) -> io::Result<u64> {
        let port = format!(":{:04X}", self.udp.local_addr()?.port());
        let table = std::fs::read_to_string("/proc/net/udp")?;
        let own = table
            .lines()
            .find(|line| line.split_whitespace().nth(1).is_some_and(|local| local.ends_with(&port)));
        Ok(own.and_then(|line| line.split_whitespace().last()?.parse().ok()).unwrap_or(0))
    }
}
