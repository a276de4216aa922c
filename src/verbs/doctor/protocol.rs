//! D3: whether an IMAP server answers, protected as the address says.

use super::report::{SideReport, seen};
use super::{Patient, trust};
use crate::event::Check;
use crate::imap;
use crate::net::probe;
use crate::net::{self, ErrorKind as NetKind, TlsMode};
use crate::store::ErrorKind;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// How long to listen to a port, to find out what it is.
const PATIENCE: Duration = Duration::from_secs(2);
/// A greeting that takes longer is reported.
const SLOW: Duration = Duration::from_secs(2);

/// Makes D3, and D4, which uses the same connection. Returns the login mechanisms that the server
/// offers.
pub(super) fn check(
    patient: &Patient<'_>,
    addresses: &[SocketAddr],
    report: &mut SideReport<'_, '_>,
) -> Option<Vec<String>> {
    let tls = patient.account.settings().tls;
    let tried = tried(tls);
    // A port with implicit TLS sends nothing to a client that waits for a greeting, so waiting
    // would take long.
    let said = if tls == TlsMode::Implicit {
        Vec::new()
    } else {
        probe::overhear(addresses, PATIENCE)
    };
    if tls != TlsMode::Implicit
        && may_be_tls(&said)
        && patient.account.certificate_at_once().is_ok()
    {
        let meaning = "this port speaks TLS from the first byte";
        let advice = format!("use {}", address(patient, "imaps", 993));
        report.failed(
            seen(
                Check::Protocol,
                tried,
                "a TLS handshake instead of a greeting",
            ),
            ErrorKind::Unreachable,
            meaning,
            advice,
        );
        return None;
    }
    let started = Instant::now();
    match patient.account.introduce() {
        Ok(introduction) => {
            greeted(tls, &introduction.greeting, started.elapsed(), report);
            trust::certificate(patient, report);
            return Some(introduction.mechanisms);
        }
        Err(imap::Error::Net(net)) if net.kind() == NetKind::Untrusted => {
            report.good(
                seen(Check::Protocol, tried, "a TLS handshake"),
                "the port speaks TLS",
            );
            trust::distrusted(patient, &net, report);
        }
        Err(error) => refused(patient, addresses, &error, &said, report),
    }
    None
}

/// Reports a server that introduces itself.
fn greeted(tls: TlsMode, greeting: &str, took: Duration, report: &mut SideReport<'_, '_>) {
    // Before STARTTLS, anyone could have sent it.
    let mark = if tls == TlsMode::StartTls {
        "(unauthenticated) "
    } else {
        ""
    };
    let result = format!("{mark}{greeting} (after {:.1} s)", took.as_secs_f64());
    let seen = seen(Check::Protocol, tried(tls), result);
    if took > SLOW {
        let meaning = "an IMAP server answers, but slowly: it is busy, far away, or doing a reverse DNS lookup";
        report.doubtful(
            seen,
            meaning,
            "every connection takes this long: use few, with -j 2",
        );
    } else {
        report.good(seen, "an IMAP server answers");
    }
}

/// Reports whether a server with implicit TLS may have sent this to a silent client: nothing, or an
/// alert that it has waited long enough (RFC 8446 section 5.1).
fn may_be_tls(said: &[u8]) -> bool {
    said.is_empty() || said.starts_with(&[0x15, 0x03])
}

/// Reports a server that doesn't introduce itself.
fn refused(
    patient: &Patient<'_>,
    addresses: &[SocketAddr],
    error: &imap::Error,
    said: &[u8],
    report: &mut SideReport<'_, '_>,
) {
    let judged = patient.account.judge(error);
    let tls = patient.account.settings().tls;
    let is_plain = matches!(
        error,
        imap::Error::Net(net::Error::PlainText {
            after_start_tls: false,
            ..
        })
    );
    let said = if is_plain {
        probe::overhear(addresses, PATIENCE)
    } else {
        said.to_vec()
    };
    let banner = Banner::of(&said);
    let kind = if matches!(judged.kind, ErrorKind::Untrusted) {
        ErrorKind::Untrusted
    } else {
        ErrorKind::Unreachable
    };
    let result = match first_line(&said) {
        Some(line) if banner != Banner::Imap || is_plain => {
            format!("{}; it says (unauthenticated): {line}", judged.message)
        }
        _ => judged.message,
    };
    let (meaning, advice) = match banner.stranger() {
        Some(stranger) => (
            format!("{stranger} listens on this port, not an IMAP server"),
            "check the port: IMAP servers listen on 993 for imaps:// and on 143 for imap://"
                .to_owned(),
        ),
        None if is_plain => (
            "this port speaks plain IMAP, not TLS from the first byte".to_owned(),
            format!(
                "use {}, which requires STARTTLS",
                address(patient, "imap", 143)
            ),
        ),
        None => {
            let (meaning, advice) = unclear(error);
            (
                meaning.to_owned(),
                judged.hint.unwrap_or_else(|| advice.to_owned()),
            )
        }
    };
    report.failed(
        seen(Check::Protocol, tried(tls), result),
        kind,
        meaning,
        advice,
    );
}

/// Returns the meaning of an error whose message already says what happened.
fn unclear(error: &imap::Error) -> (&'static str, &'static str) {
    match error {
        imap::Error::Net(net::Error::Silent { .. }) => (
            "something accepts the connection but says nothing: an overloaded server, or a firewall in between",
            "try again later, and from another network",
        ),
        imap::Error::Net(net::Error::Handshake { .. }) => (
            "the TLS handshake failed",
            "have the server updated: it must offer TLS 1.2 or newer",
        ),
        imap::Error::NoLogin(_) => (
            "the server doesn't protect this connection, so no password is sent",
            "try imaps://, or ask the server's operator to set up TLS",
        ),
        imap::Error::Bye { .. } | imap::Error::TurnedAway { .. } => (
            "the server rejects this machine before login",
            "wait a few minutes; if it persists, ask the server's operator whether it bans this address",
        ),
        imap::Error::Closed | imap::Error::Truncated | imap::Error::Net(_) => (
            "the server closes the connection at once: it bans this address, allows no more connections, or is \
             restarting",
            "wait a few minutes; if it persists, ask the server's operator",
        ),
        _ => (
            "what answers isn't an IMAP server, or not one that mailferry can work with",
            "check the host and the port",
        ),
    }
}

fn tried(tls: TlsMode) -> &'static str {
    match tls {
        TlsMode::Implicit => "started TLS and waited for the greeting",
        TlsMode::StartTls => "waited for the greeting and asked for STARTTLS",
        TlsMode::None => "waited for the greeting, without TLS as the address says",
    }
}

/// Returns the address to use instead.
fn address(patient: &Patient<'_>, scheme: &str, usual: u16) -> String {
    let port = patient.account.settings().port;
    if port == usual {
        format!("{scheme}://USER@HOST")
    } else {
        format!("{scheme}://USER@HOST:{port}")
    }
}

fn first_line(said: &[u8]) -> Option<String> {
    let line = said
        .split(|byte| matches!(byte, b'\r' | b'\n'))
        .next()
        .filter(|line| !line.is_empty())?;
    Some(String::from_utf8_lossy(line).into_owned())
}

/// Returns the protocol that starts like this.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Banner {
    Imap,
    Silence,
    Http,
    Ssh,
    Pop3,
    SmtpOrFtp,
    Other,
}

impl Banner {
    fn of(said: &[u8]) -> Self {
        let begins = |with: &str| {
            said.get(..with.len())
                .is_some_and(|start| start.eq_ignore_ascii_case(with.as_bytes()))
        };
        match () {
            () if said.is_empty() => Self::Silence,
            () if ["* OK", "* PREAUTH", "* BYE"]
                .iter()
                .any(|with| begins(with)) =>
            {
                Self::Imap
            }
            () if begins("HTTP/") || begins("<!DOCTYPE") || begins("<html") => Self::Http,
            () if begins("SSH-") => Self::Ssh,
            () if begins("+OK") || begins("-ERR") => Self::Pop3,
            () if begins("220") || begins("421") || begins("554") => Self::SmtpOrFtp,
            () => Self::Other,
        }
    }

    /// Returns what it is, if it isn't an IMAP server.
    fn stranger(self) -> Option<&'static str> {
        match self {
            Self::Imap | Self::Silence => None,
            Self::Http => Some("a web server"),
            Self::Ssh => Some("an SSH server"),
            Self::Pop3 => Some("a POP3 server"),
            Self::SmtpOrFtp => Some("a mail transport (SMTP) or file (FTP) server"),
            Self::Other => Some("something else"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn banners() {
        let table = [
            ("* OK [CAPABILITY IMAP4rev1] ready", Banner::Imap),
            ("* bye go away", Banner::Imap),
            ("HTTP/1.1 400 Bad Request", Banner::Http),
            ("SSH-2.0-OpenSSH_9.2", Banner::Ssh),
            ("+OK Dovecot ready.", Banner::Pop3),
            ("220 mx.example.org ESMTP", Banner::SmtpOrFtp),
            ("RFB 003.008", Banner::Other),
            ("", Banner::Silence),
        ];
        for (text, banner) in table {
            assert_eq!(Banner::of(text.as_bytes()), banner, "{text}");
        }
    }
}
