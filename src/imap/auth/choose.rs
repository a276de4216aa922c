//! Chooses the mechanism: of those that the server offers and the credentials fit, the one that
//! protects most. Pure.
//!
//! On an encrypted connection CRAM-MD5 comes last: it adds no protection there, and many servers
//! offer it to users for whom it can't work. There, to act for another user, PLAIN comes first:
//! Dovecot's SCRAM would compare with the other user's password.

use super::credentials::Kind;
use crate::address::{Mechanism, Proof};
use crate::imap::{Capabilities, Error};

use Mechanism::{
    CramMd5, External, Login, Ntlm, OAuthBearer, Plain, ScramSha1, ScramSha1Plus, ScramSha256,
    ScramSha256Plus, XOAuth2,
};

const ENCRYPTED: [Mechanism; 8] = [
    ScramSha256Plus,
    ScramSha1Plus,
    ScramSha256,
    ScramSha1,
    Plain,
    Login,
    CramMd5,
    Ntlm,
];
const FOR_OTHERS: [Mechanism; 5] = [
    Plain,
    ScramSha256Plus,
    ScramSha1Plus,
    ScramSha256,
    ScramSha1,
];
const NOT_ENCRYPTED: [Mechanism; 6] = [ScramSha256, ScramSha1, CramMd5, Plain, Login, Ntlm];
const TOKENS: [Mechanism; 2] = [OAuthBearer, XOAuth2];

/// How to log in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// AUTHENTICATE.
    Sasl(Mechanism),
    /// The LOGIN command (RFC 3501 section 6.2.3).
    Command,
}

impl Way {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Sasl(mechanism) => mechanism.name(),
            Self::Command => "LOGIN",
        }
    }

    /// Returns the mechanism to remember.
    pub(super) fn mechanism(self) -> Mechanism {
        match self {
            Self::Sasl(mechanism) => mechanism,
            Self::Command => Login,
        }
    }

    pub(super) fn binds_channel(self) -> bool {
        matches!(self, Self::Sasl(mechanism) if mechanism.binds_channel())
    }

    pub(super) fn proof(self) -> Proof {
        match self {
            Self::Sasl(mechanism) => mechanism.proof(),
            Self::Command => Proof::Password,
        }
    }
}

/// What the user has provided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Held {
    Nothing,
    Secret(Kind),
}

/// What the choice depends on.
#[derive(Clone, Copy)]
pub(super) struct Situation<'a> {
    pub(super) offered: &'a Capabilities,
    pub(super) wanted: Option<Mechanism>,
    pub(super) held: Held,
    pub(super) has_certificate: bool,
    pub(super) has_authzid: bool,
    /// Whether the TLS connection has something to bind a login to.
    pub(super) can_bind: bool,
    /// Whether the server has refused to bind the login to it.
    pub(super) gave_up_binding: bool,
    pub(super) is_encrypted: bool,
    /// Whether user and password are ASCII.
    pub(super) is_ascii: bool,
}

/// Chooses how to log in.
///
/// # Errors
/// [`Error::NoMechanism`] with what the server offers and what to do, or [`Error::NoLogin`] if the
/// server forbids passwords on this connection.
pub(super) fn choose(situation: &Situation<'_>) -> Result<Way, Error> {
    match situation.wanted {
        Some(wanted) => check_wanted(situation, wanted),
        None => situation.best(),
    }
}

/// Reports whether the server offers to bind logins to the TLS connection.
pub(super) fn offers_binding(offered: &Capabilities) -> bool {
    [ScramSha256Plus, ScramSha1Plus]
        .into_iter()
        .any(|mechanism| is_listed(offered, mechanism))
}

/// Lists the mechanisms that a server offers, for an error.
pub(super) fn list(offered: &Capabilities) -> String {
    let names: Vec<&str> = offered.mechanisms().collect();
    if names.is_empty() {
        "no mechanism".to_owned()
    } else {
        names.join(", ")
    }
}

fn is_listed(offered: &Capabilities, mechanism: Mechanism) -> bool {
    offered.mechanisms().any(|name| name == mechanism.name())
}

fn check_wanted(situation: &Situation<'_>, wanted: Mechanism) -> Result<Way, Error> {
    if situation.has_authzid && !wanted.takes_authzid() {
        return Err(Error::NoMechanism {
            text: format!("{wanted} can't act for another user, as authzid= requires"),
            hint: "use auth=PLAIN with authzid=, or a SCRAM mechanism".to_owned(),
        });
    }
    if wanted.binds_channel() && !situation.can_bind {
        return Err(Error::NoMechanism {
            text: format!("{wanted} needs TLS and a certificate to bind to"),
            hint: "use imaps://, or omit auth=".to_owned(),
        });
    }
    if let Some(way) = situation.way_of(wanted) {
        return Ok(way);
    }
    // A server that lists none may still accept one.
    if situation.offered.mechanisms().next().is_none() && !situation.forbids_passwords(wanted) {
        return Ok(Way::Sasl(wanted));
    }
    if situation.forbids_passwords(wanted) {
        return Err(forbidden());
    }
    Err(Error::NoMechanism {
        text: format!(
            "the server doesn't offer {wanted}, which auth= asks for; it offers {}",
            list(situation.offered)
        ),
        hint: "choose one of these with auth=, or omit auth=".to_owned(),
    })
}

fn forbidden() -> Error {
    let text = "the server forbids passwords on this connection (LOGINDISABLED) and offers no usable mechanism; use TLS";
    Error::NoLogin(text.to_owned())
}

/// Reports whether the mechanism of the last login, which protects more than what is left now, has
/// disappeared from the list.
pub(super) fn is_downgrade(situation: &Situation<'_>, last: Mechanism, way: Way) -> bool {
    let now = way.mechanism();
    let order = situation.preferences();
    let rank = |wanted: Mechanism| order.iter().position(|mechanism| *mechanism == wanted);
    let both_carry_the_token = [last, now]
        .iter()
        .all(|mechanism| TOKENS.contains(mechanism));
    let both_show_the_password = [last, now]
        .iter()
        .all(|mechanism| [Plain, Login].contains(mechanism));
    let is_gone =
        !is_listed(situation.offered, last) || last.binds_channel() && situation.gave_up_binding;
    let is_weaker = rank(last)
        .zip(rank(now))
        .is_some_and(|(last, now)| last < now);
    is_gone && is_weaker && !both_carry_the_token && !both_show_the_password
}

impl Situation<'_> {
    fn best(&self) -> Result<Way, Error> {
        let fits = |mechanism: &Mechanism| !self.has_authzid || mechanism.takes_authzid();
        let mut fitting = self.preferences().into_iter().filter(fits);
        fitting
            .find_map(|mechanism| self.way_of(mechanism))
            .ok_or_else(|| self.nothing_fits())
    }

    /// Returns the mechanisms that fit the credentials, best first.
    fn preferences(&self) -> Vec<Mechanism> {
        let passwords: &[Mechanism] = match (self.is_encrypted, self.has_authzid) {
            (true, false) => &ENCRYPTED,
            (true, true) => &FOR_OTHERS,
            (false, _) => &NOT_ENCRYPTED,
        };
        let certificate: &[Mechanism] = if self.has_certificate {
            &[External]
        } else {
            &[]
        };
        let secret: Vec<&Mechanism> = match self.held {
            Held::Nothing => Vec::new(),
            Held::Secret(Kind::Password) => passwords.iter().collect(),
            // Some servers accept a token in place of a password.
            Held::Secret(Kind::Token) => TOKENS.iter().chain(passwords).collect(),
            Held::Secret(Kind::Granted) => TOKENS.iter().collect(),
        };
        certificate.iter().chain(secret).copied().collect()
    }

    /// Returns how to log in with this mechanism, if the server offers it.
    fn way_of(&self, mechanism: Mechanism) -> Option<Way> {
        let is_listed = is_listed(self.offered, mechanism);
        let lists_none = self.offered.mechanisms().next().is_none();
        match mechanism {
            // One round trip rather than three, unless the server may not understand the
            // characters.
            Login if !self.offered.has("LOGINDISABLED") && (self.is_ascii || !is_listed) => {
                Some(Way::Command)
            }
            ScramSha256Plus | ScramSha1Plus if !self.can_bind => None,
            // LOGIN can't say for whom to act.
            Plain if self.has_authzid && lists_none && !self.forbids_passwords(Plain) => {
                Some(Way::Sasl(Plain))
            }
            _ => is_listed.then_some(Way::Sasl(mechanism)),
        }
    }

    /// Reports whether the server forbids passwords in plain text here.
    fn forbids_passwords(&self, mechanism: Mechanism) -> bool {
        matches!(mechanism, Plain | Login) && self.offered.has("LOGINDISABLED")
    }

    fn nothing_fits(&self) -> Error {
        let offers = list(self.offered);
        let hint = match self.held {
            Held::Nothing => "pass a password; the certificate alone isn't enough here",
            Held::Secret(Kind::Granted) => {
                "this server doesn't accept access tokens: pass a password, which takes precedence over what \
                 `mailferry login` stored, or choose a mechanism with auth="
            }
            _ if self.has_authzid => {
                "ask the server's administrator: authzid= needs PLAIN, SCRAM or OAUTHBEARER"
            }
            _ if TOKENS
                .iter()
                .any(|mechanism| is_listed(self.offered, *mechanism)) =>
            {
                "this server doesn't accept passwords: get an access token with `mailferry login`, or pass one in \
                 place of the password, with auth=XOAUTH2 or auth=OAUTHBEARER"
            }
            _ if self.offered.has("LOGINDISABLED") && !self.is_encrypted => return forbidden(),
            _ => {
                "mailferry supports none of these; ask the server's administrator for PLAIN or SCRAM-SHA-256"
            }
        };
        let text = format!("no usable login method: the server offers {offers}");
        Error::NoMechanism {
            text,
            hint: hint.to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PASSWORD: Held = Held::Secret(Kind::Password);
    const TOKEN: Held = Held::Secret(Kind::Token);

    fn offers(names: &str) -> Capabilities {
        Capabilities::new(names.split(' ').map(|name| match name {
            "LOGINDISABLED" => name.to_owned(),
            mechanism => format!("AUTH={mechanism}"),
        }))
    }

    fn situation(offered: &Capabilities) -> Situation<'_> {
        Situation {
            offered,
            wanted: None,
            held: PASSWORD,
            has_certificate: false,
            has_authzid: false,
            can_bind: true,
            gave_up_binding: false,
            is_encrypted: true,
            is_ascii: true,
        }
    }

    const EVERYTHING: &str = "PLAIN LOGIN CRAM-MD5 SCRAM-SHA-1 SCRAM-SHA-1-PLUS SCRAM-SHA-256 SCRAM-SHA-256-PLUS \
                              OAUTHBEARER XOAUTH2 EXTERNAL ANONYMOUS GSSAPI";

    #[test]
    fn the_strongest_that_fits() {
        let table = [
            (EVERYTHING, Way::Sasl(ScramSha256Plus)),
            (
                "PLAIN SCRAM-SHA-256 SCRAM-SHA-1-PLUS",
                Way::Sasl(ScramSha1Plus),
            ),
            ("PLAIN SCRAM-SHA-1 SCRAM-SHA-256", Way::Sasl(ScramSha256)),
            ("PLAIN CRAM-MD5 LOGIN", Way::Sasl(Plain)),
            ("CRAM-MD5 LOGINDISABLED", Way::Sasl(CramMd5)),
            ("LOGIN CRAM-MD5", Way::Command),
            ("LOGIN LOGINDISABLED", Way::Sasl(Login)),
            ("GSSAPI", Way::Command),
            ("NTLM LOGINDISABLED", Way::Sasl(Ntlm)),
        ];
        for (names, way) in table {
            assert_eq!(choose(&situation(&offers(names))).unwrap(), way, "{names}");
        }
    }

    #[test]
    fn what_the_connection_and_the_credentials_allow() {
        let all = offers(EVERYTHING);
        let usual = situation(&all);
        let table = [
            (
                Situation {
                    can_bind: false,
                    ..usual
                },
                Way::Sasl(ScramSha256),
            ),
            (
                Situation {
                    is_encrypted: false,
                    can_bind: false,
                    ..usual
                },
                Way::Sasl(ScramSha256),
            ),
            (
                Situation {
                    held: TOKEN,
                    ..usual
                },
                Way::Sasl(OAuthBearer),
            ),
            (
                Situation {
                    held: Held::Nothing,
                    has_certificate: true,
                    ..usual
                },
                Way::Sasl(External),
            ),
            (
                Situation {
                    wanted: Some(Login),
                    ..usual
                },
                Way::Command,
            ),
            (
                Situation {
                    wanted: Some(Login),
                    is_ascii: false,
                    ..usual
                },
                Way::Sasl(Login),
            ),
            (
                Situation {
                    has_authzid: true,
                    ..usual
                },
                Way::Sasl(Plain),
            ),
            (
                Situation {
                    has_authzid: true,
                    is_encrypted: false,
                    can_bind: false,
                    ..usual
                },
                Way::Sasl(ScramSha256),
            ),
            (
                Situation {
                    wanted: Some(ScramSha1),
                    has_authzid: true,
                    ..usual
                },
                Way::Sasl(ScramSha1),
            ),
        ];
        for (situation, way) in table {
            assert_eq!(choose(&situation).unwrap(), way);
        }
        let few = offers("PLAIN LOGIN CRAM-MD5");
        let usual = situation(&few);
        assert_eq!(
            choose(&Situation {
                is_encrypted: false,
                ..usual
            })
            .unwrap(),
            Way::Sasl(CramMd5)
        );
        assert_eq!(
            choose(&Situation {
                has_authzid: true,
                ..usual
            })
            .unwrap(),
            Way::Sasl(Plain)
        );
        assert_eq!(
            choose(&Situation {
                held: TOKEN,
                ..usual
            })
            .unwrap(),
            Way::Sasl(Plain)
        );
    }

    #[test]
    fn a_server_that_lists_none() {
        let none = Capabilities::new(["IMAP4REV1".to_owned()]);
        let usual = situation(&none);
        assert_eq!(choose(&usual).unwrap(), Way::Command);
        assert_eq!(
            choose(&Situation {
                has_authzid: true,
                ..usual
            })
            .unwrap(),
            Way::Sasl(Plain)
        );
        assert_eq!(
            choose(&Situation {
                wanted: Some(XOAuth2),
                ..usual
            })
            .unwrap(),
            Way::Sasl(XOAuth2)
        );
        let closed = Capabilities::new(["LOGINDISABLED".to_owned()]);
        let usual = Situation {
            is_encrypted: false,
            can_bind: false,
            ..situation(&closed)
        };
        for wanted in [None, Some(Plain), Some(Login)] {
            let error = choose(&Situation { wanted, ..usual }).unwrap_err();
            assert!(
                matches!(&error, Error::NoLogin(text) if text.contains("LOGINDISABLED")),
                "{wanted:?}: {error}"
            );
        }
    }

    #[test]
    fn errors_say_what_is_offered_and_what_to_do() {
        let tokens = offers("XOAUTH2 LOGINDISABLED");
        let usual = situation(&tokens);
        let other = offers("CRAM-MD5");
        let table = [
            (usual, "offers XOAUTH2", "access token"),
            (
                Situation {
                    held: Held::Nothing,
                    ..usual
                },
                "offers XOAUTH2",
                "pass a password",
            ),
            (
                Situation {
                    wanted: Some(Plain),
                    held: PASSWORD,
                    ..situation(&other)
                },
                "offers CRAM-MD5",
                "auth=",
            ),
            (
                Situation {
                    wanted: Some(CramMd5),
                    has_authzid: true,
                    ..situation(&other)
                },
                "authzid",
                "PLAIN",
            ),
            (
                Situation {
                    has_authzid: true,
                    ..situation(&other)
                },
                "offers CRAM-MD5",
                "administrator",
            ),
            (
                Situation {
                    wanted: Some(ScramSha1Plus),
                    can_bind: false,
                    ..usual
                },
                "needs TLS",
                "imaps://",
            ),
        ];
        for (situation, words, advice) in table {
            let Err(Error::NoMechanism { text, hint }) = choose(&situation) else {
                panic!("{words}")
            };
            assert!(
                text.contains(words) && hint.contains(advice),
                "{text}: {hint}"
            );
        }
    }

    #[test]
    fn a_granted_token_is_never_sent_as_a_password() {
        let (passwords, tokens) = (offers("PLAIN LOGIN SCRAM-SHA-256"), offers("PLAIN XOAUTH2"));
        let granted = Held::Secret(Kind::Granted);
        let Err(Error::NoMechanism { hint, .. }) = choose(&Situation {
            held: granted,
            ..situation(&passwords)
        }) else {
            panic!("a password mechanism was chosen")
        };
        assert!(hint.contains("doesn't accept access tokens"), "{hint}");
        assert_eq!(
            choose(&Situation {
                held: granted,
                ..situation(&tokens)
            })
            .unwrap(),
            Way::Sasl(XOAuth2)
        );
    }

    #[test]
    fn a_downgrade_is_what_was_stronger_and_is_gone() {
        let (plain, all) = (offers("PLAIN LOGIN CRAM-MD5"), offers(EVERYTHING));
        let usual = situation(&plain);
        let open = Situation {
            is_encrypted: false,
            can_bind: false,
            ..usual
        };
        let table = [
            (usual, ScramSha256, Way::Sasl(Plain), true),
            (usual, ScramSha1Plus, Way::Sasl(Plain), true),
            (open, CramMd5, Way::Sasl(Plain), false),
            (
                Situation {
                    offered: &offers("PLAIN"),
                    ..open
                },
                CramMd5,
                Way::Sasl(Plain),
                true,
            ),
            // Under TLS, CRAM-MD5 protects no more than PLAIN.
            (
                Situation {
                    offered: &offers("PLAIN"),
                    ..usual
                },
                CramMd5,
                Way::Sasl(Plain),
                false,
            ),
            (usual, Plain, Way::Command, false),
            (usual, Plain, Way::Sasl(ScramSha256), false),
            // It is still offered, but something else rules it out.
            (
                Situation {
                    can_bind: false,
                    ..situation(&all)
                },
                ScramSha256Plus,
                Way::Sasl(ScramSha256),
                false,
            ),
            (
                Situation {
                    can_bind: false,
                    gave_up_binding: true,
                    ..situation(&all)
                },
                ScramSha256Plus,
                Way::Sasl(ScramSha256),
                true,
            ),
            // Other credentials aren't a downgrade.
            (usual, OAuthBearer, Way::Sasl(Plain), false),
            (
                Situation {
                    held: TOKEN,
                    ..usual
                },
                OAuthBearer,
                Way::Sasl(Plain),
                true,
            ),
            (
                Situation {
                    held: TOKEN,
                    offered: &offers("XOAUTH2"),
                    ..usual
                },
                OAuthBearer,
                Way::Sasl(XOAuth2),
                false,
            ),
            (usual, External, Way::Sasl(Plain), false),
            (
                Situation {
                    has_certificate: true,
                    ..usual
                },
                External,
                Way::Sasl(Plain),
                true,
            ),
            (
                Situation {
                    has_authzid: true,
                    ..usual
                },
                ScramSha256,
                Way::Sasl(Plain),
                false,
            ),
        ];
        for (situation, last, way, expected) in table {
            assert_eq!(
                is_downgrade(&situation, last, way),
                expected,
                "{last} then {way:?}"
            );
        }
    }
}
