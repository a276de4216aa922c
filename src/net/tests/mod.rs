//! Connections to small servers on the loopback interface, each a thread with one script.

mod certificates;
mod ending;
mod faults;
mod plain;
mod protected;

use super::*;
use crate::event::Stop;
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

/// Long enough for any step here, short enough if a test hangs.
const PATIENCE: Duration = Duration::from_secs(20);

/// A silence that tests wait for.
const SHORT: Duration = Duration::from_millis(300);

/// Starts a server for one connection; returns its port.
fn serve(script: impl FnOnce(TcpStream) + Send + 'static) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || script(listener.accept().unwrap().0));
    port
}

/// Returns a port without a listener.
fn closed_port() -> u16 {
    TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port()
}

fn settings(port: u16, tls: TlsMode) -> DialSettings {
    DialSettings {
        host: "localhost".to_owned(),
        port,
        tls,
        ca: None,
        pin: None,
        client_cert: None,
        client_key: None,
        timeout: PATIENCE,
        compression: Compression::Auto,
        connect_timeout: PATIENCE,
    }
}

fn dialer(settings: DialSettings) -> Dialer {
    Dialer::new(settings, Arc::new(Stop::new())).unwrap()
}

/// Reads exactly this many bytes.
fn read_exact(stream: &mut Stream, count: usize) -> Vec<u8> {
    let mut all = Vec::new();
    let mut buf = [0; 4096];
    while all.len() < count {
        let wanted = buf.len().min(count - all.len());
        let came = stream.read(&mut buf[..wanted]).unwrap();
        assert_ne!(came, 0, "closed after {} bytes", all.len());
        all.extend_from_slice(&buf[..came]);
    }
    all
}

/// Polls without waiting until something has arrived.
fn poll(stream: &mut Stream, buf: &mut [u8]) -> usize {
    for _ in 0..4000 {
        if let Some(count) = stream.read_available(buf).unwrap() {
            return count;
        }
        thread::sleep(Duration::from_millis(5));
    }
    panic!("nothing arrived");
}
