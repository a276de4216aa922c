//! With TLS: what is trusted, what isn't, and how each failure is reported.

use super::certificates::{Certified, VALID, file};
use super::*;
use crate::address::ImapAddress;
use openssl::ssl::{SslAcceptor, SslMethod, SslStream, SslVersion};
use std::io::{Read as _, Write as _};
use std::path::Path;
use std::sync::mpsc;
use std::time::Instant;

/// Sets up a server's TLS, with its highest version.
fn acceptor(server: &Certified, version: SslVersion) -> SslAcceptor {
    let mut builder = SslAcceptor::mozilla_intermediate_v5(SslMethod::tls_server()).unwrap();
    if version == SslVersion::TLS1_1 {
        builder.set_min_proto_version(None).unwrap();
        builder.set_cipher_list("ALL:@SECLEVEL=0").unwrap();
    }
    builder.set_max_proto_version(Some(version)).unwrap();
    builder.set_certificate(&server.certificate).unwrap();
    builder.set_private_key(&server.key).unwrap();
    builder.build()
}

/// Starts a TLS server for one connection. If the handshake fails, its script doesn't run.
fn serve_tls(
    server: &Certified,
    version: SslVersion,
    script: impl FnOnce(SslStream<TcpStream>) + Send + 'static,
) -> u16 {
    let acceptor = acceptor(server, version);
    serve(move |tcp| {
        if let Ok(tls) = acceptor.accept(tcp) {
            script(tls);
        }
    })
}

fn trusting(port: u16, tls: TlsMode, ca: &Path) -> Dialer {
    dialer(DialSettings {
        ca: Some(ca.to_owned()),
        ..settings(port, tls)
    })
}

/// Returns how implicit TLS with a port fails.
fn failure(port: u16) -> Error {
    dialer(DialSettings {
        timeout: SHORT,
        ..settings(port, TlsMode::Implicit)
    })
    .dial()
    .err()
    .unwrap()
}

/// Sends back what it gets.
fn echo(mut tls: SslStream<TcpStream>) {
    let mut buf = vec![0; 5000];
    while let Ok(count @ 1..) = tls.read(&mut buf) {
        tls.write_all(&buf[..count]).unwrap();
    }
}

#[test]
fn bytes_pass_unchanged_in_both_versions() {
    let authority = Certified::authority("test authority");
    let server = Certified::server("localhost", VALID, Some(&authority));
    let ca = authority.file();
    for version in [SslVersion::TLS1_2, SslVersion::TLS1_3] {
        let mut stream = trusting(
            serve_tls(&server, version, echo),
            TlsMode::Implicit,
            ca.path(),
        )
        .dial()
        .unwrap();
        assert!(stream.is_encrypted());
        let bytes: Vec<u8> = (0..100_000_u32).map(|n| (n / 7) as u8).collect();
        for piece in bytes.chunks(40_000) {
            stream.write(piece).unwrap();
            assert!(read_exact(&mut stream, piece.len()) == piece);
        }
        assert_eq!(
            stream.traffic(),
            Traffic {
                sent: 100_000,
                received: 100_000,
                round_trips: 3
            }
        );
        stream.shut_down();
    }
}

#[test]
fn one_dialer_makes_many_connections() {
    let authority = Certified::authority("test authority");
    let server = Certified::server("localhost", VALID, Some(&authority));
    let acceptor = acceptor(&server, SslVersion::TLS1_3);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        for tcp in listener.incoming() {
            let acceptor = acceptor.clone();
            thread::spawn(move || acceptor.accept(tcp.unwrap()).map(echo).unwrap());
        }
    });
    let dialer = trusting(port, TlsMode::Implicit, authority.file().path());
    thread::scope(|scope| {
        for lane in 0..4_u8 {
            let dialer = &dialer;
            scope.spawn(move || {
                let mut stream = dialer.dial().unwrap();
                stream.write(&[lane; 10]).unwrap();
                assert_eq!(read_exact(&mut stream, 10), [lane; 10]);
            });
        }
    });
}

#[test]
fn a_certificate_for_an_ip_address() {
    let server = Certified::server("127.0.0.1", VALID, None);
    let port = serve_tls(&server, SslVersion::TLS1_3, echo);
    let host = ImapAddress::parse(&format!("imaps://ann@127.0.0.1:{port}"))
        .unwrap()
        .host;
    let file = server.file();
    let ca = Some(file.path().to_owned());
    assert!(
        dialer(DialSettings {
            host,
            ca,
            ..settings(port, TlsMode::Implicit)
        })
        .dial()
        .unwrap()
        .is_encrypted()
    );
}

#[test]
fn certificates_that_are_not_trusted() {
    let authority = Certified::authority("test authority");
    let other = Certified::authority("another authority");
    let ours = Some(&authority);
    let table = [
        (
            Certified::server("elsewhere.example", VALID, ours),
            Some(&authority),
            "hostname mismatch",
            "host name",
        ),
        (
            Certified::server("127.0.0.1", VALID, ours),
            Some(&authority),
            "hostname mismatch",
            "host name",
        ),
        (
            Certified::server("localhost", (-7200, -3600), ours),
            Some(&authority),
            "expired",
            "renew",
        ),
        (
            Certified::server("localhost", (3600, 7200), ours),
            Some(&authority),
            "not yet valid",
            "clock",
        ),
        (
            Certified::server("localhost", VALID, ours),
            Some(&other),
            "issuer certificate",
            "doesn't contain",
        ),
        (
            Certified::server("localhost", VALID, ours),
            None,
            "issuer certificate",
            "?ca=FILE",
        ),
        (
            Certified::server("localhost", VALID, None),
            None,
            "self-signed certificate",
            "?ca=FILE",
        ),
    ];
    for (server, trusted, check, advice) in table {
        let port = serve_tls(&server, SslVersion::TLS1_3, |_| {
            panic!("the client trusted it")
        });
        let file = trusted.map(Certified::file);
        let ca = file.as_ref().map(|file| file.path().to_owned());
        let error = dialer(DialSettings {
            ca,
            ..settings(port, TlsMode::Implicit)
        })
        .dial()
        .err()
        .unwrap();
        let text = error.to_string();
        assert!(
            text.starts_with("the certificate of localhost is not trusted: "),
            "{text}"
        );
        assert!(text.contains(check) && !text.contains("error:"), "{text}");
        assert_eq!(error.kind(), ErrorKind::Untrusted);
        let hint = error.hint().unwrap();
        assert!(
            hint.contains("ca=") && hint.contains(advice),
            "{text}: {hint}"
        );
    }
}

/// Starts a TLS server for any number of connections.
fn serve_many(server: &Certified) -> u16 {
    let acceptor = acceptor(server, SslVersion::TLS1_3);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        for tcp in listener.incoming() {
            let acceptor = acceptor.clone();
            thread::spawn(move || acceptor.accept(tcp.unwrap()).map(echo));
        }
    });
    port
}

#[test]
fn an_untrusted_certificate_is_named_by_its_fingerprint_and_can_be_pinned() {
    let server = Certified::server("elsewhere.example", (-7200, -3600), None);
    let digest = server
        .certificate
        .digest(openssl::hash::MessageDigest::sha256())
        .unwrap();
    let fingerprint = Fingerprint(digest.as_ref().try_into().unwrap());
    let port = serve_many(&server);
    let usual = settings(port, TlsMode::Implicit);

    let error = dialer(usual.clone()).dial().err().unwrap();
    assert!(
        error
            .to_string()
            .ends_with(&format!("(its fingerprint is {fingerprint})")),
        "{error}"
    );
    assert!(
        error
            .hint()
            .unwrap()
            .contains(&format!("pin={fingerprint}"))
    );

    // Pinned, it is trusted whatever its contents, if every byte of the fingerprint matches.
    let pinned = DialSettings {
        pin: Some(fingerprint),
        ..usual
    };
    let mut stream = dialer(pinned.clone()).dial().unwrap();
    // A login is bound to a certificate signed with SHA-256 by that hash (RFC 5929 section 4.1).
    assert_eq!(stream.server_end_point().unwrap(), fingerprint.0);
    stream.write(b"hello").unwrap();
    assert_eq!(read_exact(&mut stream, 5), b"hello");
    let mut other = fingerprint;
    other.0[31] ^= 1;
    let error = dialer(DialSettings {
        pin: Some(other),
        ..pinned.clone()
    })
    .dial()
    .err()
    .unwrap();
    assert_eq!(error.kind(), ErrorKind::Untrusted);
    assert!(
        error.to_string().contains("`pin=`")
            && error.to_string().contains(&fingerprint.to_string()),
        "{error}"
    );

    // With an authority as well, both must match.
    let authority = Certified::authority("test authority").file();
    let both = DialSettings {
        ca: Some(authority.path().to_owned()),
        ..pinned
    };
    assert!(matches!(
        dialer(both).dial().err(),
        Some(Error::Untrusted { .. })
    ));
}

#[test]
fn a_pinned_certificate_of_a_trusted_authority() {
    let authority = Certified::authority("test authority");
    let server = Certified::server("localhost", VALID, Some(&authority));
    let digest = server
        .certificate
        .digest(openssl::hash::MessageDigest::sha256())
        .unwrap();
    let port = serve_many(&server);
    let ca = authority.file();
    let with = |pin| DialSettings {
        ca: Some(ca.path().to_owned()),
        pin: Some(pin),
        ..settings(port, TlsMode::Implicit)
    };
    assert!(
        dialer(with(Fingerprint(digest.as_ref().try_into().unwrap())))
            .dial()
            .is_ok()
    );
    let error = dialer(with(Fingerprint([0; 32]))).dial().err().unwrap();
    assert!(matches!(error, Error::OtherCertificate { .. }), "{error}");
}

#[test]
fn a_client_certificate_is_shown_where_it_is_asked_for() {
    let server = Certified::server("localhost", VALID, None);
    let client = Certified::server("ann", VALID, None);
    let mut builder = SslAcceptor::mozilla_intermediate_v5(SslMethod::tls_server()).unwrap();
    builder.set_certificate(&server.certificate).unwrap();
    builder.set_private_key(&server.key).unwrap();
    builder.set_verify_callback(openssl::ssl::SslVerifyMode::PEER, |_, _| true);
    let acceptor = builder.build();
    let (sender, shown) = mpsc::channel();
    let port = serve(move |tcp| {
        let tls = acceptor.accept(tcp).unwrap();
        sender
            .send(
                tls.ssl()
                    .peer_certificate()
                    .map(|certificate| certificate.to_der().unwrap()),
            )
            .unwrap();
        echo(tls);
    });
    let (ca, cert) = (server.file(), client.file());
    let key = file(&client.key.private_key_to_pem_pkcs8().unwrap());
    let ours = DialSettings {
        ca: Some(ca.path().to_owned()),
        client_cert: Some(cert.path().to_owned()),
        client_key: Some(key.path().to_owned()),
        ..settings(port, TlsMode::Implicit)
    };
    let mut stream = dialer(ours.clone()).dial().unwrap();
    stream.write(b"x").unwrap();
    assert_eq!(read_exact(&mut stream, 1), b"x");
    assert_eq!(
        shown.recv_timeout(PATIENCE).unwrap(),
        Some(client.certificate.to_der().unwrap())
    );

    // Both in one file work, too.
    let pem = [
        client.certificate.to_pem().unwrap(),
        client.key.private_key_to_pem_pkcs8().unwrap(),
    ]
    .concat();
    let both = file(&pem);
    let open = |cert: &Path, key: Option<&Path>| {
        let (client_cert, client_key) = (Some(cert.to_owned()), key.map(Path::to_owned));
        Dialer::new(
            DialSettings {
                client_cert,
                client_key,
                ..ours.clone()
            },
            Arc::new(Stop::new()),
        )
        .map(|_| ())
    };
    assert!(open(both.path(), None).is_ok());
    // A key in another form, none at all, another's, or no file.
    let old = file(&client.key.ec_key().unwrap().private_key_to_pem().unwrap());
    let others = file(&server.key.private_key_to_pem_pkcs8().unwrap());
    let nowhere = Path::new("/nonexistent/key.pem");
    for key in [Some(old.path()), None, Some(others.path()), Some(nowhere)] {
        let error = open(cert.path(), key).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Local);
        assert!(error.hint().unwrap().contains("openssl pkcs8"), "{error}");
    }
}

#[test]
fn plain_text_where_tls_should_begin() {
    for greeting in [
        "* OK ready\r\n",
        "* BYE too many\r\n",
        "HTTP/1.1 400 Bad Request\r\n\r\n",
        "220 mail ESMTP\r\n",
    ] {
        let port = serve(move |mut tcp| {
            tcp.write_all(greeting.as_bytes()).unwrap();
            tcp.read_to_end(&mut Vec::new()).ok();
        });
        let error = failure(port);
        assert_eq!(
            error.to_string(),
            format!("localhost port {port} answers in plain text where TLS should begin")
        );
        assert_eq!(error.kind(), ErrorKind::Unreachable);
        assert!(
            error
                .hint()
                .unwrap()
                .contains(&format!("imap://USER@HOST:{port}"))
        );
    }
}

#[test]
fn a_handshake_that_comes_to_nothing() {
    let error = failure(serve(|mut tcp| {
        tcp.read_to_end(&mut Vec::new()).ok();
    }));
    assert_eq!(
        error.to_string(),
        "the server sent nothing for 0.3 s while mailferry was setting up TLS"
    );
    assert_eq!(error.kind(), ErrorKind::Unreachable);

    let error = failure(serve(|mut tcp| {
        tcp.read_exact(&mut [0; 100]).unwrap();
        tcp.shutdown(std::net::Shutdown::Write).unwrap();
        tcp.read_to_end(&mut Vec::new()).ok();
    }));
    assert!(
        error
            .to_string()
            .ends_with("failed: the server closed the connection"),
        "{error}"
    );
    assert_eq!(error.kind(), ErrorKind::Unreachable);
}

#[test]
fn a_server_with_old_tls_only_is_refused() {
    let server = Certified::server("localhost", VALID, None);
    let port = serve_tls(&server, SslVersion::TLS1_1, |_| {
        panic!("the client spoke TLS 1.1")
    });
    let ca = server.file();
    let error = trusting(port, TlsMode::Implicit, ca.path())
        .dial()
        .err()
        .unwrap();
    assert!(matches!(error, Error::Handshake { .. }), "{error}");
    assert!(error.hint().unwrap().contains("TLS 1.2"), "{error}");
}

#[test]
fn files_of_certificates() {
    let good = Certified::authority("a").certificate.to_pem().unwrap();
    let broken = String::from_utf8(good.clone())
        .unwrap()
        .replace("MII", "!!!")
        .into_bytes();
    let two = [&good[..], b"a comment\n", &good].concat();
    let open = |path: &Path| {
        let settings = DialSettings {
            ca: Some(path.to_owned()),
            ..settings(1, TlsMode::Implicit)
        };
        Dialer::new(settings, Arc::new(Stop::new())).map(|_| ())
    };
    assert!(open(file(&two).path()).is_ok());
    for bytes in [&b""[..], b"no certificate"] {
        let error = open(file(bytes).path()).unwrap_err();
        assert!(
            error.to_string().ends_with(" holds no PEM certificate"),
            "{error}"
        );
        assert!(error.hint().unwrap().contains("PEM"));
    }
    for bytes in [&broken[..], &[&good[..], &broken].concat()] {
        let error = open(file(bytes).path()).unwrap_err();
        assert!(matches!(error, Error::CaUnreadable { .. }), "{error}");
        assert_eq!(error.kind(), ErrorKind::Local);
    }
    let error = open(Path::new("/nonexistent/ca.pem")).unwrap_err();
    assert_eq!(
        error.to_string(),
        "cannot read the certificates in /nonexistent/ca.pem: no such file or directory"
    );
}

/// Agrees to STARTTLS, then follows the script.
fn serve_start_tls(script: impl FnOnce(TcpStream) + Send + 'static) -> u16 {
    serve(|mut tcp| {
        tcp.write_all(b"* OK\r\n").unwrap();
        tcp.read_exact(&mut [0; 12]).unwrap();
        tcp.write_all(b"a OK\r\n").unwrap();
        script(tcp);
    })
}

/// Requests STARTTLS.
fn ask(dialer: &Dialer) -> Stream {
    let mut stream = dialer.dial().unwrap();
    read_exact(&mut stream, 6);
    stream.write(b"a STARTTLS\r\n").unwrap();
    assert_eq!(read_exact(&mut stream, 6), b"a OK\r\n");
    assert!(!stream.is_encrypted());
    stream
}

#[test]
fn start_tls() {
    let server = Certified::server("localhost", VALID, None);
    let ca = server.file();
    let acceptor = acceptor(&server, SslVersion::TLS1_3);
    let port = serve_start_tls(move |tcp| echo(acceptor.accept(tcp).unwrap()));
    let dialer = trusting(port, TlsMode::StartTls, ca.path());
    let mut stream = dialer.start_tls(ask(&dialer)).unwrap();
    assert!(stream.is_encrypted());
    stream.write(b"b CAPABILITY").unwrap();
    assert_eq!(read_exact(&mut stream, 12), b"b CAPABILITY");
    assert_eq!(
        stream.traffic(),
        Traffic {
            sent: 24,
            received: 24,
            round_trips: 2
        }
    );
    let error = dialer.start_tls(stream).err().unwrap();
    assert_eq!(
        error.to_string(),
        "TLS cannot be started: the connection is encrypted already"
    );
    assert_eq!(error.kind(), ErrorKind::Local);
}

#[test]
fn start_tls_that_does_not_begin() {
    let port = serve_start_tls(|mut tcp| {
        tcp.write_all(b"a NO STARTTLS failed\r\n").unwrap();
        tcp.read_to_end(&mut Vec::new()).ok();
    });
    let dialer = dialer(settings(port, TlsMode::StartTls));
    let error = dialer.start_tls(ask(&dialer)).err().unwrap();
    assert!(
        matches!(
            error,
            Error::PlainText {
                after_start_tls: true,
                ..
            }
        ),
        "{error}"
    );
}

#[test]
fn nothing_unsent_may_cross_into_tls() {
    let dialer = dialer(settings(serve_start_tls(drop), TlsMode::StartTls));
    let mut stream = ask(&dialer);
    stream.write(b"b LOGIN").unwrap();
    assert!(matches!(
        dialer.start_tls(stream).err().unwrap(),
        Error::NotReady { .. }
    ));
}

#[test]
fn what_has_arrived_is_read_without_waiting() {
    let server = Certified::server("localhost", VALID, None);
    let ca = server.file();
    for version in [SslVersion::TLS1_2, SslVersion::TLS1_3] {
        let (go, wait) = mpsc::channel::<()>();
        let port = serve_tls(&server, version, move |mut tls| {
            wait.recv().unwrap();
            tls.write_all(b"* 1 EXISTS\r\n").unwrap();
            wait.recv().ok();
        });
        let mut stream = trusting(port, TlsMode::Implicit, ca.path()).dial().unwrap();
        let mut buf = [0; 5];
        for _ in 0..20 {
            // In TLS 1.3 the server's tickets have arrived by now, and aren't data.
            assert!(stream.read_available(&mut buf).unwrap().is_none());
            thread::sleep(Duration::from_millis(2));
        }
        go.send(()).unwrap();
        assert_eq!(poll(&mut stream, &mut buf), 5);
        assert_eq!(
            stream.read_available(&mut buf).unwrap(),
            Some(5),
            "the rest of the record"
        );
        assert_eq!(stream.read(&mut buf).unwrap(), 2);
        drop(go);
        stream.shut_down();
    }
}

#[test]
fn records_that_arrive_in_pieces() {
    let server = Certified::server("localhost", VALID, None);
    let bytes: Vec<u8> = (0..300_u32).map(|n| n as u8).collect();
    let sent = bytes.clone();
    let inner = serve_tls(&server, SslVersion::TLS1_3, move |mut tls| {
        for piece in sent.chunks(100) {
            tls.write_all(piece).unwrap();
        }
        tls.read_to_end(&mut Vec::new()).ok();
    });
    // A relay that passes the server's bytes on one by one.
    let port = serve(move |mut client| {
        let mut server = TcpStream::connect(("127.0.0.1", inner)).unwrap();
        let (mut from_client, mut to_server) =
            (client.try_clone().unwrap(), server.try_clone().unwrap());
        thread::spawn(move || std::io::copy(&mut from_client, &mut to_server).ok());
        client.set_nodelay(true).unwrap();
        let mut byte = [0];
        while let Ok(1) = server.read(&mut byte) {
            if client.write_all(&byte).is_err() {
                break;
            }
            thread::sleep(Duration::from_micros(100));
        }
    });
    let mut stream = trusting(port, TlsMode::Implicit, server.file().path())
        .dial()
        .unwrap();
    let mut got = Vec::new();
    let mut buf = [0; 64];
    while got.len() < 200 {
        let count = poll(&mut stream, &mut buf);
        got.extend_from_slice(&buf[..count]);
    }
    let rest = read_exact(&mut stream, 300 - got.len());
    got.extend(rest);
    assert!(got == bytes);
}

#[test]
fn a_peer_that_closes() {
    let server = Certified::server("localhost", VALID, None);
    let ca = server.file();
    for with_notice in [true, false] {
        let port = serve_tls(&server, SslVersion::TLS1_3, move |mut tls| {
            tls.write_all(b"* BYE").unwrap();
            if with_notice {
                tls.shutdown().unwrap();
            }
        });
        let mut stream = trusting(port, TlsMode::Implicit, ca.path()).dial().unwrap();
        assert_eq!(read_exact(&mut stream, 5), b"* BYE");
        assert_eq!(
            stream.read(&mut [0; 5]).unwrap(),
            0,
            "with notice: {with_notice}"
        );
    }
}

#[test]
fn silence_and_a_full_peer_under_tls() {
    let server = Certified::server("localhost", VALID, None);
    let ca = server.file();
    let (done, wait) = mpsc::channel::<()>();
    let port = serve_tls(&server, SslVersion::TLS1_3, move |_tls| {
        wait.recv().ok();
    });
    let settings = DialSettings {
        ca: Some(ca.path().to_owned()),
        timeout: SHORT,
        ..settings(port, TlsMode::Implicit)
    };
    let mut stream = dialer(settings).dial().unwrap();
    stream.set_phase(Phase::Sending);
    let error = stream.write(&vec![b'x'; 64 << 20]).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the server took nothing for 0.3 s while mailferry was sending a message"
    );
    let begun = Instant::now();
    stream.shut_down();
    assert!(begun.elapsed() < SHORT);
    drop(done);
}

#[test]
fn silence_under_tls_names_what_was_waited_for() {
    let server = Certified::server("localhost", VALID, None);
    let ca = server.file();
    let port = serve_tls(&server, SslVersion::TLS1_3, echo);
    let settings = DialSettings {
        ca: Some(ca.path().to_owned()),
        timeout: SHORT,
        ..settings(port, TlsMode::Implicit)
    };
    let error = dialer(settings)
        .dial()
        .unwrap()
        .read(&mut [0; 9])
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "the server sent nothing for 0.3 s while mailferry waited for the greeting"
    );
    assert_eq!(error.hint(), None);
}
