//! Lists mailboxes: with one LIST and everything that the server can add to it, otherwise with
//! LIST, XLIST, LSUB and STATUS.

use super::labels::LabelledFolders;
use super::refusal::denies_existence;
use super::session::{Namespaces, Session, status_of};
use crate::imap::wire::Listed;
use crate::imap::{Command, Error, ListedItem, MailboxStatus, Namespace, Response, Unreadable};
use crate::mail::{
    FolderStatus, Gaps, ListedMailbox, Listing, MailboxName, NameStyle, SpecialUse, Unread,
};
use std::collections::{HashMap, HashSet};

impl From<&Namespace> for Namespaces {
    fn from(namespace: &Namespace) -> Self {
        let prefixes = namespace
            .other
            .iter()
            .chain(&namespace.shared)
            .map(|(prefix, _)| prefix.clone());
        // The first personal namespace has the user's folders; Dovecot's virtual ones come after
        // it. An empty prefix would make every folder another user's.
        let further = namespace
            .personal
            .iter()
            .skip(1)
            .map(|(prefix, _)| prefix.clone());
        Self {
            personal: namespace.personal.first().cloned(),
            foreign: prefixes
                .chain(further)
                .filter(|prefix| !prefix.is_empty())
                .collect(),
        }
    }
}

impl Session {
    pub(super) fn list_all(&mut self) -> Result<Listing, Error> {
        let mut found = self.list_extended()?;
        if found.mailboxes.is_empty() {
            // Some servers offer the extended LIST but answer it with nothing, or with NO.
            found = self.list_plain()?;
        }
        self.ask_statuses(&mut found)?;
        self.take_introduction();
        if self.has_labels() {
            self.labelled = Some(LabelledFolders::new(&found.mailboxes));
        }
        let style = self.name_style(&found);
        let are_labels = self.capabilities.has("X-GM-EXT-1");
        let merges_equal = are_labels || self.provider.is_some_and(|known| known.merges_equal);
        let foreign_prefixes = self.namespaces.foreign.clone();
        Ok(Listing {
            mailboxes: found.mailboxes,
            style,
            foreign_prefixes,
            gaps: found.gaps,
            are_labels,
            merges_equal,
        })
    }

    fn has(&self, capability: &str) -> bool {
        self.capabilities.has(capability)
    }

    /// Sends LIST … RETURN (RFC 5258, 5819, 6154): everything in one round trip.
    fn list_extended(&mut self) -> Result<Found, Error> {
        let mut found = Found::default();
        if !self.has("LIST-EXTENDED") {
            return Ok(found);
        }
        let mut wanted = vec!["SUBSCRIBED"];
        if self.has("SPECIAL-USE") {
            wanted.push("SPECIAL-USE");
        }
        let items = self.status_items();
        let status = format!("STATUS ({items})");
        if self.has("LIST-STATUS") {
            wanted.push(&status);
        }
        let options = format!("RETURN ({})", wanted.join(" "));
        let commands = self
            .patterns()
            .map(|pattern| list_command("LIST", &pattern).text(&options))
            .collect::<Vec<_>>();
        let replies = self.connection.run_all(&commands, |_, response| {
            match response {
                Response::List(item) => found.add(item, None)?,
                Response::MailboxStatus(status) => found.add_status(status),
                // A folder whose counters can't be parsed is asked for them separately.
                other => found.note_unreadable(other)?,
            }
            Ok(())
        })?;
        Ok(if replies.iter().all(crate::imap::Reply::is_ok) {
            found
        } else {
            Found::default()
        })
    }

    /// Lists with XLIST's roles if there is no SPECIAL-USE, and with LIST where XLIST is only
    /// announced: some servers answer it with nothing, or refuse it.
    fn list_plain(&mut self) -> Result<Found, Error> {
        if self.has("XLIST") && !self.has("SPECIAL-USE") {
            let found = self.list_by("XLIST")?;
            if !found.mailboxes.is_empty() {
                return Ok(found);
            }
        }
        self.list_by("LIST")
    }

    /// Sends this command and LSUB. A refused XLIST lists nothing.
    fn list_by(&mut self, list: &str) -> Result<Found, Error> {
        let patterns: Vec<String> = self.patterns().collect();
        let commands: Vec<Command> = [list, "LSUB"]
            .iter()
            .flat_map(|verb| patterns.iter().map(|pattern| list_command(verb, pattern)))
            .collect();
        let mut found = Found::default();
        let mut subscribed = HashSet::new();
        let replies = self.connection.run_all(&commands, |_, response| {
            match response {
                Response::List(item) | Response::XList(item) => found.add(item, Some(false))?,
                // Only something below such a folder is subscribed (RFC 3501 section 6.3.9).
                Response::Lsub(item) if !item.has("\\Noselect") => {
                    found.listed.count(item.name.len())?;
                    subscribed.insert(item.name.clone());
                }
                other => found.note_unreadable(other)?,
            }
            Ok(())
        })?;
        if let Some(refused) = replies
            .iter()
            .take(patterns.len())
            .find(|reply| !reply.is_ok())
        {
            if list == "XLIST" {
                return Ok(Found::default());
            }
            return Err(Error::Protocol(format!(
                "it does not list its folders: {}",
                refused.text
            )));
        }
        if let Some(refused) = replies
            .iter()
            .skip(patterns.len())
            .find(|reply| !reply.is_ok())
        {
            found.gaps.add(
                Unread::Subscriptions,
                format!("the server doesn't list them: {}", refused.text),
            );
        }
        for mailbox in &mut found.mailboxes {
            mailbox.subscribed = subscribed.contains(mailbox.name.as_bytes());
        }
        Ok(found)
    }

    /// Returns patterns that match all of the user's folders. If the user chose a prefix, nothing
    /// else is listed: some servers would list a whole home directory.
    fn patterns(&self) -> impl Iterator<Item = String> + use<> {
        let chosen = self
            .chosen_prefix
            .clone()
            .filter(|prefix| !prefix.is_empty());
        match chosen {
            Some(prefix) => vec![format!("{prefix}*"), "INBOX".to_owned()],
            None => vec!["*".to_owned()],
        }
        .into_iter()
    }

    /// Returns the counters to request, as far as the server supports them.
    fn status_items(&self) -> String {
        let mut items = "MESSAGES UNSEEN UIDNEXT UIDVALIDITY".to_owned();
        if self.has("CONDSTORE") || self.has("QRESYNC") {
            items.push_str(" HIGHESTMODSEQ");
        }
        let garbles = self
            .provider
            .is_some_and(|provider| provider.garbles_mailbox_ids);
        if self.has("OBJECTID") && !garbles {
            items.push_str(" MAILBOXID");
        }
        if self.has("STATUS=SIZE") {
            items.push_str(" SIZE");
        }
        items
    }

    /// Sends STATUS for every folder that can be opened and has no counters yet, all at once. A
    /// folder that refuses stays without counters.
    fn ask_statuses(&mut self, found: &mut Found) -> Result<(), Error> {
        let mailboxes = found.mailboxes.as_mut_slice();
        let items = format!("({})", self.status_items());
        // No command can name a folder with a NUL in its name.
        let can_be_asked = |mailbox: &ListedMailbox| {
            mailbox.selectable && mailbox.status.is_none() && !mailbox.name.as_bytes().contains(&0)
        };
        let asked: Vec<usize> = (0..mailboxes.len())
            .filter(|at| can_be_asked(&mailboxes[*at]))
            .collect();
        let command = |at: &usize| {
            Command::new("STATUS")
                .mailbox(&mailboxes[*at].name)
                .text(&items)
        };
        let commands: Vec<Command> = asked.iter().map(command).collect();
        let mut counters: HashMap<usize, FolderStatus> = HashMap::new();
        let mut unread: HashMap<usize, String> = HashMap::new();
        let replies = self.connection.run_all(&commands, |nth, response| {
            // Matched to its folder by position: some servers write the name in another form.
            match response {
                Response::MailboxStatus(status) => {
                    counters.insert(asked[nth], status.counters.clone());
                }
                Response::Unreadable(line) if line.kind == "STATUS" => {
                    unread.insert(asked[nth], seen_at_vvv(line));
                }
                _ => {}
            }
            Ok(())
        })?;
        unread.retain(|at, _| !counters.contains_key(at));
        for (at, why) in unread {
            found
                .gaps
                .add(Unread::Folder(mailboxes[at].name.clone()), why);
        }
        for (at, status) in counters {
            *status_of(&mut mailboxes[at]) = status;
        }
        let mut told = mailboxes
            .iter()
            .filter_map(|mailbox| mailbox.status.as_ref()?.counters.uid_validity);
        self.gives_uid_validity |= told.any(|validity| validity.0 > 0);
        let denied = asked
            .into_iter()
            .zip(&replies)
            .filter(|(_, reply)| denies_existence(reply));
        self.drop_phantoms(mailboxes, &denied.map(|(at, _)| at).collect::<Vec<_>>())
    }

    /// Drops folders that a server lists although they don't exist, without saying `\NonExistent`,
    /// as Dovecot does with the deleted parent of others. A folder has no mail if the server denies
    /// it a second time, on opening it; after any other answer, the folder stays one that could not
    /// be read.
    fn drop_phantoms(
        &mut self,
        mailboxes: &mut [ListedMailbox],
        denied: &[usize],
    ) -> Result<(), Error> {
        let names: Vec<MailboxName> = mailboxes
            .iter()
            .map(|mailbox| mailbox.name.clone())
            .collect();
        for at in self.denied_on_opening(&names, denied)? {
            mailboxes[at].selectable = false;
        }
        Ok(())
    }

    /// Returns how names are written: according to the address, otherwise NAMESPACE, otherwise what
    /// the listing shows.
    fn name_style(&self, found: &Found) -> NameStyle {
        let (prefix, separator) = self.namespaces.personal.clone().unwrap_or_default();
        let listed = || found.mailboxes.iter().find_map(|mailbox| mailbox.separator);
        NameStyle {
            prefix,
            separator: self.separator.or(separator).or_else(listed),
            utf8: self.capabilities.has("UTF8=ONLY"),
        }
    }
}

fn list_command(verb: &str, pattern: &str) -> Command {
    Command::new(verb).string(b"").string(pattern.as_bytes())
}

/// What a listing has found so far. A server may list a folder twice.
#[derive(Default)]
struct Found {
    mailboxes: Vec<ListedMailbox>,
    index: HashMap<Vec<u8>, usize>,
    listed: Listed,
    gaps: Gaps,
}

impl Found {
    fn add(&mut self, item: &ListedItem, subscribed: Option<bool>) -> Result<(), Error> {
        let is_inbox = item.name.eq_ignore_ascii_case(b"INBOX");
        let mailbox = ListedMailbox {
            name: MailboxName::new(item.name.clone()),
            separator: item.separator,
            selectable: item.is_selectable(),
            no_inferiors: item.has("\\Noinferiors"),
            subscribed: subscribed.unwrap_or_else(|| item.has("\\Subscribed")),
            special_use: if is_inbox {
                None
            } else {
                special_use(&item.attributes)
            },
            status: None,
        };
        if item.name.is_empty() {
            // Some servers list the root of all names, which isn't a folder.
            if mailbox.selectable {
                self.note_gap(
                    Unread::Line,
                    "the server lists a folder without a name".to_owned(),
                )?;
            }
            return Ok(());
        }
        match self.index.get(&item.name) {
            Some(at) => self.mailboxes[*at] = mailbox,
            None => {
                self.listed.count(item.name.len())?;
                self.index.insert(item.name.clone(), self.mailboxes.len());
                self.mailboxes.push(mailbox);
            }
        }
        Ok(())
    }

    /// Notes an unreadable response that is, or may be, a line of the listing.
    fn note_unreadable(&mut self, response: &Response<'_>) -> Result<(), Error> {
        match response {
            Response::Unreadable(line) if line.kind == "LSUB" => {
                self.note_gap(Unread::Subscription, seen_at_vvv(line))
            }
            Response::Unreadable(line) if ["LIST", "XLIST"].contains(&line.kind) => {
                self.note_gap(Unread::Line, seen_at_vvv(line))
            }
            Response::Unknown(line) if looks_like_a_listing(line) => {
                let why = "the server sent a line that looks like one of a listing and can't be read (-vvv shows it)";
                self.note_gap(Unread::Line, why.to_owned())
            }
            _ => Ok(()),
        }
    }

    fn note_gap(&mut self, what: Unread, why: String) -> Result<(), Error> {
        self.listed.count(why.len())?;
        self.gaps.add(what, why);
        Ok(())
    }

    fn add_status(&mut self, status: &MailboxStatus) {
        // STATUS comes after its LIST line (RFC 5819 section 2).
        let at = self.index.get(&status.name).copied();
        if let Some(mailbox) = at.and_then(|at| self.mailboxes.get_mut(at)) {
            *status_of(mailbox) = status.counters.clone();
        }
    }
}

fn seen_at_vvv(line: &Unreadable) -> String {
    format!("{line} (-vvv shows it)")
}

/// Reports whether an unknown response begins like part of a listing, such as `* LIST-`.
fn looks_like_a_listing(line: &[u8]) -> bool {
    let text = line
        .strip_prefix(b"*")
        .unwrap_or_default()
        .trim_ascii_start();
    let begins = |word: &[u8]| {
        text.get(..word.len())
            .is_some_and(|begin| begin.eq_ignore_ascii_case(word))
    };
    begins(b"LIST") || begins(b"XLIST") || begins(b"LSUB")
}

fn special_use(attributes: &[String]) -> Option<SpecialUse> {
    attributes
        .iter()
        .find_map(|attribute| SpecialUse::from_attribute(attribute))
}
