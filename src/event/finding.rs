//! Findings of `doctor`: one per check, with what was tried, what came back, what it means and what
//! to do.

use crate::mail::Side;
use serde::ser::SerializeStruct as _;
use serde::{Serialize, Serializer};

/// The checks, in the order in which they are made. Each relies on the results of the earlier ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Check {
    /// D1: the host name resolves to addresses.
    Name,
    /// D2: its port accepts connections.
    Port,
    /// D3: an IMAP server answers there, protected as the address says.
    Protocol,
    /// D4: its certificate can be trusted.
    Certificate,
    /// D5: it accepts the login.
    Login,
    /// D6: the mailbox exists and can be listed.
    Ready,
    /// D7: quota, and the maximum size of messages.
    Space,
    /// D8: how fast it answers and delivers.
    Speed,
    /// D9: folders that the target can't hold under their names.
    Folders,
    /// D10: every counted message can be listed.
    Messages,
    /// D11: messages that exist more than once.
    Duplicates,
    /// D12: saved state of earlier runs on this machine.
    State,
    /// D13: how long a connection may stay idle.
    Idle,
}

impl Check {
    /// All checks, in order.
    pub const ALL: [Self; 13] = [
        Self::Name,
        Self::Port,
        Self::Protocol,
        Self::Certificate,
        Self::Login,
        Self::Ready,
        Self::Space,
        Self::Speed,
        Self::Folders,
        Self::Messages,
        Self::Duplicates,
        Self::State,
        Self::Idle,
    ];

    /// Returns its number, from 1.
    pub fn number(self) -> u8 {
        self as u8 + 1
    }

    /// Returns its name in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Self::Name => "name",
            Self::Port => "port",
            Self::Protocol => "protocol",
            Self::Certificate => "certificate",
            Self::Login => "login",
            Self::Ready => "ready",
            Self::Space => "space",
            Self::Speed => "speed",
            Self::Folders => "folders",
            Self::Messages => "messages",
            Self::Duplicates => "duplicates",
            Self::State => "state",
            Self::Idle => "idle",
        }
    }
}

impl Serialize for Check {
    /// Serializes two members: its number and its name.
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let mut members = to.serialize_struct("Check", 2)?;
        members.serialize_field("number", &self.number())?;
        members.serialize_field("check", self.name())?;
        members.end()
    }
}

/// The result of a check.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// As it should be.
    #[serde(rename = "ok")]
    Good,
    /// It works, but there is something to know or to do.
    #[serde(rename = "warning")]
    Doubtful,
    /// A copy would fail because of this.
    Failed,
    /// It doesn't apply here.
    Skipped,
}

/// The finding of one check. The texts are fragments; `result` and `meaning` may contain a server's
/// raw words.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// Which mailbox.
    pub side: Side,
    /// Which check.
    #[serde(flatten)]
    pub check: Check,
    /// Its result.
    pub verdict: Verdict,
    /// What was tried.
    pub tried: String,
    /// What came back.
    pub result: String,
    /// What it means.
    pub meaning: String,
    /// What to do; `None` if nothing.
    pub advice: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checks_are_numbered_in_their_order() {
        let numbers: Vec<u8> = Check::ALL.iter().map(|check| check.number()).collect();
        assert_eq!(numbers, (1..=13).collect::<Vec<u8>>());
    }
}
