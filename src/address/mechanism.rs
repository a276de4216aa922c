//! The ways to log in, by the names that servers and users know them by.

use std::fmt;

/// A way to log in (the IANA registry of SASL mechanisms), or a family of such.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Mechanism {
    /// SCRAM with SHA-256, bound to the TLS connection (RFC 7677, RFC 5929).
    ScramSha256Plus,
    /// SCRAM with SHA-1, bound to the TLS connection (RFC 5802, RFC 5929).
    ScramSha1Plus,
    /// SCRAM with SHA-256 (RFC 7677).
    ScramSha256,
    /// SCRAM with SHA-1 (RFC 5802).
    ScramSha1,
    /// A keyed hash of the server's challenge (RFC 2195).
    CramMd5,
    /// The password itself (RFC 4616).
    Plain,
    /// The password itself, by the command LOGIN or by the SASL mechanism of that name.
    Login,
    /// Windows' own, with a password (MS-NLMP).
    Ntlm,
    /// An OAuth 2.0 access token (RFC 7628).
    OAuthBearer,
    /// An OAuth 2.0 access token, as Google and Microsoft take it.
    XOAuth2,
    /// A Kerberos ticket (RFC 4752).
    Gssapi,
    /// Whom the client's certificate names (RFC 4422 appendix A).
    External,
    /// Nobody in particular (RFC 4505).
    Anonymous,
}

/// What a mechanism proves who logs in with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Proof {
    /// A password.
    Password,
    /// An OAuth 2.0 access token.
    Token,
    /// Nothing that the user has to give for the login itself.
    Nothing,
}

impl Mechanism {
    /// All of them, those that protect most first.
    pub const ALL: [Self; 13] = [
        Self::ScramSha256Plus,
        Self::ScramSha1Plus,
        Self::ScramSha256,
        Self::ScramSha1,
        Self::CramMd5,
        Self::Plain,
        Self::Login,
        Self::Ntlm,
        Self::OAuthBearer,
        Self::XOAuth2,
        Self::Gssapi,
        Self::External,
        Self::Anonymous,
    ];

    /// The registered name, in capitals.
    pub fn name(self) -> &'static str {
        match self {
            Self::ScramSha256Plus => "SCRAM-SHA-256-PLUS",
            Self::ScramSha1Plus => "SCRAM-SHA-1-PLUS",
            Self::ScramSha256 => "SCRAM-SHA-256",
            Self::ScramSha1 => "SCRAM-SHA-1",
            Self::CramMd5 => "CRAM-MD5",
            Self::Plain => "PLAIN",
            Self::Login => "LOGIN",
            Self::Ntlm => "NTLM",
            Self::OAuthBearer => "OAUTHBEARER",
            Self::XOAuth2 => "XOAUTH2",
            Self::Gssapi => "GSSAPI",
            Self::External => "EXTERNAL",
            Self::Anonymous => "ANONYMOUS",
        }
    }

    /// The mechanism of this name, whatever its case.
    ///
    /// ```abnf
    /// sasl-mech = 1*20mech-char
    /// mech-char = UPPER-ALPHA / DIGIT / HYPHEN / UNDERSCORE
    /// ```
    /// (RFC 4422 section 3.1.) People may write small letters.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|mechanism| mechanism.name().eq_ignore_ascii_case(name))
    }

    /// What it needs from the user.
    pub fn proof(self) -> Proof {
        match self {
            Self::OAuthBearer | Self::XOAuth2 => Proof::Token,
            Self::Gssapi | Self::External | Self::Anonymous => Proof::Nothing,
            _ => Proof::Password,
        }
    }

    /// Whether somebody can log in by it to act for somebody else.
    pub fn takes_authzid(self) -> bool {
        !matches!(self, Self::CramMd5 | Self::Login | Self::Ntlm | Self::XOAuth2 | Self::Anonymous)
    }

    /// Whether it binds the login to the TLS connection.
    pub fn binds_channel(self) -> bool {
        matches!(self, Self::ScramSha256Plus | Self::ScramSha1Plus)
    }
}

impl fmt::Display for Mechanism {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_read_back_in_any_case() {
        for mechanism in Mechanism::ALL {
            assert_eq!(Mechanism::named(&mechanism.name().to_lowercase()), Some(mechanism));
        }
        assert_eq!(Mechanism::named("DIGEST-MD5"), None);
    }
}
