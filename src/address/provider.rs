//! Providers with built-in OAuth 2.0 endpoints and peculiarities.

use std::fmt;

/// The provider (`provider=`), if the host name doesn't show it.
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

    /// Returns the name used in an address.
    pub fn name(self) -> &'static str {
        match self {
            Self::Google => "google",
            Self::Microsoft => "microsoft",
        }
    }

    /// Returns the provider with this name, ignoring case; also by the service's common names.
    pub fn named(name: &str) -> Option<Self> {
        match name.to_ascii_lowercase().as_str() {
            "google" | "gmail" => Some(Self::Google),
            "microsoft" | "m365" | "office365" | "outlook" => Some(Self::Microsoft),
            _ => None,
        }
    }

    /// Returns the provider of a host's IMAP server.
    pub fn of_host(host: &str) -> Option<Self> {
        match host.to_ascii_lowercase().as_str() {
            "imap.gmail.com" | "imap.googlemail.com" => Some(Self::Google),
            "outlook.office365.com" | "imap-mail.outlook.com" => Some(Self::Microsoft),
            _ => None,
        }
    }

    /// Reports whether its servers only estimate message sizes.
    pub fn estimates_sizes(self) -> bool {
        self == Self::Microsoft
    }
}

impl fmt::Display for Provider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
