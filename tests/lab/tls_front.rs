//! TLS in front of a server without it, such as a scripted one: from the first byte or after
//! STARTTLS, with the lab's good certificate or any other.

use openssl::ssl::{SslAcceptor, SslFiletype, SslMethod, SslStream};
use std::io::{ErrorKind, Read, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::path::Path;
use std::time::Duration;

/// How long each side is listened to before the other has its turn.
const TURN: Duration = Duration::from_millis(5);

/// Starts it, with `server.pem` and `server.key` of this directory; it goes with the process. Its
/// port on localhost.
pub fn start(certificates: &Path, target: u16) -> u16 {
    start_with(acceptor(certificates), target)
}

/// The same with another certificate, or another TLS.
pub fn start_with(acceptor: SslAcceptor, target: u16) -> u16 {
    listen(target, move |client, server| {
        // A client that trusts nobody is gone.
        let Ok(client) = acceptor.accept(client) else {
            return Ok(());
        };
        carry(client, server)
    })
}

/// The same after STARTTLS. The server's greeting comes in plain text, and so do these lines of an
/// attacker's between the client's STARTTLS and the OK to it.
pub fn start_tls(certificates: &Path, target: u16, injected: &str) -> u16 {
    let (acceptor, injected) = (acceptor(certificates), injected.to_owned());
    listen(target, move |mut client, mut server| {
        client.write_all(&line(&mut server)?)?;
        let asked = String::from_utf8(line(&mut client)?).unwrap();
        let (tag, _) = asked
            .split_once(" STARTTLS")
            .expect("a client without STARTTLS");
        client.write_all(format!("{injected}{tag} OK go\r\n").as_bytes())?;
        let Ok(client) = acceptor.accept(client) else {
            return Ok(());
        };
        carry(client, server)
    })
}

fn acceptor(certificates: &Path) -> SslAcceptor {
    let mut builder = SslAcceptor::mozilla_intermediate_v5(SslMethod::tls_server()).unwrap();
    builder
        .set_certificate_chain_file(certificates.join("server.pem"))
        .unwrap();
    builder
        .set_private_key_file(certificates.join("server.key"), SslFiletype::PEM)
        .unwrap();
    builder.build()
}

/// Connects each client with the server. Either may go away at any time.
fn listen(
    target: u16,
    serve: impl Fn(TcpStream, TcpStream) -> std::io::Result<()> + Clone + Send + 'static,
) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for client in listener.incoming() {
            let (serve, server) = (
                serve.clone(),
                TcpStream::connect(("127.0.0.1", target)).unwrap(),
            );
            std::thread::spawn(move || drop(serve(client.unwrap(), server)));
        }
    });
    port
}

/// One line, and not a byte more.
fn line(from: &mut impl Read) -> std::io::Result<Vec<u8>> {
    let mut line = Vec::new();
    while !line.ends_with(b"\n") {
        let mut byte = [0];
        from.read_exact(&mut byte)?;
        line.extend(byte);
    }
    Ok(line)
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
        Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
            Ok(None)
        }
        read => read.map(Some),
    }
}
