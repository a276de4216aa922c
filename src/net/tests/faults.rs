//! Writes that break on purpose: what the server gets, and what is left of the connection.

use super::*;
use crate::net::{Cut, FaultInjector};
use std::io::Read as _;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;

/// Cuts at one particular write.
#[derive(Debug)]
struct AtWrite {
    number: usize,
    cut: Cut,
    seen: AtomicUsize,
}

impl FaultInjector for AtWrite {
    fn at_write(&self, _bytes: &[u8]) -> Option<Cut> {
        (self.seen.fetch_add(1, Ordering::Relaxed) + 1 == self.number).then_some(self.cut)
    }
}

/// Starts a server that answers the first byte it gets, and hands over everything once the
/// connection is over.
fn listening() -> (u16, mpsc::Receiver<Vec<u8>>) {
    let (sender, receiver) = mpsc::channel();
    let port = serve(move |mut tcp| {
        let mut got = vec![0];
        tcp.read_exact(&mut got).unwrap();
        std::io::Write::write_all(&mut tcp, b"answer").unwrap();
        tcp.read_to_end(&mut got).ok();
        sender.send(got).unwrap();
    });
    (port, receiver)
}

#[test]
fn a_connection_breaks_before_within_or_after_the_write_that_was_named() {
    for (cut, arrives) in [
        (Cut::Before, "first"),
        (Cut::Within, "firstsec"),
        (Cut::After, "firstsecond"),
    ] {
        let (port, got) = listening();
        let mut dialer = dialer(settings(port, TlsMode::None));
        let faults = Arc::new(AtWrite {
            number: 2,
            cut,
            seen: AtomicUsize::new(0),
        });
        dialer.inject_faults(Arc::<AtWrite>::clone(&faults));
        let mut stream = dialer.dial().unwrap();
        stream.set_phase(Phase::Reply);
        stream.write(b"first").unwrap();
        assert_eq!(read_exact(&mut stream, 6), b"answer");
        stream.write(b"second").unwrap();
        assert_eq!(stream.flush().is_ok(), cut == Cut::After);
        assert_eq!(
            String::from_utf8(got.recv_timeout(PATIENCE).unwrap()).unwrap(),
            arrives
        );
        let error = stream.read(&mut [0; 9]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Lost, "{error}");
        stream.write(b"third").unwrap();
        assert!(stream.flush().is_err());
        assert_eq!(faults.seen.load(Ordering::Relaxed), 2);
    }
}

#[test]
fn a_handshake_breaks_too() {
    let (port, got) = listening();
    let mut dialer = dialer(settings(port, TlsMode::Implicit));
    dialer.inject_faults(Arc::new(AtWrite {
        number: 1,
        cut: Cut::Within,
        seen: AtomicUsize::new(0),
    }));
    assert!(dialer.dial().is_err());
    assert!(
        got.recv_timeout(PATIENCE).unwrap().len() > 50,
        "half of a ClientHello"
    );
}
