//! coturn's own server, over TLS on loopback: the measure for what its test client loses by itself.

use std::fs;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::Stdio;
use std::time::{Duration, Instant};

use crate::certificate::Certificate;
use crate::programs::{Running, installed, limited};
use crate::relay::SECRET;
use tempfile::TempDir;

/// A running turnserver that knows the relay's secret, and so its credentials; it ends when this is dropped.
pub struct Coturn {
    pub tls: SocketAddr,
    _running: Running,
    _home: TempDir,
}

impl Coturn {
    pub fn start() -> Self {
        let turnserver = installed("turnserver", "coturn");
        let home = tempfile::tempdir().unwrap();
        let certificate = Certificate::make(home.path());
        // turnserver takes no port 0, so a port that was free a moment ago has to do.
        let tls = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let file = |name| home.path().join(name).display().to_string();
        let config = format!(
            "listening-ip=127.0.0.1\nrelay-ip=127.0.0.1\nallow-loopback-peers\ntls-listening-port={port}\n\
             no-udp\nno-tcp\nno-dtls\nno-cli\nuse-auth-secret\nstatic-auth-secret={SECRET}\nrealm=visavis\n\
             cert={cert}\npkey={key}\nuserdb={userdb}\nlog-file={log}\nsimple-log\npidfile={pidfile}\n",
            port = tls.port(),
            cert = certificate.cert.display(),
            key = certificate.key.display(),
            userdb = file("turndb"),
            log = file("turnserver.log"),
            pidfile = file("turnserver.pid"),
        );
        fs::write(home.path().join("turnserver.conf"), config).unwrap();
        let mut command = limited(120, &turnserver);
        command.args(["-c", &file("turnserver.conf")]).stdout(Stdio::null()).stderr(Stdio::null());
        let running = Running::start(&mut command);
        let began = Instant::now();
        while TcpStream::connect(tls).is_err() {
            assert!(began.elapsed() < Duration::from_secs(20), "turnserver does not listen on {tls}");
            std::thread::sleep(Duration::from_millis(20));
        }
        Coturn { tls, _running: running, _home: home }
    }
}
