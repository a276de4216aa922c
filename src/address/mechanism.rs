//! Login mechanisms, by the names that servers and users know.

use std::fmt;

/// A login mechanism (the IANA registry of SASL mechanisms), or a family of them.
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
    /// The password itself, through the LOGIN command or the SASL mechanism of that name.
    Login,
    /// Windows' own, with a password (MS-NLMP).
    Ntlm,
    /// An OAuth 2.0 access token (RFC 7628).
    OAuthBearer,
    /// An OAuth 2.0 access token, in Google's and Microsoft's variant.
    XOAuth2,
    /// A Kerberos ticket (RFC 4752).
    Gssapi,
    /// The identity in the client's certificate (RFC 4422 appendix A).
    External,
    /// No identity (RFC 4505).
    Anonymous,
}

/// What a mechanism uses to prove who logs in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Proof {
    /// A password.
    Password,
    /// An OAuth 2.0 access token.
    Token,
    /// Nothing that the user has to provide for the login itself.
    Nothing,
}

impl Mechanism {
    /// All of them, the most protective first.
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

    /// Returns the registered name, in capitals.
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

    /// Returns the mechanism with this name, ignoring case.
    ///
    /// ```abnf
    /// sasl-mech = 1*20mech-char
    /// mech-char = UPPER-ALPHA / DIGIT / HYPHEN / UNDERSCORE
    /// ```
    /// (RFC 4422 section 3.1.) Users may write lower case.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|mechanism| mechanism.name().eq_ignore_ascii_case(name))
    }

    /// Returns what it needs from the user.
    pub fn proof(self) -> Proof {
        match self {
            Self::OAuthBearer | Self::XOAuth2 => Proof::Token,
            Self::Gssapi | Self::External | Self::Anonymous => Proof::Nothing,
            _ => Proof::Password,
        }
    }

    /// Reports whether it lets a user act for another one.
    pub fn takes_authzid(self) -> bool {
        !matches!(
            self,
            Self::CramMd5 | Self::Login | Self::Ntlm | Self::XOAuth2 | Self::Anonymous
        )
    }

    /// Reports whether it binds the login to the TLS connection.
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
            assert_eq!(
                Mechanism::named(&mechanism.name().to_lowercase()),
                Some(mechanism)
            );
        }
        assert_eq!(Mechanism::named("DIGEST-MD5"), None);
    }
}
