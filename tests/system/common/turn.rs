//! A TURN client by hand (RFC 8656), on STUN messages of a foreign implementation: one request at a time, over UDP or a stream.

use std::net::SocketAddr;
use std::time::Duration;

use serde_json::Value;
use stun::agent::TransactionId;
use stun::attributes::{
    ATTR_ERROR_CODE, ATTR_LIFETIME, ATTR_NONCE, ATTR_REALM, ATTR_REQUESTED_TRANSPORT, ATTR_USERNAME, AttrType,
};
use stun::integrity::MessageIntegrity;
use stun::message::{
    BINDING_REQUEST, BINDING_SUCCESS, CLASS_REQUEST, CLASS_SUCCESS_RESPONSE, Getter, METHOD_ALLOCATE,
    METHOD_REFRESH, Message, MessageType, Method, Setter,
};
use stun::textattrs::TextAttribute;
use stun::xoraddr::XorMappedAddress;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UdpSocket;

use super::{Connection, Duplex, Server, within};

/// A client with the credential of one seat.
pub struct TurnClient {
    path: Path,
    username: String,
    password: String,
    realm: String,
    nonce: String,
}

/// How requests travel.
enum Path {
    Udp(UdpSocket),
    Stream(Connection),
}

/// The code of an error response.
pub type ErrorCode = u16;

impl TurnClient {
    /// A client on a port of its own, with the credential of a page's `iceServers`.
    pub async fn new(server: &Server, ice_servers: &Value) -> Self {
        let url = ice_servers[0]["urls"][0].as_str().unwrap();
        assert_eq!(url, format!("turn:localhost:{}?transport=udp", server.port));
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        socket.connect(("127.0.0.1", server.port)).await.unwrap();
        Self::with(Path::Udp(socket), ice_servers)
    }

    /// The same over a connection, with TLS or without.
    pub fn over(connection: Connection, ice_servers: &Value) -> Self {
        Self::with(Path::Stream(connection), ice_servers)
    }

    fn with(path: Path, ice_servers: &Value) -> Self {
        let text = |field: &str| ice_servers[0][field].as_str().unwrap().to_owned();
        let (username, password) = (text("username"), text("credential"));
        Self { path, username, password, realm: String::new(), nonce: String::new() }
    }

    /// Allocate with the challenge before it.
    pub async fn allocate(&mut self) -> Result<(), ErrorCode> {
        let transport: Vec<(AttrType, Vec<u8>)> = vec![(ATTR_REQUESTED_TRANSPORT, vec![17, 0, 0, 0])];
        let challenge = self.transact(METHOD_ALLOCATE, &transport, false).await;
        assert_eq!(error_of(&challenge), Some(401));
        self.take_challenge(&challenge);
        self.signed(METHOD_ALLOCATE, &transport).await
    }

    /// Refresh, for ten minutes more.
    pub async fn refresh(&mut self) -> Result<(), ErrorCode> {
        self.signed(METHOD_REFRESH, &[(ATTR_LIFETIME, 600u32.to_be_bytes().to_vec())]).await
    }

    async fn signed(&mut self, method: Method, attributes: &[(AttrType, Vec<u8>)]) -> Result<(), ErrorCode> {
        let mut response = self.transact(method, attributes, true).await;
        if error_of(&response) == Some(438) {
            self.take_challenge(&response);
            response = self.transact(method, attributes, true).await;
        }
        match error_of(&response) {
            Some(code) => Err(code),
            None => {
                assert_eq!(response.typ.class, CLASS_SUCCESS_RESPONSE);
                Ok(())
            }
        }
    }

    fn take_challenge(&mut self, response: &Message) {
        self.realm = TextAttribute::get_from_as(response, ATTR_REALM).unwrap().text;
        self.nonce = TextAttribute::get_from_as(response, ATTR_NONCE).unwrap().text;
    }

    /// A request and its answer.
    async fn transact(&mut self, method: Method, attributes: &[(AttrType, Vec<u8>)], sign: bool) -> Message {
        let mut setters: Vec<Box<dyn Setter>> =
            vec![Box::new(MessageType::new(method, CLASS_REQUEST)), Box::new(TransactionId::new())];
        for (kind, value) in attributes {
            setters.push(Box::new(Raw(*kind, value.clone())));
        }
        if sign {
            for (kind, text) in
                [(ATTR_USERNAME, &self.username), (ATTR_REALM, &self.realm), (ATTR_NONCE, &self.nonce)]
            {
                setters.push(Box::new(TextAttribute::new(kind, text.clone())));
            }
            let (username, realm, password) =
                (self.username.clone(), self.realm.clone(), self.password.clone());
            setters.push(Box::new(MessageIntegrity::new_long_term_integrity(username, realm, password)));
        }
        let mut request = Message::new();
        request.build(&setters).unwrap();
        match &mut self.path {
            Path::Udp(socket) => over_udp(socket, &request).await,
            Path::Stream(stream) => {
                stream.write_all(&request.raw).await.unwrap();
                stream.flush().await.unwrap();
                read_message(stream).await
            }
        }
    }
}

/// The next message of a stream.
pub async fn read_message(stream: &mut (impl Duplex + ?Sized)) -> Message {
    let mut raw = vec![0; 20];
    within("the answer's head", stream.read_exact(&mut raw)).await.unwrap();
    raw.resize(20 + usize::from(u16::from_be_bytes([raw[2], raw[3]])), 0);
    within("the answer's attributes", stream.read_exact(&mut raw[20..])).await.unwrap();
    let mut answer = Message::new();
    answer.unmarshal_binary(&raw).unwrap();
    answer
}

/// Sends a request until it is answered, as RFC 8489 section 6.2.1 has it.
async fn over_udp(socket: &UdpSocket, request: &Message) -> Message {
    within("the relay's answer", async {
        loop {
            socket.send(&request.raw).await.unwrap();
            let mut answer = Message::new();
            let mut buffer = vec![0; 2048];
            let received = tokio::time::timeout(Duration::from_millis(500), socket.recv(&mut buffer));
            let Ok(Ok(length)) = received.await else { continue };
            answer.unmarshal_binary(&buffer[..length]).unwrap();
            if answer.transaction_id == request.transaction_id {
                return answer;
            }
        }
    })
    .await
}

/// A Binding request.
pub fn binding_request() -> Message {
    let mut request = Message::new();
    request.build(&[Box::new(TransactionId::new()), Box::new(BINDING_REQUEST)]).unwrap();
    request
}

/// The address that the answer to a Binding request tells.
pub fn mapped_address(answer: &Message) -> SocketAddr {
    assert_eq!(answer.typ, BINDING_SUCCESS);
    let mut mapped = XorMappedAddress::default();
    mapped.get_from(answer).unwrap();
    SocketAddr::new(mapped.ip, mapped.port)
}

/// A Binding request over UDP: the client's own address, and the one that the server saw.
pub async fn binding_over_udp(port: u16) -> (SocketAddr, SocketAddr) {
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    socket.connect(("127.0.0.1", port)).await.unwrap();
    let answer = over_udp(&socket, &binding_request()).await;
    (socket.local_addr().unwrap(), mapped_address(&answer))
}

struct Raw(AttrType, Vec<u8>);

impl Setter for Raw {
    fn add_to(&self, message: &mut Message) -> Result<(), stun::Error> {
        message.add(self.0, &self.1);
        Ok(())
    }
}

fn error_of(response: &Message) -> Option<ErrorCode> {
    let value = response.get(ATTR_ERROR_CODE).ok()?;
    Some(u16::from(value[2]) * 100 + u16::from(value[3]))
}
