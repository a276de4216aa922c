//! TLS in front of a server that speaks plainly, such as a scripted one, with the lab's good certificate.

use openssl::ssl::{SslAcceptor, SslFiletype, SslMethod, SslStream};
use std::io::{ErrorKind, Read, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::path::Path;
use std::time::Duration;

/// How long each side is listened to before the other has its turn.
const TURN: Duration = Duration::from_millis(5);

/// Starts it, with `server.pem` and `server.key` of this directory; it goes with the process. Its port on localhost.
pub fn start(certificates: &Path, target: u16) -> u16 {
    let mut builder = SslAcceptor::mozilla_intermediate_v5(SslMethod::tls_server()).unwrap();
    builder.set_certificate_chain_file(certificates.join("server.pem")).unwrap();
    builder.set_private_key_file(certificates.join("server.key"), SslFiletype::PEM).unwrap();
    let acceptor = builder.build();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for client in listener.incoming() {
            let (acceptor, server) = (acceptor.clone(), TcpStream::connect(("127.0.0.1", target)).unwrap());
            std::thread::spawn(move || {
                // A client that trusts nobody is gone.
                let Ok(client) = acceptor.accept(client.unwrap()) else { return };
                drop(carry(client, server));
            });
        }
    });
    port
}

/// Carries bytes both ways until one side ends.
fn carry(mut client: SslStream<TcpStream>, mut server: TcpStream) -> std::io::Result<()> {
    client.get_ref().set_read_timeout(Some(TURN))?;
    server.set_read_timeout(Some(TURN))?;
    let mut buffer = [0; 16 * 1024];
    loop {
        match some(&mut client, &mut buffer)? {
            Some(0) => return server.shutdown(Shutdown::Both),
            Some(count) => server.write_all(&buffer[..count])?,
            None => {}
        }
        match some(&mut server, &mut buffer)? {
            Some(0) => return client.get_ref().shutdown(Shutdown::Both),
            Some(count) => client.write_all(&buffer[..count])?,
            None => {}
        }
    }
}

/// What has come; `None` where nothing has.
fn some(from: &mut impl Read, buffer: &mut [u8]) -> std::io::Result<Option<usize>> {
    match from.read(buffer) {
        Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => Ok(None),
        read => read.map(Some),
    }
}
