//! One TCP port for pages, signaling and the relay, with and without TLS: who gets which connection, when connections end, which
//! certificates are taken, and which URLs a page is given.

mod certificates;
mod deadlines;
mod ice_servers;
mod protocols;

use crate::common::Server;
use crate::common::tls::{Authority, Files};
use tempfile::TempDir;

/// A server with a certificate for localhost, and whoever issued it.
pub struct Secure {
    /// It speaks TLS.
    pub server: Server,
    authority: Authority,
    files: Files,
    /// Holds the files.
    directory: TempDir,
}

impl Secure {
    /// With nothing else.
    pub async fn start() -> Self {
        Self::start_with(&[]).await
    }

    async fn start_with(flags: &[&str]) -> Self {
        let (authority, directory) = (Authority::new(), tempfile::tempdir().unwrap());
        let files = authority.issue(&["localhost", "127.0.0.1"]).write(directory.path());
        let flags = [&files.flags()[..], flags].concat();
        let server = Server::start_trusting(Some(authority.trust()), &flags, &[]).await;
        Self { server, authority, files, directory }
    }
}
