//! Without TLS: connecting, waiting, stopping, counting.

use super::*;
use crate::net::connect::first_to_answer;
use crate::net::socket::{Limits, Socket};
use std::io::{Read as _, Write as _};
use std::net::SocketAddr;
use std::sync::mpsc;
use std::time::Instant;

fn plain(port: u16) -> Stream {
    dialer(settings(port, TlsMode::None)).dial().unwrap()
}

/// Makes a stream with its own limits.
fn limited(port: u16, timeout: Duration, grace: Duration, stop: &Arc<Stop>) -> Stream {
    let tcp = TcpStream::connect(("127.0.0.1", port)).unwrap();
    Stream::plain(
        Socket::new(tcp, Arc::new(Limits::new(timeout, grace, Arc::clone(stop)))).unwrap(),
        Duration::ZERO,
    )
}

/// Says nothing until the client is gone.
fn mute(mut tcp: TcpStream) {
    tcp.read_to_end(&mut Vec::new()).ok();
}

#[test]
fn every_address_is_tried_in_turn() {
    let closed = SocketAddr::from(([127, 0, 0, 1], closed_port()));
    let open = SocketAddr::from(([127, 0, 0, 1], serve(mute)));
    let (tcp, _) = first_to_answer("h", 1, &[closed, open], PATIENCE).unwrap();
    assert_eq!(tcp.peer_addr().unwrap(), open);

    let error = first_to_answer("mail.example.org", 993, &[closed, closed], PATIENCE).unwrap_err();
    assert_eq!(
        error.to_string(),
        format!(
            "cannot connect to mail.example.org port 993: {closed}: connection refused; {closed}: connection refused"
        )
    );
    assert_eq!(error.kind(), ErrorKind::Unreachable);
}

#[test]
fn localhost_is_reached_although_the_server_knows_only_ipv4() {
    let mut stream = plain(serve(|mut tcp| tcp.write_all(b"* OK").unwrap()));
    assert_eq!(read_exact(&mut stream, 4), b"* OK");
    assert!(!stream.is_encrypted());
}

#[test]
fn a_host_that_has_no_address() {
    // A label of more than 63 bytes is rejected without a query (RFC 1035 section 2.3.4).
    let host = "x".repeat(300);
    let error = dialer(DialSettings {
        host,
        ..settings(143, TlsMode::None)
    })
    .dial()
    .err()
    .unwrap();
    assert!(matches!(error, Error::NoAddress { .. }), "{error}");
    assert_eq!(error.kind(), ErrorKind::Unreachable);
}

#[test]
fn silence_names_what_was_waited_for() {
    let dialer = dialer(DialSettings {
        timeout: SHORT,
        ..settings(serve(mute), TlsMode::StartTls)
    });
    let mut stream = dialer.dial().unwrap();
    let error = stream.read(&mut [0; 9]).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the server sent nothing for 0.3 s while mailferry waited for the greeting"
    );
    assert_eq!(error.kind(), ErrorKind::Unreachable);
    assert!(error.hint().unwrap().contains("imaps://"));

    let stop = Arc::new(Stop::new());
    let table = [
        (Phase::Login, "was logging in"),
        (Phase::Reply, "waited for a reply"),
        (Phase::Body, "was reading a message"),
        (Phase::Sending, "was sending a message"),
    ];
    for (phase, text) in table {
        let mut stream = limited(serve(mute), Duration::from_millis(40), PATIENCE, &stop);
        stream.set_phase(phase);
        let error = stream.read(&mut [0; 9]).unwrap_err();
        assert_eq!(
            error.to_string(),
            format!("the server sent nothing for 0.0 s while mailferry {text}")
        );
        assert_eq!((error.kind(), error.hint()), (ErrorKind::Lost, None));
    }
}

#[test]
fn silence_is_counted_from_the_last_byte() {
    // Four times half of the limit.
    let port = serve(|mut tcp| {
        for _ in 0..4 {
            thread::sleep(SHORT * 2);
            tcp.write_all(b"x").unwrap();
        }
        mute(tcp);
    });
    let mut stream = limited(port, SHORT * 4, PATIENCE, &Arc::new(Stop::new()));
    assert_eq!(read_exact(&mut stream, 4), b"xxxx");
}

#[test]
fn what_is_not_taken_ends_a_write() {
    let (done, wait) = mpsc::channel::<()>();
    let port = serve(move |tcp| {
        wait.recv().ok();
        drop(tcp);
    });
    let mut stream = limited(port, SHORT, PATIENCE, &Arc::new(Stop::new()));
    stream.set_phase(Phase::Sending);
    let error = stream.write(&vec![b'x'; 64 << 20]).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the server took nothing for 0.3 s while mailferry was sending a message"
    );
    assert_eq!(error.kind(), ErrorKind::Lost);
    // Nor do the last words wait for the peer.
    let begun = Instant::now();
    stream.shut_down();
    assert!(begun.elapsed() < SHORT);
    drop(done);
}

#[test]
fn what_has_arrived_is_read_without_waiting() {
    let (go, wait) = mpsc::channel::<()>();
    let port = serve(move |mut tcp| {
        wait.recv().unwrap();
        tcp.write_all(b"* 1 EXISTS\r\n").unwrap();
    });
    let mut stream = plain(port);
    let mut buf = [0; 64];
    assert!(stream.read_available(&mut buf).unwrap().is_none());
    go.send(()).unwrap();
    assert_eq!(poll(&mut stream, &mut buf), 12);
    assert_eq!(&buf[..12], b"* 1 EXISTS\r\n");
    assert_eq!(poll(&mut stream, &mut buf), 0, "the peer has closed");
    assert_eq!(stream.read(&mut buf).unwrap(), 0);
    assert_eq!(
        stream.traffic(),
        Traffic {
            sent: 0,
            received: 12,
            round_trips: 0
        }
    );
}

#[test]
fn a_read_waits_again_after_a_poll() {
    let port = serve(|mut tcp| {
        thread::sleep(SHORT);
        tcp.write_all(b"x").unwrap();
    });
    let mut stream = plain(port);
    assert!(stream.read_available(&mut [0; 1]).unwrap().is_none());
    assert_eq!(read_exact(&mut stream, 1), b"x");
}

#[test]
fn round_trips_and_bytes_are_counted() {
    let port = serve(|mut tcp| {
        tcp.write_all(b"hello").unwrap();
        let mut buf = [0; 6];
        for _ in 0..2 {
            tcp.read_exact(&mut buf).unwrap();
            tcp.write_all(&buf).unwrap();
        }
        tcp.read_exact(&mut [0; 40_000]).unwrap();
        tcp.write_all(b"!").unwrap();
    });
    let mut stream = plain(port);
    let traffic = |sent, received, round_trips| Traffic {
        sent,
        received,
        round_trips,
    };
    read_exact(&mut stream, 5);
    assert_eq!(
        stream.traffic(),
        traffic(0, 5, 0),
        "nothing was written before the greeting"
    );
    stream.write(b"").unwrap();
    stream.write(b"abc").unwrap();
    assert_eq!(stream.traffic(), traffic(0, 5, 0), "not sent yet");
    stream.write(b"def").unwrap();
    read_exact(&mut stream, 2);
    read_exact(&mut stream, 4);
    assert_eq!(
        stream.traffic(),
        traffic(6, 11, 1),
        "two writes and two reads are one round trip"
    );
    stream.write(b"ghijkl").unwrap();
    stream.flush().unwrap();
    poll(&mut stream, &mut [0; 6]);
    assert_eq!(
        stream.traffic(),
        traffic(12, 17, 1),
        "a poll waits for nothing"
    );
    stream.write(&[b'm'; 10_000]).unwrap();
    stream.write(&[b'n'; 10_000]).unwrap();
    assert_eq!(stream.traffic().sent, 10_012, "gathered up to 16 KiB");
    stream.write(&[b'o'; 20_000]).unwrap();
    assert_eq!(
        stream.traffic().sent,
        40_012,
        "large ones at once, after what was gathered"
    );
    read_exact(&mut stream, 1);
    assert_eq!(stream.traffic(), traffic(40_012, 18, 2));
}

#[test]
fn bytes_arrive_in_the_order_of_writing() {
    let (tell, told) = mpsc::channel();
    let port = serve(move |mut tcp| {
        let mut all = Vec::new();
        tcp.read_to_end(&mut all).unwrap();
        tell.send(all).unwrap();
    });
    let mut stream = plain(port);
    let mut expected = Vec::new();
    for (index, size) in [1, 16_383, 16_384, 5, 16_379, 1, 100_000, 0, 7]
        .into_iter()
        .enumerate()
    {
        let piece = vec![index as u8; size];
        stream.write(&piece).unwrap();
        expected.extend(piece);
    }
    stream.flush().unwrap();
    stream.shut_down();
    assert!(told.recv().unwrap() == expected);
}

#[test]
fn a_request_to_stop_ends_a_wait_after_some_grace() {
    let stop = Arc::new(Stop::new());
    let mut stream = limited(serve(mute), PATIENCE, SHORT, &stop);
    stream.set_phase(Phase::Reply);
    let asking = Arc::clone(&stop);
    thread::spawn(move || {
        thread::sleep(SHORT);
        asking.request();
    });
    let begun = Instant::now();
    let error = stream.read(&mut [0; 9]).unwrap_err();
    assert_eq!(
        error.to_string(),
        "stopped while mailferry waited for a reply"
    );
    assert_eq!(error.kind(), ErrorKind::Interrupted);
    assert!(
        begun.elapsed() >= SHORT * 2 && begun.elapsed() < PATIENCE / 2,
        "{:?}",
        begun.elapsed()
    );
    // There is one grace period for everything that follows.
    let begun = Instant::now();
    assert_eq!(
        stream.write(&[0; 20_000]).unwrap_err().kind(),
        ErrorKind::Interrupted
    );
    assert!(begun.elapsed() < SHORT);
}

#[test]
fn what_is_under_way_may_end_after_a_request_to_stop() {
    let port = serve(|mut tcp| {
        thread::sleep(SHORT * 2);
        tcp.write_all(b"x").unwrap();
    });
    let stop = Arc::new(Stop::new());
    let mut stream = limited(port, PATIENCE, PATIENCE, &stop);
    stop.request();
    assert_eq!(read_exact(&mut stream, 1), b"x");
}

#[test]
fn no_connection_is_begun_after_a_request_to_stop() {
    let stop = Arc::new(Stop::new());
    let dialer = Dialer::new(settings(closed_port(), TlsMode::None), Arc::clone(&stop)).unwrap();
    assert_eq!(dialer.dial().err().unwrap().kind(), ErrorKind::Unreachable);
    stop.request();
    let error = dialer.dial().err().unwrap();
    assert_eq!(error.to_string(), "stopped while mailferry was connecting");
    assert_eq!(error.kind(), ErrorKind::Interrupted);
}

#[test]
fn writing_to_a_peer_that_is_gone() {
    let mut stream = plain(serve(drop));
    assert_eq!(stream.read(&mut [0; 9]).unwrap(), 0);
    stream.set_phase(Phase::Reply);
    let error = (0..1000)
        .find_map(|_| stream.write(&[0; 20_000]).err())
        .unwrap();
    assert!(
        error
            .to_string()
            .starts_with("the connection broke while mailferry waited for a reply: "),
        "{error}"
    );
    assert_eq!(error.kind(), ErrorKind::Lost);
}
