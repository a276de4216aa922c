//! Results as JSON Lines: one object per line on stdout, each with `"event"`, the summary last; see
//! docs/json.md.
//!
//! Names are part of the contract: fields may be added, but are never renamed. Anything that a
//! terminal could obey is written as `\u` escapes, even if JSON doesn't require it, so the lines
//! are safe to look at.

mod lines;
mod summary;

pub(crate) use lines::{KeptFolder, Line};
pub(crate) use summary::{Mailboxes, Summarised, Summary};

use super::harmless;
use super::output::Output;
use mailferry::event::{Event, Headings, Observer};
use serde::Serialize;
use serde_json::ser::{Formatter, Serializer};
use std::io;
use std::sync::Arc;

/// Writes events as lines.
pub(crate) struct Events {
    output: Arc<Output>,
    /// Whether each copied message has a line (`-vv`).
    messages: bool,
}

impl Events {
    /// Writes to `output`.
    pub(crate) fn new(output: Arc<Output>, messages: bool) -> Self {
        Self { output, messages }
    }
}

impl Observer for Events {
    fn observe(&self, event: &Event<'_>) {
        let is_untold = matches!(event, Event::MessageCopied { .. }) && !self.messages;
        if !is_untold && !event.is_progress() {
            print(&self.output, event);
        }
    }

    fn headings(&self) -> Headings {
        Headings::Everything
    }
}

/// Prints one line.
pub(crate) fn print(output: &Output, line: &impl Serialize) {
    output.line(&text(line));
}

/// Returns one line without its end.
pub(crate) fn text(line: &impl Serialize) -> String {
    let mut bytes = Vec::with_capacity(256);
    // A line can't fail to serialize: it has no maps with keys other than strings, and writing to a
    // Vec can't fail.
    let written = line.serialize(&mut Serializer::with_formatter(&mut bytes, Harmless));
    debug_assert!(written.is_ok(), "{written:?}");
    String::from_utf8(bytes).unwrap_or_default()
}

/// Compact JSON that is harmless on a terminal.
struct Harmless;

impl Formatter for Harmless {
    fn write_string_fragment<W: ?Sized + io::Write>(
        &mut self,
        to: &mut W,
        fragment: &str,
    ) -> io::Result<()> {
        let mut plain = 0;
        for (at, c) in fragment
            .char_indices()
            .filter(|(_, c)| harmless::is_harmful(*c))
        {
            to.write_all(&fragment.as_bytes()[plain..at])?;
            for unit in c.encode_utf16(&mut [0; 2]) {
                write!(to, "\\u{unit:04x}")?;
            }
            plain = at + c.len_utf8();
        }
        to.write_all(&fragment.as_bytes()[plain..])
    }
}

#[cfg(test)]
mod golden;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::samples::{copy_summary, sync_summary, verify_summary};
    use mailferry::event::{Difference, DifferenceKind, FolderPlanned};
    use mailferry::mail::{Heading, SpecialUse, Uid};
    use mailferry::store::Quota;
    use mailferry::verbs::{FolderListing, FolderRow};
    use proptest::prelude::*;

    fn of(summary: Summary<'_>) -> Summarised<Summary<'_>> {
        Summarised::new(
            summary,
            Mailboxes::default(),
            crate::cli::chosen::Choice::default(),
        )
    }

    fn text(line: &impl Serialize) -> String {
        super::text(line)
    }

    fn event(event: &Event<'_>) -> String {
        super::text(event)
    }

    #[test]
    fn events_have_the_contracts_shape() {
        let uid = Uid::new(7).unwrap();
        let failed = Event::MessageFailed {
            place: None,
            folder: "INBOX",
            uid,
            heading: None,
            reason: "NO \"too\nlarge\"",
        };
        assert_eq!(
            event(&failed),
            r#"{"event":"message_failed","folder":"INBOX","uid":7,"message_id":null,"reason":"NO \"too\nlarge\"","subject":null,"from":null,"date":null}"#
        );
        let planned = FolderPlanned {
            from: "Sent",
            to: "Sent Items",
            reason: "role",
            create: false,
            messages: 9,
            copy: 2,
            server_side: 1,
            bytes: 300,
            already_there: 7,
            flags: 1,
            delete: 4,
            keep: 5,
        };
        assert_eq!(
            event(&Event::FolderPlanned(planned)),
            r#"{"event":"folder_planned","from":"Sent","to":"Sent Items","reason":"role","create":false,"messages":9,"copy":2,"bytes":300,"already_there":7,"flags":1,"server_side":1,"delete":4,"keep":5}"#
        );
        let (kind, folder, detail) = (DifferenceKind::Flags, "a".to_owned(), "d".to_owned());
        let difference = Difference {
            kind,
            folder,
            uid: None,
            messages: 1,
            detail,
            heading: None,
        };
        assert_eq!(
            event(&Event::Difference(&difference)),
            r#"{"event":"difference","kind":"flags_differ","folder":"a","uid":null,"detail":"d","subject":null,"from":null,"date":null}"#
        );
        let deleted = Event::MessageDeleted {
            side: mailferry::mail::Side::TARGET,
            folder: "a",
            uid,
            heading: None,
        };
        assert_eq!(
            event(&deleted),
            r#"{"event":"message_deleted","side":"target","folder":"a","uid":7,"subject":null,"from":null,"date":null}"#
        );
        let date = mailferry::mail::InternalDate::parse("03-Mar-2025 10:20:30 +0130");
        let heading = Heading {
            message_id: None,
            subject: Some("s\x1b".to_owned()),
            from: Some("f".to_owned()),
            date,
        };
        let kept = Event::MessageKept {
            folder: "a",
            uid,
            to: "Vanished/2026-11-25/a",
            heading: Some(&heading),
        };
        assert_eq!(
            event(&kept),
            r#"{"event":"message_kept","folder":"a","uid":7,"to":"Vanished/2026-11-25/a","subject":"s\u001b","from":"f","date":"2025-03-03T10:20:30+01:30"}"#
        );
        assert_eq!(
            event(&Event::Warning { text: "w" }),
            r#"{"event":"warning","text":"w"}"#
        );
    }

    #[test]
    fn the_summary_of_a_copy_is_the_contracts() {
        let summary = copy_summary();
        assert_eq!(
            text(&of(Summary::copy(&summary, false))),
            concat!(
                r#"{"event":"summary","command":"copy","dry_run":false,"status":"complete","folders":18,"folders_created":17,"#,
                r#""copied":3089,"copied_server_side":0,"already_there":12,"flags_updated":0,"deleted":0,"failed":0,"#,
                r#""skipped":0,"bytes_copied":40200000,"seconds":1.9,"folders_failed":0,"folders_renamed":0,"folders_deleted":0,"kept":0,"repaired":0,"fixed":0,"not_deleted":0,"rights_changed":0,"rights_failed":0,"only_in_views":[],"#,
                r#""source":{"sent":1,"received":2,"round_trips":3},"target":{"sent":4,"received":5,"round_trips":6},"left_out":[],"#,
                r#""ended":null,"mailboxes":{},"options":[]}"#
            )
        );
    }

    #[test]
    fn the_summary_of_a_sync_counts_both_directions_and_each() {
        let read: serde_json::Value =
            serde_json::from_str(&text(&of(Summary::sync(&sync_summary(), false)))).unwrap();
        let counts = |of: &serde_json::Value| {
            [
                "copied",
                "moved",
                "flags_updated",
                "deleted",
                "conflicts",
                "bytes_copied",
                "folders_renamed",
            ]
            .map(|name| of[name].as_u64().unwrap())
        };
        assert_eq!(
            (read["event"].as_str(), read["command"].as_str()),
            (Some("summary"), Some("sync"))
        );
        assert_eq!(counts(&read), [5, 4, 1, 1, 1, 1000, 0]);
        assert_eq!(counts(&read["to_first"]), [2, 0, 1, 0, 0, 900, 0]);
        assert_eq!(counts(&read["to_second"]), [3, 4, 0, 1, 1, 100, 0]);
        assert_eq!(
            (
                read["first"]["round_trips"].as_u64(),
                read["second"]["sent"].as_u64()
            ),
            (Some(3), Some(4))
        );
    }

    #[test]
    fn the_summaries_of_verify_and_folders() {
        assert_eq!(
            text(&of(Summary::verify(&verify_summary()))),
            concat!(
                r#"{"event":"summary","command":"verify","status":"complete","equal":true,"folders":18,"compared":3101,"#,
                r#""missing":0,"extra":0,"changed":0,"flags_differ":0,"dates_differ":0,"fixed":0,"failed":0,"bytes_compared":0,"#,
                r#""seconds":0.75,"left_out":[],"mailboxes":{},"options":[]}"#
            )
        );
        let row = FolderRow {
            name: "Sent".to_owned(),
            role: Some(SpecialUse::Sent),
            selectable: true,
            subscribed: false,
            messages: Some(2),
            unread: None,
            bytes: Some(300),
        };
        assert_eq!(
            text(&Line::Folder(&row)),
            r#"{"event":"folder","name":"Sent","role":"sent","selectable":true,"subscribed":false,"messages":2,"unread":null,"bytes":300}"#
        );
        let quota = Some(Quota { used: 5, limit: 10 });
        let listing = FolderListing {
            folders: vec![row],
            quota,
            failed: 0,
            seconds: 0.123_456,
        };
        assert_eq!(
            text(&of(Summary::folders(&listing))),
            r#"{"event":"summary","command":"folders","folders":1,"messages":2,"bytes":300,"quota":{"used":5,"limit":10},"seconds":0.123,"failed":0,"mailboxes":{},"options":[]}"#
        );
    }

    /// Returns the members that docs/json.schema.json has for an event.
    fn documented(event: &str) -> Vec<String> {
        let schema: serde_json::Value =
            serde_json::from_str(include_str!("../../../docs/json.schema.json")).unwrap();
        let kinds = schema["oneOf"].as_array().unwrap().iter();
        let kind = kinds
            .into_iter()
            .find(|kind| kind["properties"]["event"]["const"] == event)
            .unwrap();
        kind["properties"]
            .as_object()
            .unwrap()
            .keys()
            .cloned()
            .collect()
    }

    #[test]
    fn a_failed_folder_has_the_members_of_the_schema() {
        let line = event(&Event::FolderFailed {
            folder: "a",
            reason: "r",
        });
        let line: serde_json::Value = serde_json::from_str(&line).unwrap();
        let members: Vec<String> = line.as_object().unwrap().keys().cloned().collect();
        assert_eq!(members, documented("folder_failed"));
    }

    proptest! {
        #![proptest_config(crate::properties::config())]

        #[test]
        fn every_text_reads_back_and_moves_no_terminal(raw in "(\\PC|[\u{0}-\u{9f}\u{202e}\u{2028}\u{feff}]){0,20}") {
            let line = event(&Event::Warning { text: &raw });
            prop_assert!(!line.chars().any(harmless::is_harmful));
            let read: serde_json::Value = serde_json::from_str(&line).unwrap();
            prop_assert_eq!(read["text"].as_str(), Some(raw.as_str()));
        }
    }
}
