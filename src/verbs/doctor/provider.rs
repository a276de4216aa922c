//! What is known of large providers, for advice only: nothing here changes how mailferry works.

/// A provider's IMAP service.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Provider {
    /// Its name.
    pub(super) name: &'static str,
    /// Where its IMAP server is.
    pub(super) host: &'static str,
    /// Domains of its users.
    domains: &'static [&'static str],
    /// What its users need to log in.
    pub(super) login: &'static str,
    /// Bytes that it delivers in a day, and bytes that it takes.
    pub(super) daily: Option<[u64; 2]>,
}

const APP_PASSWORD: &str = "create an app password in the account's security settings and use it";
const MEGABYTE: u64 = 1_000_000;

/// The providers, with the addresses under which they are known.
const PROVIDERS: &[Provider] = &[
    Provider {
        name: "Gmail",
        host: "imap.gmail.com",
        domains: &["gmail.com", "googlemail.com"],
        login: "create an app password in the Google account's security settings and use it, or use an OAuth token \
                (auth=XOAUTH2)",
        daily: Some([2_500 * MEGABYTE, 500 * MEGABYTE]),
    },
    Provider {
        name: "Microsoft 365",
        host: "outlook.office365.com",
        domains: &["outlook.com", "hotmail.com", "live.com", "msn.com"],
        login: "Microsoft no longer accepts passwords for IMAP: use an OAuth token (auth=XOAUTH2), and have IMAP \
                enabled for the mailbox",
        daily: None,
    },
    Provider {
        name: "Yahoo",
        host: "imap.mail.yahoo.com",
        domains: &["yahoo.com", "ymail.com"],
        login: APP_PASSWORD,
        daily: None,
    },
    Provider {
        name: "AOL",
        host: "imap.aol.com",
        domains: &["aol.com"],
        login: APP_PASSWORD,
        daily: None,
    },
    Provider {
        name: "iCloud",
        host: "imap.mail.me.com",
        domains: &["icloud.com", "me.com", "mac.com"],
        login: "create an app-specific password in the Apple account; the user is often the part before the @",
        daily: None,
    },
    Provider {
        name: "Fastmail",
        host: "imap.fastmail.com",
        domains: &["fastmail.com", "fastmail.fm"],
        login: "create an app password with IMAP access in the account's settings",
        daily: None,
    },
    Provider {
        name: "Zoho",
        host: "imap.zoho.com",
        domains: &["zoho.com"],
        login: "enable IMAP in the mailbox's settings, and create an app password if two-factor login is on",
        daily: None,
    },
    Provider {
        name: "Yandex",
        host: "imap.yandex.com",
        domains: &["yandex.com", "yandex.ru"],
        login: "enable IMAP in the mailbox's settings and create an app password",
        daily: None,
    },
    Provider {
        name: "GMX",
        host: "imap.gmx.net",
        domains: &["gmx.net", "gmx.de", "gmx.com"],
        login: "enable IMAP in the mailbox's settings: it is off by default, and again after long inactivity",
        daily: None,
    },
    Provider {
        name: "WEB.DE",
        host: "imap.web.de",
        domains: &["web.de"],
        login: "enable IMAP in the mailbox's settings: it is off by default, and again after long inactivity",
        daily: None,
    },
    Provider {
        name: "mail.ru",
        host: "imap.mail.ru",
        domains: &["mail.ru"],
        login: "create a password for external applications in the mailbox's settings",
        daily: None,
    },
    Provider {
        name: "QQ",
        host: "imap.qq.com",
        domains: &["qq.com"],
        login: "use the authorisation code from the mailbox's settings, not the password",
        daily: None,
    },
    Provider {
        name: "163",
        host: "imap.163.com",
        domains: &["163.com"],
        login: "use the authorisation code from the mailbox's settings, not the password",
        daily: None,
    },
];

/// Whose server a host is.
pub(super) fn of_host(host: &str) -> Option<&'static Provider> {
    let host = host.to_ascii_lowercase();
    PROVIDERS.iter().find(|provider| provider.host == host)
}

/// Whose user somebody is, by the domain behind the `@`.
pub(super) fn of_user(user: &str) -> Option<&'static Provider> {
    let domain = user.rsplit_once('@')?.1.to_ascii_lowercase();
    PROVIDERS
        .iter()
        .find(|provider| provider.domains.contains(&domain.as_str()))
}

/// A known host that is spelled almost like this one.
pub(super) fn misspelled(host: &str) -> Option<&'static Provider> {
    let host = host.to_ascii_lowercase();
    PROVIDERS
        .iter()
        .find(|provider| (1..=2).contains(&strsim::osa_distance(&host, provider.host)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn providers_by_host_user_and_misspelling() {
        let name = |provider: Option<&'static Provider>| provider.map(|provider| provider.name);
        assert_eq!(name(of_host("IMAP.gmail.com")), Some("Gmail"));
        assert_eq!(name(of_host("imap.example.org")), None);
        assert_eq!(name(of_user("ann@GMX.de")), Some("GMX"));
        assert_eq!(name(of_user("ann")), None);
        assert_eq!(name(misspelled("imap.gmial.com")), Some("Gmail"));
        assert_eq!(
            name(misspelled("imap.gmail.com")),
            None,
            "that is how it is spelled"
        );
        assert_eq!(name(misspelled("mail.example.org")), None);
    }
}
