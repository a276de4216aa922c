//! The first line: the mailboxes, the time, and the options of the plan.

use super::{PlanError, damaged};
use crate::folders::{self, GmailLabels};
use crate::verbs::{CopyOptions, Deleting, FlagPolicy, MessageFilter};
use serde::{Deserialize, Serialize};
use std::str::FromStr;

/// The origin of a plan. `apply` plans again with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlanHead {
    /// The time, in RFC 3339.
    pub made: String,
    /// The version of mailferry that made it.
    pub by: String,
    /// Where mail comes from.
    pub source: PlanMailbox,
    /// Where it goes.
    pub target: PlanMailbox,
    /// The selected folders, and their names.
    pub folders: folders::Options,
    /// The selected messages.
    pub filter: MessageFilter,
    /// What to do with flags.
    pub flags: FlagPolicy,
    /// What to delete.
    pub deleting: Deleting,
    /// Whether to move it to a folder with the date of `apply` instead.
    pub keep_deleted: bool,
    /// The state directory, if one was chosen.
    pub state: Option<String>,
    /// Whether it was made without a state.
    pub no_state: bool,
}

/// One of the two mailboxes. Neither text contains a secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlanMailbox {
    /// Its address as typed, or that of the account.
    pub address: String,
    /// The account's name in the config file, if it was used.
    pub account: Option<String>,
    /// Its identity, whatever the way to it.
    pub identity: String,
}

impl PlanHead {
    /// Returns the options of the copy, except for speed, the date, and the plan to apply.
    pub fn options(&self) -> CopyOptions {
        let (filter, deleting) = (self.filter.clone(), self.deleting);
        CopyOptions {
            filter,
            deleting,
            flags: self.flags,
            ..CopyOptions::default()
        }
    }

    pub(super) fn as_json(&self, version: u32) -> impl Serialize {
        Json {
            mailferry_plan: version,
            command: "copy".to_owned(),
            made: self.made.clone(),
            by: self.by.clone(),
            source: self.source.clone(),
            target: self.target.clone(),
            options: Options::of(self),
        }
    }
}

/// The first field, which every version writes.
#[derive(Deserialize)]
struct Version {
    mailferry_plan: u32,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Json {
    mailferry_plan: u32,
    command: String,
    made: String,
    by: String,
    source: PlanMailbox,
    target: PlanMailbox,
    options: Options,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Options {
    folder: Vec<String>,
    folders_from: Vec<String>,
    exclude: Vec<String>,
    map: Vec<String>,
    map_regex: Vec<String>,
    into: Option<String>,
    no_roles: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    gmail_labels: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    gmail_archive: Option<String>,
    since: Option<String>,
    before: Option<String>,
    min_size: Option<u64>,
    max_size: Option<u64>,
    search: Option<String>,
    flags: String,
    delete: bool,
    #[serde(rename = "move")]
    move_: bool,
    max_delete: Option<String>,
    keep_deleted: bool,
    state: Option<String>,
    no_state: bool,
}

const POLICIES: [(FlagPolicy, &str); 3] = [
    (FlagPolicy::Follow, "follow"),
    (FlagPolicy::Union, "union"),
    (FlagPolicy::Ignore, "ignore"),
];

impl Options {
    fn of(head: &PlanHead) -> Self {
        let PlanHead {
            folders, filter, ..
        } = head;
        let (delete, move_, limit) = match head.deleting {
            Deleting::Nothing => (false, false, None),
            Deleting::Mirror(limit) => (true, false, Some(limit)),
            Deleting::Source(limit) => (false, true, limit),
        };
        let policy = POLICIES
            .iter()
            .find(|(policy, _)| *policy == head.flags)
            .map(|(_, name)| *name);
        Self {
            folder: folders.include.clone(),
            folders_from: folders.include_names.clone(),
            exclude: folders.exclude.clone(),
            map: folders.map.clone(),
            map_regex: folders.map_regex.clone(),
            into: folders.into.clone(),
            no_roles: folders.no_roles,
            gmail_labels: Some(folders.gmail_labels)
                .filter(|labels| *labels != GmailLabels::default())
                .map(|labels| labels.name().to_owned()),
            gmail_archive: folders.gmail_archive.clone(),
            since: filter.since.map(|date| date.to_string()),
            before: filter.before.map(|date| date.to_string()),
            min_size: filter.min_size,
            max_size: filter.max_size,
            search: filter.search.clone(),
            flags: policy.unwrap_or_default().to_owned(),
            delete,
            move_,
            max_delete: limit.map(|limit| limit.to_string()),
            keep_deleted: head.keep_deleted,
            state: head.state.clone(),
            no_state: head.no_state,
        }
    }

    fn filter(&self) -> Result<MessageFilter, PlanError> {
        let since = self.since.as_deref().map(parse).transpose()?;
        let before = self.before.as_deref().map(parse).transpose()?;
        let (min_size, max_size) = (self.min_size, self.max_size);
        Ok(MessageFilter {
            since,
            before,
            min_size,
            max_size,
            search: self.search.clone(),
        })
    }

    fn gmail_labels(&self) -> Result<GmailLabels, PlanError> {
        let named = self.gmail_labels.as_deref().map(parse).transpose()?;
        Ok(named.unwrap_or_default())
    }

    fn deleting(&self) -> Result<Deleting, PlanError> {
        let limit = self.max_delete.as_deref().map(parse).transpose()?;
        match (self.delete, self.move_) {
            (false, false) => Ok(Deleting::Nothing),
            (true, false) => Ok(Deleting::Mirror(limit.unwrap_or_default())),
            (false, true) => Ok(Deleting::Source(limit)),
            (true, true) => Err(damaged("it both deletes and moves")),
        }
    }
}

fn parse<T: FromStr>(text: &str) -> Result<T, PlanError> {
    text.parse()
        .map_err(|_| damaged(format!("{text:?} is not a value of its option")))
}

/// Parses the first line.
pub(super) fn read(line: &[u8], version: u32) -> Result<PlanHead, PlanError> {
    // Serde would also accept a list for a struct with one number.
    let object = Some(line)
        .filter(|line| line.starts_with(b"{"))
        .ok_or(PlanError::Foreign)?;
    let Version { mailferry_plan } =
        serde_json::from_slice(object).map_err(|_| PlanError::Foreign)?;
    if mailferry_plan > version {
        return Err(PlanError::Newer(mailferry_plan));
    }
    let json: Json =
        serde_json::from_slice(line).map_err(|error| damaged(format!("line 1: {error}")))?;
    let options = &json.options;
    let flags = POLICIES.iter().find(|(_, name)| *name == options.flags);
    let (flags, _) = *flags.ok_or_else(|| damaged("line 1: no such policy for flags"))?;
    if json.command != "copy" || mailferry_plan == 0 {
        return Err(damaged("line 1: its command has no plans"));
    }
    Ok(PlanHead {
        filter: options.filter()?,
        deleting: options.deleting()?,
        folders: folders::Options {
            include: options.folder.clone(),
            include_names: options.folders_from.clone(),
            exclude: options.exclude.clone(),
            map: options.map.clone(),
            map_regex: options.map_regex.clone(),
            into: options.into.clone(),
            no_roles: options.no_roles,
            gmail_labels: options.gmail_labels()?,
            gmail_archive: options.gmail_archive.clone(),
        },
        flags,
        keep_deleted: options.keep_deleted,
        state: options.state.clone(),
        no_state: options.no_state,
        made: json.made,
        by: json.by,
        source: json.source,
        target: json.target,
    })
}
