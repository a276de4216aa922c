//! The protocol: what goes over the wire, what it means, and how a session begins (RFC 3501, RFC
//! 9051 and their extensions).
//!
//! ```text
//! login       greeting, STARTTLS, login                 capability   a server's capabilities
//! auth        mechanisms, and which one to use
//! connection  commands ahead of their replies           error        what ends a connection
//! response    what a frame means                        wire         bytes into frames, commands into bytes
//! redact      removes secrets from what servers say     facts        what a server tells of itself
//! meaning     what refusals and goodbyes mean           courtesy     pauses that a server wants
//! ```
//!
//! Only this module knows imap-proto.

mod auth;
mod capability;
mod connection;
mod courtesy;
mod error;
mod facts;
mod login;
mod meaning;
mod redact;
pub mod response;
mod waiting;
pub mod wire;

pub use auth::{Credentials, NoSecret, NoSecretCause, Recall, Secret};
pub use capability::Capabilities;
pub use connection::{Connection, Handler, PauseNotice, Received, Reply, Ticket, Trace, ignore};
pub use error::Error;
pub use login::{Introduction, LoggedIn, certificate, introduce, log_in};
pub use meaning::{Asked, Class, Meaning, Said, Scope, Wait, meaning};
pub(crate) use redact::Redactor;
pub use response::{
    Attributes, Code, Completion, Content, Fetch, FetchOpening, ListedItem, MailboxStatus,
    Namespace, Quota, Response, Unreadable,
};
pub use wire::{Command, Incoming, LiteralMode, Step};

/// How many bytes of commands are sent ahead of their replies: few enough for any system to buffer
/// for a server whose replies nobody reads, so the two sides never wait for each other to read.
const BYTES_AHEAD: usize = 16 << 10;
/// How many commands: none of them costs a server much, and each is remembered here until it is
/// answered.
const COMMANDS_AHEAD: usize = 256;
