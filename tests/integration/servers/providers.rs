//! What is known of providers is applied: by their hosts, by what their servers say of themselves,
//! by `provider=`.

use crate::lab::fake::Fake;
use crate::lab::run::{End, Run, copy, folders};
use crate::lab::scripted::{Reply, Scripted};
use crate::lab::servers::{Dovecot, Personality};

/// A server of one message that announces these capabilities.
fn server_of(capabilities: &'static str, xlist: Option<Reply>) -> Scripted {
    let message = b"Message-ID: <one@p>\r\nSubject: one\r\n\r\nhello\r\n".to_vec();
    let (server, _) = Fake::of([message]).serve(move |command, _| match command.name.as_str() {
        "CAPABILITY" => Some(Reply::ok().line(&format!("* CAPABILITY {capabilities}"))),
        "XLIST" => xlist.clone(),
        _ => None,
    });
    server
}

/// Strato announces XLIST and answers it with nothing; others announce it and refuse it.
#[test]
fn folders_are_listed_where_xlist_is_only_announced() {
    for answer in [Reply::ok(), Reply::status("BAD unknown command")] {
        let server = server_of("IMAP4rev1 XLIST", Some(answer));
        let shown = folders(End::plain(server.port, ""), &[]).ended(0);
        let rows = shown.named("folder");
        assert_eq!(rows.len(), 1, "{shown:?}");
        assert_eq!(rows[0]["messages"], 1);
    }
}

/// Copies from a server that announces CONDSTORE; with what it was sent.
fn sent_by_a_copy(provider: &str) -> (Run, Vec<String>) {
    let server = server_of("IMAP4rev1 LITERAL+ UIDPLUS ENABLE CONDSTORE QRESYNC", None);
    let target = Dovecot::shared().account("announced", Personality::Plain);
    let source = End::plain(server.port, provider);
    let run = copy(source, End::tls(&target), &["-v"]).ended(0);
    assert_eq!(run.count("copied"), 1);
    let lines = server.lines();
    (run, lines)
}

/// Zoho announces CONDSTORE and gives 0 as each message's MODSEQ.
#[test]
fn what_a_provider_only_announces_is_not_used() {
    let uses = |lines: &[String]| {
        let words = ["ENABLE", "CONDSTORE", "CHANGEDSINCE", "HIGHESTMODSEQ"];
        lines
            .iter()
            .any(|line| words.iter().any(|word| line.contains(word)))
    };
    let (run, lines) = sent_by_a_copy("");
    assert!(uses(&lines), "{lines:?}");
    assert!(!run.says("treated as"), "{}", run.stderr);
    let (run, lines) = sent_by_a_copy("&provider=zoho");
    assert!(!uses(&lines), "{lines:?}");
    assert!(run.says("treated as Zoho"), "{}", run.stderr);
}

#[test]
fn an_unknown_provider_is_named_with_those_that_are_known() {
    let run = folders(End::plain(1, "&provider=goggle"), &[]).ended(2);
    assert!(run.says("google, microsoft, exchange"), "{}", run.stderr);
}
