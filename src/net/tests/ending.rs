//! How connections end, as the server sees it: what was written but not sent yet goes out only
//! after an orderly end.

use super::*;
use rustix::net::sockopt::set_socket_recv_buffer_size;
use std::io::Read as _;
use std::sync::mpsc;

/// More than the server's system accepts unread.
const LENGTH: usize = 400_000;

/// Ends a connection after writing much. Returns what the server reads after that, and whether its
/// reading ended with an error.
fn what_arrives(end: impl FnOnce(Stream)) -> (usize, bool) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    // Accepted connections inherit it.
    set_socket_recv_buffer_size(&listener, 16_000).unwrap();
    let port = listener.local_addr().unwrap().port();
    let (ended, wait) = mpsc::channel();
    let server = thread::spawn(move || {
        let mut tcp = listener.accept().unwrap().0;
        wait.recv().unwrap();
        let mut got = Vec::new();
        let failed = tcp.read_to_end(&mut got).is_err();
        (got.len(), failed)
    });
    let mut stream = dialer(settings(port, TlsMode::None)).dial().unwrap();
    stream.write(&vec![b'x'; LENGTH]).unwrap();
    stream.flush().unwrap();
    end(stream);
    ended.send(()).unwrap();
    server.join().unwrap()
}

#[test]
fn what_was_not_sent_yet_is_dropped_with_the_connection() {
    // As when the process is killed: the system closes the socket.
    let ends: [fn(Stream); 2] = [drop, |mut stream| stream.shut_down()];
    for end in ends {
        let (got, failed) = what_arrives(end);
        assert!(
            failed && got < LENGTH / 2,
            "{got} bytes, an error: {failed}"
        );
    }
}

#[test]
fn an_orderly_end_sends_what_was_written() {
    assert_eq!(what_arrives(|mut stream| stream.close()), (LENGTH, false));
}
