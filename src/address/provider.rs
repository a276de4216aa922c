//! Providers whose OAuth 2.0 endpoints and ways are known by heart.

use std::fmt;

/// Whose service it is (`provider=`), where the host does not tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Provider {
    /// Gmail and Google Workspace.
    Google,
    /// Microsoft 365 and Outlook.com.
    Microsoft,
}

impl Provider {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::Google, Self::Microsoft];

    /// As it is written in an address.
    pub fn name(self) -> &'static str {
        match self {
            Self::Google => "google",
            Self::Microsoft => "microsoft",
        }
    }

    /// The one of this name, in capitals or not; also by what people call their service.
    pub fn named(name: &str) -> Option<Self> {
        match name.to_ascii_lowercase().as_str() {
            "google" | "gmail" => Some(Self::Google),
            "microsoft" | "m365" | "office365" | "outlook" => Some(Self::Microsoft),
            _ => None,
        }
    }

    /// Whose IMAP server a host is.
    pub fn of_host(host: &str) -> Option<Self> {
        match host.to_ascii_lowercase().as_str() {
            "imap.gmail.com" | "imap.googlemail.com" => Some(Self::Google),
            "outlook.office365.com" | "imap-mail.outlook.com" => Some(Self::Microsoft),
            _ => None,
        }
    }

    /// Whether its servers only estimate the sizes that they tell of messages.
    pub fn estimates_sizes(self) -> bool {
        self == Self::Microsoft
    }
}

impl fmt::Display for Provider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
