//! Addresses by tables, and that a canonical address parses to itself.

use super::options::MECHANISMS;
use super::*;
use crate::address::options::PROVIDERS;
use crate::provider;
use proptest::prelude::*;

fn local(form: Form, path: &str) -> Address {
    let path = path.into();
    Address::Local(LocalAddress { form, path })
}

fn bare(user: &str, host: &str, port: u16, tls: TlsMode) -> ImapAddress {
    ImapAddress {
        user: user.to_owned(),
        host: host.to_owned(),
        port,
        tls,
        auth: None,
        authzid: None,
        ca: None,
        pin: None,
        client_cert: None,
        client_key: None,
        prefix: None,
        separator: None,
        compression: Compression::Auto,
        daily_read: None,
        daily_write: None,
        connections: None,
        timeout: None,
        provider: None,
    }
}

#[test]
fn user_host_port_and_protection() {
    use TlsMode::{Implicit, None as Plain, StartTls};
    let table = [
        (
            "imaps://ann@mail.example.org",
            "ann",
            "mail.example.org",
            993,
            Implicit,
        ),
        (
            "IMAPS://ann@mail.example.org/",
            "ann",
            "mail.example.org",
            993,
            Implicit,
        ),
        (
            "imap://ann@mail.example.org",
            "ann",
            "mail.example.org",
            143,
            StartTls,
        ),
        (
            "imap://ann@mail.example.org?tls=starttls",
            "ann",
            "mail.example.org",
            143,
            StartTls,
        ),
        (
            "imap://ann@localhost:1143?tls=none",
            "ann",
            "localhost",
            1143,
            Plain,
        ),
        (
            "imap://ann@localhost?tls=IMPLICIT",
            "ann",
            "localhost",
            993,
            Implicit,
        ),
        (
            "imap://ann@localhost:143?tls=implicit",
            "ann",
            "localhost",
            143,
            Implicit,
        ),
        (
            "imaps://ann@localhost?tls=implicit",
            "ann",
            "localhost",
            993,
            Implicit,
        ),
        (
            "imaps://ann%40example.org@h:1993",
            "ann@example.org",
            "h",
            1993,
            Implicit,
        ),
        (
            "imaps://ann@example.org@h",
            "ann@example.org",
            "h",
            993,
            Implicit,
        ),
        ("imaps://a%3Ab%2fc%25@h", "a:b/c%", "h", 993, Implicit),
        ("imaps://J%C3%BCrgen@h", "Jürgen", "h", 993, Implicit),
        (
            "imaps://Jürgen@bücher.example",
            "Jürgen",
            "bücher.example",
            993,
            Implicit,
        ),
        (
            "imaps://a*b@[2001:db8::1]",
            "a*b",
            "2001:db8::1",
            993,
            Implicit,
        ),
        ("imaps://ann@[::1]:65535/?", "ann", "::1", 65535, Implicit),
        ("imaps://ann@127.0.0.1", "ann", "127.0.0.1", 993, Implicit),
    ];
    for (text, user, host, port, tls) in table {
        assert_eq!(
            ImapAddress::parse(text),
            Ok(bare(user, host, port, tls)),
            "{text}"
        );
    }
}

#[test]
fn every_key() {
    let text = format!(
        "imaps://admin@h?auth=pLaIn&authzid=bob%40x&ca=/etc/my%20ca.pem&pin=sha256:{}\
                &client-cert=/c.pem&client-key=/k.pem&prefix=INBOX.&separator=.\
                &compress=on&connections=64&timeout=86400&provider=Google&daily-read=5MB&daily-write=none",
        "0f".repeat(32)
    );
    let expected = ImapAddress {
        auth: Some(Mechanism::Plain),
        authzid: Some("bob@x".to_owned()),
        ca: Some(PathBuf::from("/etc/my ca.pem")),
        pin: Some(Fingerprint([0x0f; 32])),
        client_cert: Some(PathBuf::from("/c.pem")),
        client_key: Some(PathBuf::from("/k.pem")),
        prefix: Some("INBOX.".to_owned()),
        separator: Some('.'),
        compression: Compression::On,
        daily_read: Some(DailyLimit::Bytes(5_000_000)),
        daily_write: Some(DailyLimit::Nothing),
        connections: Some(64),
        timeout: Some(Duration::from_hours(24)),
        provider: Provider::named("google"),
        ..bare("admin", "h", 993, TlsMode::Implicit)
    };
    assert_eq!(ImapAddress::parse(&text), Ok(expected));
    assert_eq!(
        ImapAddress::parse("imaps://a@h?prefix=")
            .unwrap()
            .prefix
            .as_deref(),
        Some("")
    );
    assert_eq!(
        ImapAddress::parse("imaps://a@h?auth=login").unwrap().auth,
        Some(Mechanism::Login)
    );
}

#[test]
fn what_is_refused_and_why() {
    let bad = |key, wanted| AddressError::BadValue { key, wanted };
    let unknown = |key: &str| AddressError::UnknownKey {
        key: key.to_owned(),
    };
    let table = [
        ("", AddressError::NoAddress),
        (
            "work",
            AddressError::UnknownAccount {
                name: "work".to_owned(),
            },
        ),
        ("maildir:", AddressError::NoPath { scheme: "maildir" }),
        ("mbox:", AddressError::NoPath { scheme: "mbox" }),
        ("maildir:a\0b", AddressError::NoPath { scheme: "maildir" }),
        (
            "pop3://ann@h",
            AddressError::UnknownScheme {
                scheme: "pop3".to_owned(),
            },
        ),
        ("imaps:ann@h", AddressError::NoSlashes),
        ("imaps://", AddressError::NoUser),
        ("imaps://mail.example.org", AddressError::NoUser),
        (
            "imaps://mail.example.org:993?authzid=a@b",
            AddressError::NoUser,
        ),
        ("imaps://[::1]:993?authzid=a@b", AddressError::NoUser),
        ("imaps://@h", AddressError::NoUser),
        ("imaps://a%zz@h", AddressError::BadUser),
        ("imaps://a%@h", AddressError::BadUser),
        ("imaps://a%FF@h", AddressError::BadUser),
        ("imaps://a%0D%0Ax@h", AddressError::BadUser),
        ("imaps://ann@", AddressError::NoHost),
        ("imaps://ann@:993", AddressError::NoHost),
        ("imaps://ann@a b", AddressError::BadHost),
        ("imaps://ann@a%20b", AddressError::BadHost),
        ("imaps://ann@::1", AddressError::BadIpv6),
        ("imaps://ann@[::1", AddressError::BadIpv6),
        ("imaps://ann@[::1]993", AddressError::BadIpv6),
        ("imaps://ann@[mail]", AddressError::BadIpv6),
        ("imaps://ann@h:", AddressError::BadPort),
        ("imaps://ann@h:0", AddressError::BadPort),
        ("imaps://ann@h:+993", AddressError::BadPort),
        ("imaps://ann@h:65536", AddressError::BadPort),
        ("imaps://ann@h/INBOX", AddressError::Path),
        ("imaps://ann@h/INBOX?tls=implicit", AddressError::Path),
        ("imaps://ann@h#x", AddressError::Path),
        (
            "imaps://ann@h?compress=yes",
            bad("compress", "auto, on or off"),
        ),
        (
            "imaps://ann@h?client-cert=",
            bad("client-cert", "the path of a PEM file"),
        ),
        (
            "imaps://ann@h?client-key=x",
            AddressError::KeyWithoutCertificate,
        ),
        (
            "imaps://ann@h?pin=sha256:00",
            bad("pin", "sha256: and the 64 hexadecimal digits of a SHA-256"),
        ),
        ("imaps://ann@h?supplier=gmail", unknown("`supplier`")),
        ("imaps://ann@h?TLS=none", unknown("`TLS`")),
        ("imaps://ann@h?hunter", unknown("after `?`")),
        ("imaps://ann@h?s3cret=x", unknown("after `?`")),
        ("imaps://ann@h?a@b", unknown("after `?`")),
        (
            "imaps://ann@h?timeout=5&timeout=5",
            AddressError::Twice { key: "timeout" },
        ),
        (
            "imaps://ann@h?tls=ssl",
            bad("tls", "implicit, starttls or none"),
        ),
        ("imaps://ann@h?auth=DIGEST-MD5", bad("auth", MECHANISMS)),
        ("imaps://ann@h?authzid=", bad("authzid", "a user name")),
        ("imaps://ann@h?authzid=a%00b", bad("authzid", "a user name")),
        ("imaps://ann@h?ca", bad("ca", "the path of a PEM file")),
        (
            "imaps://ann@h?separator=%C3%A9",
            bad("separator", "one ASCII character"),
        ),
        (
            "imaps://ann@h?separator=..",
            bad("separator", "one ASCII character"),
        ),
        (
            "imaps://ann@h?connections=0",
            bad("connections", "a number from 1 to 64"),
        ),
        (
            "imaps://ann@h?connections=65",
            bad("connections", "a number from 1 to 64"),
        ),
        (
            "imaps://ann@h?daily-read=0",
            bad("daily-read", "bytes such as 500MB, at least 1, or none"),
        ),
        (
            "imaps://ann@h?timeout=86401",
            bad("timeout", "seconds, from 1 to 86400"),
        ),
        (
            "imaps://ann@h?timeout=0",
            bad("timeout", "seconds, from 1 to 86400"),
        ),
        ("imaps://ann@h?provider=goggle", bad("provider", PROVIDERS)),
        (
            "imaps://ann@h?tls=none",
            AddressError::Contradiction { mode: "none" },
        ),
        (
            "imaps://ann@h?tls=starttls",
            AddressError::Contradiction { mode: "starttls" },
        ),
        (
            "imap://ann@h?tls=none&ca=x",
            AddressError::NeedsTls { key: "ca" },
        ),
        (
            "imap://ann@h?tls=none&client-cert=x&client-key=y",
            AddressError::NeedsTls { key: "client-cert" },
        ),
    ];
    for (text, error) in table {
        assert_eq!(Address::parse(text), Err(error), "{text}");
    }
    assert!(
        unknown("`x`")
            .to_string()
            .contains("known keys: tls, auth, authzid, ca, pin, client-cert, client-key, prefix")
    );
    assert!(
        Mechanism::ALL
            .into_iter()
            .all(|mechanism| MECHANISMS.contains(mechanism.name()))
    );
}

#[test]
fn a_password_is_refused_and_never_repeated() {
    let table = [
        "imaps://ann:hunter2@h",
        "imaps://ann:@hunter2@h",
        "imaps://ann%40x:hunter2@h:993?tls=implicit",
        "imaps://ann@x:hunter2@h",
        "imaps://ann:hunter2/x@h",
        "imaps://ann:x/hunter2@h",
        "imaps://ann:x?hunter2@h",
        "imaps://ann:x#hunter2@h",
        "imaps://ann@h?password=hunter2",
        "imaps://ann@h?Token=hunter2",
    ];
    for text in table {
        let error = Address::parse(text).unwrap_err();
        assert_eq!(error, AddressError::Password, "{text}");
        assert!(!error.to_string().contains("hunter2"));
        assert!(error.hint().unwrap().contains("--source-password-file"));
    }
    // Wrong in other ways, with a password in the wrong part.
    let table = [
        "ann:hunter2@h",
        "pop3://ann:hunter2@h",
        "imaps:ann:hunter2@h",
        "imaps://ann@h:hunter2",
        "x@hunter2",
    ];
    for text in table {
        let error = Address::parse(text).unwrap_err();
        assert!(
            !format!("{error} {:?} {error:?}", error.hint()).contains("hunter2"),
            "{text}: {error}"
        );
    }
}

#[test]
fn canonical_form() {
    let table = [
        ("IMAPS://ann@H:993/", "imaps://ann@H"),
        (
            "imaps://ann@example.org@[::1]:994",
            "imaps://ann%40example.org@[::1]:994",
        ),
        ("imap://ann@h?tls=implicit", "imaps://ann@h"),
        (
            "imap://ann@h:143?tls=none&timeout=9&auth=plain",
            "imap://ann@h?tls=none&auth=PLAIN&timeout=9",
        ),
        (
            "imaps://a@h?separator=/&ca=/a%26b&prefix=",
            "imaps://a@h?ca=/a%26b&prefix=&separator=/",
        ),
    ];
    for (text, canonical) in table {
        assert_eq!(Address::parse(text).unwrap().to_string(), canonical);
    }
}

fn any_address() -> impl Strategy<Value = ImapAddress> {
    let text = "[^\\p{Cc}]{1,12}";
    let tls = prop_oneof![
        Just(TlsMode::Implicit),
        Just(TlsMode::StartTls),
        Just(TlsMode::None)
    ];
    let host = prop_oneof!["[a-z0-9.-]{1,12}", Just("2001:db8::1".to_owned())];
    let place = (text, host, 1..=u16::MAX, tls);
    let names = (
        proptest::option::of(proptest::sample::select(&Mechanism::ALL)),
        proptest::option::of(text),
        proptest::option::of(text),
        proptest::option::of("[^\\p{Cc}]{0,12}"),
        proptest::option::of(proptest::sample::select(
            provider::ALL.iter().collect::<Vec<_>>(),
        )),
    );
    let numbers = (
        proptest::option::of(proptest::char::range('!', '~')),
        proptest::option::of(1usize..=64),
        proptest::option::of(1u64..=86400),
    );
    (place, names, numbers).prop_map(
        |((user, host, port, tls), (auth, authzid, ca, prefix, provider), numbers)| ImapAddress {
            auth,
            authzid,
            ca: ca.filter(|_| tls != TlsMode::None).map(PathBuf::from),
            prefix,
            separator: numbers.0,
            connections: numbers.1,
            timeout: numbers.2.map(Duration::from_secs),
            provider,
            ..bare(&user, &host, port, tls)
        },
    )
}

proptest! {
    #![proptest_config(crate::properties::config())]

    #[test]
    fn a_canonical_address_reads_back(address in any_address()) {
        let text = address.to_string();
        prop_assert_eq!(ImapAddress::parse(&text), Ok(address), "{}", text);
    }

    #[test]
    fn any_text_is_read_or_refused(text in "(imaps?://)?[ -~é]{0,40}") {
        if let Ok(address) = Address::parse(&text) {
            prop_assert_eq!(Address::parse(&address.to_string()), Ok(address));
        }
    }
}

#[test]
fn an_identity_is_of_the_mailbox_and_not_of_the_way_to_it() {
    let identity = |text| ImapAddress::parse(text).unwrap().identity();
    let plain = identity("imaps://ann%40x.org@Mail.example.org");
    for same in [
        "imap://ann%40x.org@mail.example.org",
        "imaps://ann%40x.org@mail.example.org?timeout=9&connections=2",
    ] {
        assert_eq!(identity(same), plain, "{same}");
    }
    for other in [
        "imaps://bob@mail.example.org",
        "imaps://ann%40x.org@mail.example.org:1993",
    ] {
        assert_ne!(identity(other), plain, "{other}");
    }
    assert_ne!(
        identity("imaps://ann%40x.org@mail.example.org?authzid=bob"),
        plain
    );
}

#[test]
fn a_directorys_path_is_taken_as_it_stands() {
    for (text, address) in [
        (
            "maildir:/var/mail/a?b@c:d%41",
            local(Form::Maildir, "/var/mail/a?b@c:d%41"),
        ),
        ("MAILDIR:Mail", local(Form::Maildir, "Mail")),
        ("mbox:./x y", local(Form::Mbox, "./x y")),
    ] {
        let parsed = Address::parse(text).unwrap();
        assert_eq!(parsed, address);
        assert_eq!(Address::parse(&parsed.to_string()), Ok(address), "{text}");
        assert_eq!(
            (parsed.connections(), parsed.identity()),
            (None, parsed.to_string())
        );
    }
}

#[test]
fn compression_is_for_servers_that_are_not_near() {
    let far = NEAR * 30;
    for (choice, near, distant) in [
        (Compression::Auto, false, true),
        (Compression::On, true, true),
        (Compression::Off, false, false),
    ] {
        assert_eq!(
            (choice.is_wanted(NEAR / 2), choice.is_wanted(far)),
            (near, distant),
            "{choice:?}"
        );
    }
}
