//! One connection to an account, and the [`Store`] built on it.

use super::breaks::Breaks;
use super::labels::LabelledFolders;
use super::logins::Login;
use super::{append::Appends, fetch::Requests};
use crate::address::NEAR;
use crate::imap::{Capabilities, Command, Connection, LiteralMode, LoggedIn, Ticket, ignore};
use crate::mail::{
    FolderStatus, InternalDate, ListedMailbox, Listing, MailboxName, Uid, UidSet, UidValidity,
};
use crate::provider::{self, ConnectionCount, Provider};
use crate::store::{
    AclRules, Answer, Connections, ContentId, Delivery, Error, ErrorKind, Fetched, FlagChange,
    FolderRights, FolderScan, Grantable, MessageSink, NewFolder, Outcome, Prepared, Quota,
    ReadStore, Relocated, Relocation, Removal, RightsChange, Room, ScanRequest, SomeMessages,
    Store, Traffic,
};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

/// A connection that was idle for longer is checked before anything depends on it: routers forget
/// connections, and servers end them after half an hour.
const QUIET: Duration = Duration::from_secs(300);
/// A near server takes no longer for the quickest command, however busy; one at the far end of a
/// tunnel does.
const QUICK: Duration = Duration::from_millis(10);

/// One connection, logged in.
pub(super) struct Session {
    pub(super) connection: Connection,
    pub(super) capabilities: Capabilities,
    /// The user whose mailbox it is, as the address names them.
    pub(super) user: String,
    /// The server's name for itself: its greeting, until its ID is known.
    pub(super) server: String,
    /// The provider or kind of server, if known.
    pub(super) provider: Option<&'static Provider>,
    /// The personal namespace, and those that aren't the user's own.
    pub(super) namespaces: Namespaces,
    /// The separator set in the address, overriding the server's.
    pub(super) separator: Option<char>,
    /// The prefix set in the address.
    pub(super) chosen_prefix: Option<String>,
    /// If folders are labels (Gmail): which they are.
    pub(super) labelled: Option<LabelledFolders>,
    /// The folder that is open, or will be when the commands sent so far are done.
    pub(super) open: Option<Open>,
    /// Whether the server reports expunged messages by UID (QRESYNC was enabled, RFC 7162).
    pub(super) has_qresync: bool,
    /// Whether the server has given the UIDVALIDITY of any folder.
    pub(super) gives_uid_validity: bool,
    pub(super) requests: Requests,
    pub(super) appends: Appends,
    /// The folder whose scan is being answered; if there is none, no folder is to blame for a
    /// break.
    pub(super) scanned: Option<MailboxName>,
    /// The folders on which the account's connections broke.
    pub(super) breaks: Arc<Breaks>,
    /// Counts it among the account's open connections.
    pub(super) login: Option<Login>,
}

/// An open folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Open {
    pub(super) mailbox: MailboxName,
    /// By SELECT rather than EXAMINE.
    pub(super) for_writing: bool,
}

/// The account's namespaces (RFC 2342).
#[derive(Clone, Debug, Default)]
pub(super) struct Namespaces {
    /// The prefix of the user's own folders and its separator; `None` if the server doesn't say.
    pub(super) personal: Option<(Vec<u8>, Option<char>)>,
    /// Prefixes of other users' and of shared folders.
    pub(super) foreign: Vec<Vec<u8>>,
}

impl Session {
    /// Identifies the client to the server and asks where the user's folders are; nothing that
    /// follows has to wait for the answers.
    pub(super) fn begin(
        logged_in: LoggedIn,
        prefix: Option<&str>,
        separator: Option<char>,
    ) -> Result<Self, crate::imap::Error> {
        let LoggedIn {
            mut connection,
            greeting,
        } = logged_in;
        let capabilities = connection.capabilities().cloned().unwrap_or_default();
        if capabilities.has("ID") {
            // NetEase's servers open no folder for an unidentified client (and GMX rejects an empty
            // list).
            let version = env!("CARGO_PKG_VERSION");
            let fields = [
                b"name".as_slice(),
                b"mailferry",
                b"version",
                version.as_bytes(),
            ];
            let id = fields
                .iter()
                .fold(Command::new("ID").open(), |id, field| id.string(field))
                .close();
            connection.send_unattended(&id)?;
        }
        if capabilities.has("NAMESPACE") {
            connection.send_unattended(&Command::new("NAMESPACE"))?;
        }
        if capabilities.has("UTF8=ONLY") {
            connection.run(&Command::new("ENABLE UTF8=ACCEPT"), &mut ignore)?;
        }
        Ok(Self {
            connection,
            capabilities,
            user: String::new(),
            server: greeting,
            provider: None,
            namespaces: Namespaces::default(),
            separator,
            chosen_prefix: prefix.map(str::to_owned),
            labelled: None,
            open: None,
            has_qresync: false,
            gives_uid_validity: false,
            requests: Requests::default(),
            appends: Appends::default(),
            scanned: None,
            breaks: Arc::default(),
            login: None,
        })
    }

    /// Takes note of the provider that the address names, or whose host it is; without one, what
    /// the server says of itself tells.
    pub(super) fn is_at(&mut self, provider: Option<&'static Provider>) {
        self.provider = provider;
        self.recognise();
    }

    /// Finds out by what the server calls itself who it is, and leaves out what such servers
    /// announce and do not have.
    fn recognise(&mut self) {
        self.provider = self.provider.or_else(|| Provider::of_server(&self.server));
        if let Some(provider) = self.provider {
            self.capabilities.remove(provider.lacks);
        }
    }

    /// Takes the server's answers to [`Session::begin`]. They have arrived once a later command is
    /// answered.
    pub(super) fn take_introduction(&mut self) {
        if let Some(name) = server_name(self.connection.server_id()) {
            self.server = name;
            self.recognise();
        }
        if let Some(namespace) = self.connection.namespace() {
            self.namespaces = Namespaces::from(namespace);
        }
        let usual = self.provider.and_then(|provider| provider.prefix);
        let usual = usual.filter(|_| self.namespaces.personal.is_none());
        if let Some(prefix) = self.chosen_prefix.as_deref().or(usual) {
            let told = self
                .namespaces
                .personal
                .as_ref()
                .and_then(|(_, separator)| *separator);
            self.namespaces.personal = Some((prefix.as_bytes().to_vec(), self.separator.or(told)));
        }
    }

    /// Opens a folder, unless it is already open. `None`: nothing was sent.
    pub(super) fn open(
        &mut self,
        mailbox: &MailboxName,
        for_writing: bool,
    ) -> Result<Option<Ticket>, crate::imap::Error> {
        let is_open = self
            .open
            .as_ref()
            .is_some_and(|open| open.mailbox == *mailbox && open.for_writing == for_writing);
        if is_open {
            return Ok(None);
        }
        let ticket = self.connection.send(&open_command(mailbox, for_writing))?;
        self.open = Some(Open {
            mailbox: mailbox.clone(),
            for_writing,
        });
        Ok(Some(ticket))
    }

    /// Reports whether a folder can be opened only while no command is unanswered: its name isn't
    /// plain text, and the server must be asked before such a name is sent.
    pub(super) fn opens_alone(&self, mailbox: &MailboxName) -> bool {
        self.connection.needs_quiet(&open_command(mailbox, false))
    }

    /// Leaves the open folder, so that the server stops reporting on it and accepts messages for it
    /// readily. Nothing is expunged: without UNSELECT, CLOSE follows an EXAMINE.
    pub(super) fn leave_folder(&mut self) -> Result<(), crate::imap::Error> {
        let Some(open) = self.open.take() else {
            return Ok(());
        };
        if self.capabilities.has("UNSELECT") {
            return self.connection.send_unattended(&Command::new("UNSELECT"));
        }
        if open.for_writing {
            // Wait: CLOSE may only follow if this succeeds, and what it reports isn't about any
            // other folder.
            let reply = self
                .connection
                .run(&open_command(&open.mailbox, false), &mut ignore)?;
            if !reply.is_ok() {
                // A failed EXAMINE leaves no folder open (RFC 3501 section 6.3.1).
                return Ok(());
            }
        }
        self.connection.send_unattended(&Command::new("CLOSE"))
    }

    /// Reports whether the server is near, and not just the near end of a tunnel to it.
    fn is_near(&self) -> bool {
        self.connection.distance() < NEAR
            && self
                .connection
                .round_trip()
                .is_some_and(|took| took < QUICK)
    }

    /// Makes sure that a connection that was idle for long is still open.
    pub(super) fn ensure_alive(&mut self) -> Result<(), crate::imap::Error> {
        if self.connection.commands_waiting() == 0 && self.connection.last_used().elapsed() > QUIET
        {
            self.connection.run(&Command::new("NOOP"), &mut ignore)?;
        }
        Ok(())
    }
}

/// Converts the error of a connection's first command. If it is the only one, a server that opens
/// no mailbox says that the login is no good.
pub(super) fn at_first(error: crate::imap::Error, is_only: bool) -> Error {
    let is_login = is_only && matches!(error, crate::imap::Error::Useless { .. });
    match Error::from(error) {
        error if is_login && error.kind == ErrorKind::TooManyConnections => Error {
            kind: ErrorKind::Authentication,
            ..error
        },
        error => error,
    }
}

/// Makes an EXAMINE, or a SELECT if the folder will be written to.
pub(super) fn open_command(mailbox: &MailboxName, for_writing: bool) -> Command {
    Command::new(if for_writing { "SELECT" } else { "EXAMINE" }).mailbox(mailbox)
}

/// Returns the server's name from its ID.
fn server_name(fields: &[(String, Option<String>)]) -> Option<String> {
    let value = |key: &str| {
        fields
            .iter()
            .find(|(name, _)| name.eq_ignore_ascii_case(key))?
            .1
            .clone()
    };
    let name = value("name")?;
    Some(match value("version") {
        Some(version) => format!("{name} {version}"),
        None => name,
    })
}

impl ReadStore for Session {
    fn server(&self) -> &str {
        &self.server
    }

    fn provider(&self) -> Option<&'static Provider> {
        self.provider
    }

    fn is_compressed(&self) -> bool {
        self.connection.is_compressed()
    }

    fn asks_for_each(&self) -> bool {
        self.capabilities.literal_mode() != LiteralMode::Plus
    }

    fn estimates_sizes(&self) -> bool {
        self.provider
            .is_some_and(|provider| provider.estimates_sizes)
    }

    /// No known server keeps a date before 1970: they refuse it, or wrap it to one after 2030.
    fn may_keep(&self, date: InternalDate) -> bool {
        date.seconds() >= 0
    }

    fn connections(&self) -> Connections {
        let ConnectionCount { usual, most } = self
            .provider
            .map_or(provider::UNKNOWN, |provider| provider.connections);
        Connections {
            usual,
            most,
            is_near: self.is_near(),
        }
    }

    fn list(&mut self) -> Result<Listing, Error> {
        let is_only = self.login.as_ref().is_some_and(Login::is_only);
        self.list_all().map_err(|error| at_first(error, is_only))
    }

    fn are_gone(&mut self, mailboxes: &[MailboxName]) -> Result<Vec<bool>, Error> {
        Ok(self.ask_for_denials(mailboxes)?)
    }

    fn scan(
        &mut self,
        requests: &[ScanRequest<'_>],
        done: &mut dyn FnMut(usize, Answer<FolderScan>),
    ) -> Result<(), Error> {
        let scanned = self.scan_all(requests, done).map_err(Error::from);
        match self.scanned.take() {
            Some(mailbox) => scanned.map_err(|error| self.breaks.note(&mailbox, error)),
            None => scanned,
        }
    }

    fn request(
        &mut self,
        mailbox: &MailboxName,
        uid_validity: Option<UidValidity>,
        uids: &UidSet,
    ) -> Result<(), Error> {
        Ok(self.ask_for(mailbox, uid_validity, uids)?)
    }

    fn next(&mut self, sink: &mut dyn MessageSink) -> Result<Fetched, Error> {
        self.read_on(sink)
    }

    fn content_ids(
        &mut self,
        asked: &[SomeMessages<'_>],
    ) -> Result<Vec<HashMap<Uid, ContentId>>, Error> {
        Ok(self.content_ids_of(asked)?)
    }

    fn acl_rules(&self) -> Option<AclRules> {
        self.rules_of_acl()
    }

    fn rights(&mut self, mailboxes: &[MailboxName]) -> Result<Vec<Answer<FolderRights>>, Error> {
        Ok(self.rights_of(mailboxes)?)
    }

    fn grantable(
        &mut self,
        asked: &[(MailboxName, String)],
    ) -> Result<Vec<Answer<Grantable>>, Error> {
        Ok(self.rights_to_grant(asked)?)
    }

    fn quota(&mut self) -> Result<Option<Quota>, Error> {
        Ok(self.ask_quota()?)
    }

    fn room(&mut self, mailboxes: &[MailboxName]) -> Result<Vec<Room>, Error> {
        Ok(self.ask_room(mailboxes)?)
    }

    fn traffic(&self) -> Traffic {
        let crate::net::Traffic {
            sent,
            received,
            round_trips,
        } = self.connection.traffic();
        Traffic {
            sent,
            received,
            round_trips,
        }
    }

    fn close(&mut self) {
        // With replies outstanding, or half a command sent, the server would not understand it.
        if self.connection.commands_waiting() == 0 && !self.appends.is_broken() {
            self.connection.log_out();
        } else {
            self.connection.shut_down();
        }
    }
}

impl Store for Session {
    fn create(&mut self, folders: &[NewFolder]) -> Result<Vec<Answer<MailboxName>>, Error> {
        Ok(self.create_all(folders)?)
    }

    fn prepare(&mut self, folders: &[NewFolder]) -> Result<Vec<Answer<Prepared>>, Error> {
        Ok(self.prepare_all(folders)?)
    }

    fn subscribe(&mut self, mailboxes: &[MailboxName]) -> Result<Vec<Answer<()>>, Error> {
        Ok(self.subscribe_all(mailboxes)?)
    }

    fn unsubscribe(&mut self, mailboxes: &[MailboxName]) -> Result<(), Error> {
        Ok(self.unsubscribe_all(mailboxes)?)
    }

    fn deliver(&mut self, mailbox: &MailboxName, delivery: Delivery<'_>) -> Result<(), Error> {
        self.append(mailbox, delivery)
    }

    fn outcomes(&mut self, wait: bool) -> Result<Vec<Outcome>, Error> {
        self.acknowledged(wait)
    }

    fn unacknowledged(&self) -> Vec<u32> {
        self.appends.unacknowledged()
    }

    fn relocate(&mut self, relocations: &[Relocation]) -> Result<Vec<Relocated>, Error> {
        Ok(self.relocate_all(relocations)?)
    }

    fn remove(&mut self, removals: &[Removal]) -> Result<Vec<Answer<()>>, Error> {
        Ok(self.remove_all(removals)?)
    }

    fn rename(&mut self, renames: &[(MailboxName, MailboxName)]) -> Result<Vec<Answer<()>>, Error> {
        Ok(self.rename_all(renames)?)
    }

    fn delete(&mut self, mailboxes: &[MailboxName]) -> Result<Vec<Answer<()>>, Error> {
        Ok(self.delete_all(mailboxes)?)
    }

    fn change_flags(&mut self, changes: &[FlagChange]) -> Result<Vec<Answer<UidSet>>, Error> {
        Ok(self.store_all(changes)?)
    }

    fn change_rights(&mut self, changes: &[RightsChange]) -> Result<Vec<Answer<()>>, Error> {
        Ok(self.set_rights(changes)?)
    }
}

/// Roughly how many bytes commands sent ahead may have, so that a server can buffer them unread.
pub(super) const SET_BYTES: usize = 1_000;

/// Returns a listed mailbox's counters, creating them when only some are known.
pub(super) fn status_of(mailbox: &mut ListedMailbox) -> &mut FolderStatus {
    mailbox.status.get_or_insert_default()
}
