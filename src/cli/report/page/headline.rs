//! The top of the page: the result in one line, the mailboxes, and the main numbers.

use super::shown;
use crate::cli::left_out;
use crate::cli::report::facts::Facts;
use crate::cli::session::without_options;
use crate::cli::units;
use mailferry::verbs::LeftOut;
use serde_json::Value;

/// The top of the page.
pub(super) struct Headline {
    pub(super) command: &'static str,
    pub(super) dry_run: bool,
    pub(super) title: String,
    /// The status in a word, which is also the CSS class of its colour.
    pub(super) status: String,
    pub(super) mood: &'static str,
    pub(super) sides: Vec<Side>,
    pub(super) arrow: &'static str,
    pub(super) started: String,
    /// The status as shown.
    pub(super) began: String,
    pub(super) took: String,
    /// The options of the run; empty if there are none.
    pub(super) options: String,
    pub(super) exit_code: u8,
    pub(super) exit_reason: String,
    /// The error that ended it early, and what to do.
    pub(super) error: Option<(String, Option<String>)>,
}

/// A mailbox.
pub(super) struct Side {
    pub(super) name: &'static str,
    pub(super) address: String,
    pub(super) server: String,
}

impl Headline {
    pub(super) fn new(facts: &Facts) -> Self {
        let side = |side: &crate::cli::report::facts::SideFacts| Side {
            name: side.name,
            address: (side.address.as_deref().map(without_options))
                .map_or_else(|| "unknown".to_owned(), shown),
            server: side.server.as_deref().map(shown).unwrap_or_default(),
        };
        let error = facts
            .error
            .as_ref()
            .map(|error| (shown(&error.message), error.hint.as_deref().map(shown)));
        Self {
            command: facts.command,
            dry_run: facts.dry_run,
            title: title(facts),
            status: status(facts),
            mood: mood(facts),
            sides: facts.sides.iter().map(side).collect(),
            arrow: match facts.command {
                "sync" => "↔",
                "verify" => "≟",
                _ => "→",
            },
            started: facts.started.clone(),
            began: began(&facts.started),
            options: shown(&facts.options.typed()),
            took: units::seconds(facts.seconds),
            exit_code: facts.exit_code,
            exit_reason: facts.exit_reason.clone(),
            error,
        }
    }
}

fn number(facts: &Facts, key: &str) -> u64 {
    facts
        .summary
        .as_ref()
        .and_then(|summary| summary[key].as_u64())
        .unwrap_or(0)
}

fn title(facts: &Facts) -> String {
    let copied = units::counted(number(facts, "copied"), "message");
    const WORK: [&str; 8] = [
        "copied",
        "flags_updated",
        "deleted",
        "kept",
        "moved",
        "folders_created",
        "folders_renamed",
        "folders_deleted",
    ];
    let idle = WORK.iter().all(|key| number(facts, key) == 0);
    match (facts.status.as_str(), facts.command) {
        ("stopped", _) => "The run ended early".to_owned(),
        ("interrupted", _) => "The run was interrupted".to_owned(),
        ("braked", _) => "Deletions blocked by the limit".to_owned(),
        (_, "verify") => verdict(facts),
        ("complete", "sync") if idle => "Both mailboxes were already in sync".to_owned(),
        ("complete", _) if idle => "Already up to date".to_owned(),
        (_, "sync") if facts.dry_run => "Planned changes".to_owned(),
        ("complete", "sync") => "Both mailboxes are in sync".to_owned(),
        _ if facts.dry_run => format!("{copied} to copy"),
        _ => format!("{copied} copied"),
    }
}

fn verdict(facts: &Facts) -> String {
    match facts
        .summary
        .as_ref()
        .and_then(|summary| summary["equal"].as_bool())
    {
        Some(true) => "Both sides are equal".to_owned(),
        _ if facts.told.differences.count() > 0 => "The two sides differ".to_owned(),
        _ => "Not everything could be compared".to_owned(),
    }
}

fn status(facts: &Facts) -> String {
    let left_out = left_out(facts);
    match (facts.status.as_str(), facts.exit_code) {
        ("complete", 4) if facts.command == "verify" => {
            format!("different{}", left_out::but(&left_out))
        }
        ("complete", _) if facts.dry_run => format!("planned{}", left_out::planned(&left_out)),
        ("partial", _) => "finished with failures".to_owned(),
        ("complete", _) => format!("complete{}", left_out::but(&left_out)),
        (other, _) => other.to_owned(),
    }
}

/// Returns what options left out.
pub(super) fn left_out(facts: &Facts) -> Vec<LeftOut> {
    let listed = facts
        .summary
        .as_ref()
        .and_then(|summary| summary.get("left_out"));
    listed
        .and_then(|listed| serde_json::from_value(listed.clone()).ok())
        .unwrap_or_default()
}

/// Returns an instant as `2026-11-28 23:42:45 +01:00`.
fn began(started: &str) -> String {
    let (date, time) = started.split_once('T').unwrap_or((started, ""));
    let at = time.find(['+', '-', 'Z']).unwrap_or(time.len());
    let (time, offset) = time.split_at(at);
    format!(
        "{date} {time} {}",
        if offset == "Z" { "+00:00" } else { offset }
    )
}

fn mood(facts: &Facts) -> &'static str {
    if facts.status == "complete" && !left_out::but(&left_out(facts)).is_empty() {
        return "doubtful";
    }
    match (facts.status.as_str(), facts.exit_code) {
        ("complete", 0 | 4) if facts.command != "verify" => "good",
        ("complete", 0) => "good",
        ("stopped", _) => "bad",
        _ => "doubtful",
    }
}

/// A number of the summary.
pub(super) struct Figure {
    pub(super) value: String,
    pub(super) label: &'static str,
    pub(super) is_bad: bool,
}

/// How a number is shown, and when.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Always.
    Count,
    /// Always, as a size.
    Bytes,
    /// If it isn't zero.
    Some,
    /// If it isn't zero, as bad news.
    Bad,
}

/// The numbers, in their order: the key in the summary, its label, and its label in a dry run.
const FIGURES: [(&str, &str, &str, Kind); 24] = [
    ("copied", "messages copied", "messages to copy", Kind::Count),
    ("bytes_copied", "sent", "to send", Kind::Bytes),
    (
        "copied_server_side",
        "copied server-side",
        "to copy server-side",
        Kind::Some,
    ),
    ("fixed", "corrected copies", "", Kind::Some),
    ("compared", "messages compared", "", Kind::Count),
    ("bytes_compared", "read and compared", "", Kind::Bytes),
    ("missing", "only on the source", "", Kind::Bad),
    ("extra", "only on the target", "", Kind::Bad),
    ("changed", "with different content", "", Kind::Bad),
    ("flags_differ", "with different flags", "", Kind::Bad),
    ("dates_differ", "with different dates", "", Kind::Bad),
    (
        "already_there",
        "already there",
        "already there",
        Kind::Count,
    ),
    ("moved", "moved", "to move", Kind::Some),
    (
        "flags_updated",
        "flags changed",
        "flags to change",
        Kind::Some,
    ),
    ("deleted", "deleted", "to delete", Kind::Some),
    (
        "kept",
        "moved to Vanished",
        "to move to Vanished",
        Kind::Some,
    ),
    (
        "conflicts",
        "conflicts resolved",
        "conflicts to resolve",
        Kind::Some,
    ),
    ("failed", "failed", "can't be told apart", Kind::Bad),
    (
        "folders_failed",
        "folders failed",
        "folders failed",
        Kind::Bad,
    ),
    ("skipped", "left out", "left out", Kind::Some),
    ("folders", "folders", "folders", Kind::Count),
    (
        "folders_created",
        "folders created",
        "folders to create",
        Kind::Some,
    ),
    (
        "folders_renamed",
        "folders renamed",
        "folders to rename",
        Kind::Some,
    ),
    (
        "folders_deleted",
        "folders deleted",
        "folders to delete",
        Kind::Some,
    ),
];

/// Returns the numbers to show.
pub(super) fn figures(facts: &Facts) -> Vec<Figure> {
    let Some(Value::Object(summary)) = &facts.summary else {
        return Vec::new();
    };
    let figure = |(key, done, planned, kind): (&str, &'static str, &'static str, Kind)| {
        let value = summary.get(key)?.as_u64()?;
        let is_shown = value > 0 || matches!(kind, Kind::Count);
        is_shown.then(|| Figure {
            value: if kind == Kind::Bytes {
                units::bytes(value)
            } else {
                units::count(value)
            },
            label: if facts.dry_run { planned } else { done },
            is_bad: kind == Kind::Bad,
        })
    };
    FIGURES.into_iter().filter_map(figure).collect()
}
