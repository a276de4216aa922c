//! AUTHENTICATE: the server's challenges and our answers, each a line of base64 (RFC 3501 section
//! 6.2.2); the first answer is part of the command if the server allows that (RFC 4959).

use super::choose;
use crate::address::Mechanism;
use crate::imap::connection::{Answered, Connection, Reply, Ticket};
use crate::imap::wire::Command;
use crate::imap::{Capabilities, Completion, Error};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

/// The most challenges in any exchange: none needs half of it.
const MAX_CHALLENGES: usize = 10;

/// Bytes for the server; a secret.
pub(super) type Message = Zeroizing<Vec<u8>>;

/// The client's side of a mechanism.
pub(super) trait Sasl {
    /// Returns what the client says first; `None` if the server begins.
    fn initial(&mut self) -> Result<Option<Message>, Failure>;

    /// Answers a challenge.
    fn answer(&mut self, challenge: &[u8]) -> Result<Message, Failure>;

    /// Reports whether an OK may be believed: the server has proved everything that it has to.
    fn is_complete(&self) -> bool {
        true
    }

    /// Returns the server's reason for refusing, from the exchange, without anything that could be
    /// a secret.
    fn remark(&self) -> Option<String> {
        None
    }
}

/// Why the client stops.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Failure {
    /// The server can't be trusted with more.
    Distrust(String),
    /// The server refuses, within the exchange.
    Refused(String),
    /// The credentials can't be used with this mechanism.
    Unfit(String),
}

impl Failure {
    /// How the exchange ended if the server refused within it.
    fn into_outcome(self) -> Result<Outcome, Self> {
        match self {
            Self::Refused(text) => {
                let reply = Reply {
                    completion: Completion::No,
                    code: None,
                    text,
                };
                Ok(Outcome {
                    reply,
                    remark: None,
                    was_refused_at_once: false,
                })
            }
            failure => Err(failure),
        }
    }

    pub(super) fn into_error(self, mechanism: Mechanism, offered: &Capabilities) -> Error {
        match self {
            Self::Distrust(text) => Error::NoLogin(format!("{mechanism}: {text}")),
            Self::Refused(text) => Error::Login {
                text,
                code: None,
                way: mechanism.name(),
                offered: choose::list(offered),
            },
            Self::Unfit(text) => Error::NoMechanism {
                text: format!("{mechanism}: {text}"),
                hint:
                    "check the password and the user name, or choose another mechanism with auth="
                        .to_owned(),
            },
        }
    }
}

/// Rejects a challenge that comes after the mechanism's last one.
pub(super) fn asks_too_much() -> Failure {
    Failure::Distrust("the server asks for more than the mechanism defines".to_owned())
}

/// How an exchange ended.
pub(super) struct Outcome {
    pub(super) reply: Reply,
    /// What else the server said.
    pub(super) remark: Option<String>,
    /// Whether the server only wanted to see the client's first message.
    pub(super) was_refused_at_once: bool,
}

/// Runs an exchange up to its tagged reply.
pub(super) fn run(
    connection: &mut Connection,
    mechanism: Mechanism,
    sasl: &mut dyn Sasl,
    offered: &Capabilities,
) -> Result<Outcome, Error> {
    let fail = |failure: Failure| failure.into_error(mechanism, offered);
    let mut first = sasl.initial().map_err(fail)?;
    let sent_at_once = if offered.has("SASL-IR") {
        first.take()
    } else {
        None
    };
    let ticket = connection.send(&command(mechanism, sent_at_once))?;
    let mut answers = 0;
    while answers < MAX_CHALLENGES {
        let challenge = match connection.await_challenge(ticket)? {
            Answered::Reply(reply) if reply.is_ok() && !sasl.is_complete() => {
                let text = "the server let us in without proving that it knows the password";
                return Err(fail(Failure::Distrust(text.to_owned())));
            }
            Answered::Reply(reply) => {
                return Ok(Outcome {
                    reply,
                    remark: sasl.remark(),
                    was_refused_at_once: answers == 0,
                });
            }
            Answered::Challenge(challenge) => challenge,
        };
        let answer = match first.take() {
            Some(message) => Ok(message),
            None => {
                answers += 1;
                decode(&challenge).and_then(|challenge| sasl.answer(&challenge))
            }
        };
        match answer {
            Ok(answer) => connection.answer(&Command::continuation(&encode(&answer)))?,
            Err(failure) => {
                cancel(connection, ticket)?;
                return failure.into_outcome().map_err(fail);
            }
        }
    }
    Err(Error::Protocol(format!(
        "it keeps asking in {mechanism} without end"
    )))
}

/// AUTHENTICATE, with the first answer if that goes at once.
fn command(mechanism: Mechanism, first: Option<Message>) -> Command {
    let command = Command::new("AUTHENTICATE").text(mechanism.name());
    match first {
        // An empty one is told from none by `=`.
        Some(message) if message.is_empty() => command.secret_text("="),
        Some(message) => command.secret_text(&encode(&message)),
        None => command,
    }
}

/// Ends an exchange, so that the server does not wait; what it says to that is of no interest.
fn cancel(connection: &mut Connection, ticket: Ticket) -> Result<(), Error> {
    connection.answer(&Command::continuation("*"))?;
    connection.await_challenge(ticket).ok();
    Ok(())
}

fn encode(message: &[u8]) -> Zeroizing<String> {
    Zeroizing::new(STANDARD.encode(message))
}

/// Decodes a challenge. If it is empty, some servers write nothing, others a blank.
///
/// ```abnf
/// continue-req = "+" SP (resp-text / base64) CRLF
/// base64       = *(4base64-char) [base64-terminal]
/// ```
/// (RFC 3501 section 9.)
fn decode(line: &[u8]) -> Result<Zeroizing<Vec<u8>>, Failure> {
    let bytes = STANDARD.decode(line.trim_ascii()).map(Zeroizing::new);
    bytes.map_err(|_| Failure::Distrust("the server's challenge is not base64".to_owned()))
}
