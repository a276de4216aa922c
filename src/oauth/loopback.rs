//! The listener that a browser is redirected to: only on 127.0.0.1, for one code, with the `state`
//! that was sent out. Any program on this machine may connect; it gets no more than a refusal, and
//! can't end the wait.

use super::Guide;
use super::browser;
use crate::store::{Error, ErrorKind};
use oauth2::url::Url;
use std::io::{self, Read as _, Write as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::time::{Duration, Instant};
use zeroize::Zeroizing;

/// How long the user may take.
const PATIENCE: Duration = Duration::from_secs(10 * 60);
/// How often the listener checks for connections.
const GLANCE: Duration = Duration::from_millis(50);
/// How long one connection may take to send its request.
const VISIT: Duration = Duration::from_secs(2);
/// The longest request, with its headers.
const MAX_REQUEST: usize = 16 * 1024;

/// The open port.
pub(super) struct Loopback {
    listener: TcpListener,
    port: u16,
}

/// The result of one connection.
enum Visit {
    Code(Zeroizing<String>),
    /// A refusal, by its name in RFC 6749 section 4.1.2.1.
    Refusal(String),
    /// A code that was not requested here.
    Strange,
    /// Anything else, such as a request for an icon.
    Other,
}

impl Loopback {
    pub(super) fn open(port: u16) -> Result<Self, Error> {
        let failed = |error: io::Error| {
            Error::new(
                ErrorKind::Local,
                format!("could not listen on 127.0.0.1:{port}: {error}"),
            )
            .with_hint("choose another with --port, or omit it")
        };
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).map_err(failed)?;
        listener.set_nonblocking(true).map_err(failed)?;
        let port = listener.local_addr().map_err(failed)?.port();
        Ok(Self { listener, port })
    }

    pub(super) fn port(&self) -> u16 {
        self.port
    }

    /// Waits for the code with this `state`.
    pub(super) fn wait(&self, state: &str, guide: &dyn Guide) -> Result<Zeroizing<String>, Error> {
        let begun = Instant::now();
        while begun.elapsed() < PATIENCE {
            let Ok((stream, _)) = self.listener.accept() else {
                // A login writes nothing that a stop would have to wait for: the first signal ends
                // the program.
                std::thread::sleep(GLANCE);
                continue;
            };
            // It may be any program: if its connection breaks, that is its problem.
            match answer(stream, state).unwrap_or(Visit::Other) {
                Visit::Code(code) => return Ok(code),
                Visit::Refusal(code) => return Err(browser::refused(&code)),
                Visit::Strange => {
                    guide.remark(
                        "rejected a code that was not requested (different state); still waiting",
                    );
                }
                Visit::Other => {}
            }
        }
        let text = format!(
            "timed out after {} minutes waiting for the browser",
            PATIENCE.as_secs() / 60
        );
        Err(Error::new(ErrorKind::Authentication, text).with_hint("run `mailferry login` again"))
    }
}

/// Handles one connection and returns its result.
fn answer(mut stream: TcpStream, state: &str) -> io::Result<Visit> {
    stream.set_nonblocking(false)?;
    stream.set_read_timeout(Some(VISIT))?;
    stream.set_write_timeout(Some(VISIT))?;
    let request = head(&mut stream)?;
    let visit = read(&request, state);
    let (status, text) = match &visit {
        Visit::Code(_) => (
            "200 OK",
            "mailferry has what it needs. You can close this window.",
        ),
        Visit::Refusal(_) => (
            "200 OK",
            "Authorization failed; see the terminal. You can close this window.",
        ),
        Visit::Strange => ("400 Bad Request", "mailferry did not request this."),
        Visit::Other => ("404 Not Found", "Not found."),
    };
    let page =
        format!("<!doctype html><meta charset=utf-8><title>mailferry</title><p>{text}</p>\n");
    let head = "Content-Type: text/html; charset=utf-8\r\nCache-Control: no-store\r\nReferrer-Policy: no-referrer\r\nConnection: close";
    stream.write_all(
        format!(
            "HTTP/1.1 {status}\r\n{head}\r\nContent-Length: {}\r\n\r\n{page}",
            page.len()
        )
        .as_bytes(),
    )?;
    Ok(visit)
}

/// Reads everything up to the empty line.
fn head(stream: &mut TcpStream) -> io::Result<Zeroizing<Vec<u8>>> {
    let begun = Instant::now();
    let mut request = Zeroizing::new(Vec::with_capacity(MAX_REQUEST));
    let mut piece = Zeroizing::new([0; 1024]);
    while !request.windows(4).any(|end| end == b"\r\n\r\n") {
        let length = stream.read(&mut piece[..])?;
        if length == 0 || request.len() + length > MAX_REQUEST || begun.elapsed() > VISIT {
            return Err(io::ErrorKind::InvalidData.into());
        }
        request.extend_from_slice(&piece[..length]);
    }
    Ok(request)
}

/// Parses a request: `GET /?code=…&state=… HTTP/1.1`.
fn read(request: &[u8], state: &str) -> Visit {
    let line = request
        .split(|byte| *byte == b'\r')
        .next()
        .and_then(|line| str::from_utf8(line).ok())
        .unwrap_or_default();
    let target = line
        .strip_prefix("GET ")
        .and_then(|rest| rest.split(' ').next())
        .unwrap_or_default();
    let Some(url) = target
        .starts_with("/?")
        .then(|| Url::parse(&format!("http://127.0.0.1{target}")).ok())
        .flatten()
    else {
        return Visit::Other;
    };
    let value = |name: &str| {
        url.query_pairs()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.into_owned())
    };
    match (value("state"), value("code"), value("error")) {
        (None, None, None) => Visit::Other,
        (Some(theirs), _, _) if theirs != state => Visit::Strange,
        (None, _, _) => Visit::Strange,
        (_, Some(code), None) => Visit::Code(Zeroizing::new(code)),
        (_, _, Some(error)) => Visit::Refusal(error),
        (_, None, None) => Visit::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn brought(line: &str) -> String {
        match read(format!("{line}\r\nHost: x\r\n\r\n").as_bytes(), "s t") {
            Visit::Code(code) => format!("code {}", *code),
            Visit::Refusal(code) => format!("refusal {code}"),
            Visit::Strange => "strange".to_owned(),
            Visit::Other => "other".to_owned(),
        }
    }

    #[test]
    fn only_a_code_that_was_asked_for_counts() {
        let table = [
            ("GET /?code=a%2Fb&state=s+t HTTP/1.1", "code a/b"),
            ("GET /?state=s%20t&code=x&scope=y HTTP/1.1", "code x"),
            (
                "GET /?error=access_denied&state=s+t HTTP/1.1",
                "refusal access_denied",
            ),
            ("GET /?code=x&state=other HTTP/1.1", "strange"),
            ("GET /?code=x HTTP/1.1", "strange"),
            ("GET /?code=x&state= HTTP/1.1", "strange"),
            // The first of two counts.
            ("GET /?code=x&state=other&state=s+t HTTP/1.1", "strange"),
            ("GET /?error=access_denied HTTP/1.1", "strange"),
            ("GET /?state=s+t HTTP/1.1", "other"),
            ("GET /favicon.ico HTTP/1.1", "other"),
            ("GET / HTTP/1.1", "other"),
            ("GET /x?code=x&state=s+t HTTP/1.1", "other"),
            ("POST /?code=x&state=s+t HTTP/1.1", "other"),
            ("\u{1}\u{2}", "other"),
            ("", "other"),
        ];
        for (line, expected) in table {
            assert_eq!(brought(line), expected, "{line}");
        }
    }
}
