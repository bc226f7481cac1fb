//! The server of the crate `turn` as a process of its own: this program, started again with `--serve-turn-crate`.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use tokio::net::UdpSocket;
use turn::auth::{AuthHandler, generate_auth_key};
use turn::relay::relay_static::RelayAddressGeneratorStatic;
use turn::server::Server;
use turn::server::config::{ConnConfig, ServerConfig};
use webrtc_util::vnet::net::Net;

use crate::Failure;
use crate::client::password;
use crate::server::REALM;

/// The passwords that the other two servers expect.
struct SharedSecret(String);

impl AuthHandler for SharedSecret {
    fn auth_handle(&self, username: &str, realm: &str, _: SocketAddr) -> Result<Vec<u8>, turn::Error> {
        Ok(generate_auth_key(username, realm, &password(&self.0, username)))
    }
}

/// Serves until the process is ended.
pub fn serve(addr: SocketAddr, secret: &str, workers: usize) -> Result<(), Failure> {
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    let runtime = runtime.worker_threads(workers).enable_all().build()?;
    runtime.block_on(async {
        let relay_addr_generator = Box::new(RelayAddressGeneratorStatic {
            relay_address: IpAddr::V4(Ipv4Addr::LOCALHOST),
            address: Ipv4Addr::LOCALHOST.to_string(),
            net: Arc::new(Net::new(None)),
        });
        let conn = Arc::new(UdpSocket::bind(addr).await?);
        let configuration = ServerConfig {
            conn_configs: vec![ConnConfig { conn, relay_addr_generator }],
            realm: REALM.to_owned(),
            auth_handler: Arc::new(SharedSecret(secret.to_owned())),
            channel_bind_timeout: Duration::ZERO,
            alloc_close_notify: None,
        };
        let _server = Server::new(configuration).await?;
        std::future::pending::<()>().await;
        Ok(())
    })
}
