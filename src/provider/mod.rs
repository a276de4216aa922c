//! What is known of mail providers and of kinds of IMAP servers: one table, for what mailferry does
//! and for what it advises.
//!
//! A provider is found by the host's name, the user's domain, `provider=` in an address, or what
//! the server says of itself (greeting, ID). Nothing here opens a connection.

mod table;

pub use table::ALL;

/// What is known of one provider, or of one kind of server.
#[derive(Debug, PartialEq, Eq)]
pub struct Provider {
    /// Its name in messages.
    pub name: &'static str,
    /// Its names in an address (`provider=`); the first is the usual one.
    pub keys: &'static [&'static str],
    /// Its IMAP servers; the first is the one to recommend. Empty for software that anyone may run.
    pub hosts: &'static [&'static str],
    /// The domains of its users.
    pub domains: &'static [&'static str],
    /// Parts of its servers' greeting or ID, in lower case.
    pub servers: &'static [&'static str],
    /// What its users need to log in.
    pub login: Option<&'static str>,
    /// How many connections a run opens.
    pub connections: ConnectionCount,
    /// What it allows an account a day.
    pub daily: Option<Daily>,
    /// Whether its servers only estimate a message's size (RFC822.SIZE).
    pub estimates_sizes: bool,
    /// Whether STATUS may return garbage for MAILBOXID (RFC 8474), which makes its whole reply
    /// unreadable. What opening a folder returns is right.
    pub garbles_mailbox_ids: bool,
    /// Whether a message that a folder already has isn't stored there a second time.
    pub merges_equal: bool,
    /// What the names of the user's own folders begin with, if its servers don't say (NAMESPACE).
    pub prefix: Option<&'static str>,
    /// What its servers do to flags.
    pub flags: FlagHabits,
    /// How it writes who has rights to a folder.
    pub identifiers: Identifiers,
    /// Capabilities that its servers announce and do not have, in upper case.
    pub lacks: &'static [&'static str],
}

/// How a server's PERMANENTFLAGS is to be taken: some list what they lose, others less than they
/// keep.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FlagHabits {
    /// Whether the flags given to APPEND may be ignored: they have to be looked at, and set again.
    pub ignores_appended: bool,
    /// Whether keywords are dropped.
    pub drops_keywords: bool,
    /// Whether it loses what it doesn't list, so that this isn't tried.
    pub lists_all: bool,
}

/// How a server writes who has rights to a folder (RFC 4314 section 3).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Identifiers {
    /// A name is a user; `anyone` is everyone.
    #[default]
    Plain,
    /// `$name` is a group, `!$name` overrides one; also `owner` and `authenticated`.
    Dovecot,
    /// `group:name` is a group.
    Cyrus,
    /// `user=name` and plain names are users, `group=name` is a group; also `owner` and
    /// `administrators`. Its SETACL takes no groups.
    Courier,
}

/// Numbers of connections to one account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConnectionCount {
    /// To begin with.
    pub usual: usize,
    /// At most, where more of them turn out to be faster.
    pub most: usize,
}

/// Bytes that an account may move in a day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Daily {
    /// Read from it.
    pub read: u64,
    /// Written to it.
    pub written: u64,
}

/// How many connections a server takes of which nothing is known.
pub const UNKNOWN: ConnectionCount = ConnectionCount { usual: 2, most: 4 };

impl Provider {
    /// Returns its usual name in an address.
    pub fn key(&self) -> &'static str {
        self.keys.first().copied().unwrap_or(self.name)
    }

    /// Returns the host of its IMAP server, if it runs one.
    pub fn host(&self) -> Option<&'static str> {
        self.hosts.first().copied()
    }

    /// Finds a provider by its name in an address, in any case.
    pub fn named(name: &str) -> Option<&'static Self> {
        let name = name.to_ascii_lowercase();
        find(|provider| provider.keys.contains(&name.as_str()))
    }

    /// Finds the provider that runs this host.
    pub fn of_host(host: &str) -> Option<&'static Self> {
        let host = host.to_ascii_lowercase();
        find(|provider| provider.hosts.contains(&host.as_str()))
    }

    /// Finds a user's provider by the domain after the `@`.
    pub fn of_user(user: &str) -> Option<&'static Self> {
        let domain = user.rsplit_once('@')?.1.to_ascii_lowercase();
        find(|provider| provider.domains.contains(&domain.as_str()))
    }

    /// Finds the provider or the kind of server by what the server says of itself: its greeting, or
    /// the name in its ID.
    pub fn of_server(says: &str) -> Option<&'static Self> {
        let says = says.to_ascii_lowercase();
        find(|provider| provider.servers.iter().any(|part| says.contains(part)))
    }

    /// Finds the known host that is spelled almost like this one, and not exactly, with the name of
    /// its provider.
    pub fn misspelled(host: &str) -> Option<(&'static str, &'static str)> {
        let host = host.to_ascii_lowercase();
        if Self::of_host(&host).is_some() {
            return None;
        }
        let known = ALL.iter().flat_map(|provider| {
            let hosts = provider.hosts.iter();
            hosts.map(|host| (*host, provider.name))
        });
        known
            .map(|(known, name)| (strsim::osa_distance(&host, known), (known, name)))
            .filter(|(distance, _)| *distance <= 2)
            .min_by_key(|(distance, _)| *distance)
            .map(|(_, known)| known)
    }
}

fn find(is_it: impl Fn(&Provider) -> bool) -> Option<&'static Provider> {
    ALL.iter().find(|provider| is_it(provider))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    fn name(provider: Option<&'static Provider>) -> Option<&'static str> {
        provider.map(|provider| provider.name)
    }

    #[test]
    fn providers_are_found_by_each_of_their_names() {
        assert_eq!(name(Provider::named("GMail")), Some("Gmail"));
        assert_eq!(name(Provider::named("google")), Some("Gmail"));
        assert_eq!(name(Provider::named("m365")), Some("Microsoft 365"));
        assert_eq!(name(Provider::named("")), None);
        assert_eq!(name(Provider::of_host("IMAP.gmail.com")), Some("Gmail"));
        assert_eq!(name(Provider::of_host("imap.example.org")), None);
        assert_eq!(name(Provider::of_user("ann@GMX.de")), Some("GMX"));
        assert_eq!(name(Provider::of_user("ann")), None);
    }

    #[test]
    fn misspelled_hosts_are_recognised_and_right_ones_are_not_corrected() {
        assert_eq!(
            Provider::misspelled("imap.gmial.com"),
            Some(("imap.gmail.com", "Gmail"))
        );
        assert_eq!(Provider::misspelled("mail.example.org"), None);
        for host in ALL.iter().flat_map(|provider| provider.hosts) {
            assert_eq!(Provider::misspelled(host), None, "{host}");
        }
    }

    #[test]
    fn servers_are_recognised_by_what_they_say() {
        for (says, expected) in [
            (
                "Gimap ready for requests from 192.0.2.1 x7mb",
                Some("Gmail"),
            ),
            ("GImap", Some("Gmail")),
            (
                "The Microsoft Exchange IMAP4 service is ready. [TABPADUA]",
                Some("Microsoft 365"),
            ),
            (
                "Microsoft Exchange Server 2016 IMAP4 server ready",
                Some("Exchange"),
            ),
            ("Dovecot (Debian) ready.", Some("Dovecot")),
            (
                "mx.example.org Cyrus IMAP 3.6.1 server ready",
                Some("Cyrus"),
            ),
            ("svwall.zoho.com IMAP4 Server", Some("Zoho")),
            (
                "Coremail System IMap Server Ready(163com[1])",
                Some("NetEase"),
            ),
            (
                "mail.example.org Zimbra IMAP4rev1 server ready",
                Some("Zimbra"),
            ),
            ("IMAP4 ready", None),
        ] {
            assert_eq!(name(Provider::of_server(says)), expected, "{says}");
        }
    }

    #[test]
    fn no_name_has_two_meanings() {
        let mut names = HashSet::new();
        for provider in ALL {
            for key in provider
                .keys
                .iter()
                .chain(provider.hosts)
                .chain(provider.domains)
            {
                assert_eq!(*key, key.to_ascii_lowercase());
                assert!(
                    names.insert(*key) || provider.domains.contains(key),
                    "{key}"
                );
            }
            assert!(!provider.keys.is_empty(), "{}", provider.name);
            assert!(provider.connections.usual <= provider.connections.most);
            for part in provider.servers {
                assert_eq!(*part, part.to_ascii_lowercase());
            }
        }
    }

    /// docs/usage.md has a row for each provider, with its names and numbers.
    #[test]
    fn the_documentation_lists_each_provider() {
        let docs = include_str!("../../docs/usage.md");
        for provider in ALL {
            let keys: Vec<String> = provider.keys.iter().map(|key| format!("`{key}`")).collect();
            let ConnectionCount { usual, most } = provider.connections;
            let connections = if usual == most {
                usual.to_string()
            } else {
                format!("{usual} to {most}")
            };
            let row = format!(
                "| {} | {} | {connections} | ",
                provider.name,
                keys.join(", ")
            );
            assert!(docs.contains(&row), "docs/usage.md lacks: {row}");
        }
    }
}
