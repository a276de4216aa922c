//! The providers and servers, and what is known of each.
//!
//! Limits are the providers' own where they publish them, and else what users report. Where nothing
//! is known of a server, two connections are usual and four the most.

use super::{ConnectionCount, Daily, FlagHabits, Identifiers, Provider, UNKNOWN};

const MEGABYTE: u64 = 1_000_000;
const APP_PASSWORD: &str = "create an app password in the account's security settings and use it";
const AUTHORISATION_CODE: &str =
    "use the authorisation code from the mailbox's settings, not the password";
const NEMESIS: &str = "enable IMAP in the mailbox's settings: it is off by default, and again \
                       after long inactivity";
const ENABLE_AND_APP_PASSWORD: &str =
    "enable IMAP in the mailbox's settings and create an app password";

const USUAL_FLAGS: FlagHabits = FlagHabits {
    ignores_appended: false,
    drops_keywords: false,
    lists_all: false,
};

/// A provider of which nothing is known but its names.
const OTHER: Provider = Provider {
    name: "",
    keys: &[],
    hosts: &[],
    domains: &[],
    servers: &[],
    login: None,
    connections: UNKNOWN,
    daily: None,
    estimates_sizes: false,
    garbles_mailbox_ids: false,
    merges_equal: false,
    prefix: None,
    flags: USUAL_FLAGS,
    identifiers: Identifiers::Plain,
    lacks: &[],
};

const FEW: ConnectionCount = ConnectionCount { usual: 2, most: 2 };
const SOME: ConnectionCount = ConnectionCount { usual: 2, most: 3 };
const MANY: ConnectionCount = ConnectionCount { usual: 4, most: 8 };

/// All of them. The first whose name a server says is the one, so a provider comes before the
/// software that it runs.
pub const ALL: &[Provider] = &[
    Provider {
        name: "Gmail",
        keys: &["google", "gmail"],
        hosts: &["imap.gmail.com", "imap.googlemail.com"],
        domains: &["gmail.com", "googlemail.com"],
        servers: &["gimap"],
        login: Some(
            "create an app password in the Google account's security settings and use it, or use \
             an OAuth token (auth=XOAUTH2)",
        ),
        // It allows 15 to an account, all programs together.
        connections: MANY,
        daily: Some(Daily {
            read: 2_500 * MEGABYTE,
            written: 500 * MEGABYTE,
        }),
        ..OTHER
    },
    Provider {
        name: "Microsoft 365",
        keys: &["microsoft", "m365", "office365", "outlook"],
        hosts: &["outlook.office365.com", "imap-mail.outlook.com"],
        domains: &["outlook.com", "hotmail.com", "live.com", "msn.com"],
        servers: &["the microsoft exchange imap4 service"],
        login: Some(
            "Microsoft no longer accepts passwords for IMAP: use an OAuth token (auth=XOAUTH2), \
             and have IMAP enabled for the mailbox",
        ),
        connections: SOME,
        estimates_sizes: true,
        ..OTHER
    },
    Provider {
        name: "Exchange",
        keys: &["exchange"],
        servers: &["exchange"],
        connections: SOME,
        estimates_sizes: true,
        ..OTHER
    },
    Provider {
        name: "Yahoo",
        keys: &["yahoo"],
        hosts: &["imap.mail.yahoo.com"],
        domains: &["yahoo.com", "ymail.com"],
        servers: &["yahoo"],
        login: Some(APP_PASSWORD),
        connections: FEW,
        ..OTHER
    },
    Provider {
        name: "AOL",
        keys: &["aol"],
        hosts: &["imap.aol.com"],
        domains: &["aol.com"],
        login: Some(APP_PASSWORD),
        connections: FEW,
        ..OTHER
    },
    Provider {
        name: "iCloud",
        keys: &["icloud"],
        hosts: &["imap.mail.me.com"],
        domains: &["icloud.com", "me.com", "mac.com"],
        login: Some(
            "create an app-specific password in the Apple account; the user is often the part \
             before the @",
        ),
        connections: SOME,
        // It says OK to ENABLE and enables nothing.
        lacks: &["QRESYNC"],
        ..OTHER
    },
    Provider {
        name: "Fastmail",
        keys: &["fastmail"],
        hosts: &["imap.fastmail.com"],
        domains: &["fastmail.com", "fastmail.fm"],
        login: Some("create an app password with IMAP access in the account's settings"),
        connections: MANY,
        // Its servers are Cyrus.
        garbles_mailbox_ids: true,
        identifiers: Identifiers::Cyrus,
        ..OTHER
    },
    Provider {
        name: "Zoho",
        keys: &["zoho"],
        hosts: &["imap.zoho.com", "imap.zoho.eu", "imap.zoho.in"],
        domains: &["zoho.com"],
        servers: &["zoho"],
        login: Some(
            "enable IMAP in the mailbox's settings, and create an app password if two-factor \
             login is on",
        ),
        connections: FEW,
        // It gives 0 or -1 as the MODSEQ of messages.
        lacks: &["CONDSTORE", "QRESYNC"],
        ..OTHER
    },
    Provider {
        name: "Yandex",
        keys: &["yandex"],
        hosts: &["imap.yandex.com", "imap.yandex.ru"],
        domains: &["yandex.com", "yandex.ru"],
        servers: &["yandex"],
        login: Some(ENABLE_AND_APP_PASSWORD),
        connections: FEW,
        ..OTHER
    },
    Provider {
        name: "GMX",
        keys: &["gmx"],
        hosts: &["imap.gmx.net", "imap.gmx.com"],
        domains: &["gmx.net", "gmx.de", "gmx.com"],
        servers: &["gmx"],
        login: Some(NEMESIS),
        connections: FEW,
        ..OTHER
    },
    Provider {
        name: "WEB.DE",
        keys: &["web.de"],
        hosts: &["imap.web.de"],
        domains: &["web.de"],
        servers: &["web.de"],
        login: Some(NEMESIS),
        connections: FEW,
        ..OTHER
    },
    Provider {
        name: "Strato",
        keys: &["strato"],
        hosts: &["imap.strato.de", "imap.strato.com"],
        connections: FEW,
        ..OTHER
    },
    // GMX's and WEB.DE's software.
    Provider {
        name: "IONOS",
        keys: &["ionos", "1und1"],
        hosts: &[
            "imap.ionos.de",
            "imap.ionos.com",
            "imap.ionos.fr",
            "imap.ionos.es",
            "imap.1und1.de",
        ],
        connections: FEW,
        ..OTHER
    },
    Provider {
        name: "OVH hosted Exchange",
        keys: &["ovh"],
        hosts: &["ex.mail.ovh.net", "pro1.mail.ovh.net"],
        connections: SOME,
        estimates_sizes: true,
        ..OTHER
    },
    Provider {
        name: "mail.ru",
        keys: &["mail.ru"],
        hosts: &["imap.mail.ru"],
        domains: &["mail.ru"],
        login: Some("create a password for external applications in the mailbox's settings"),
        connections: FEW,
        ..OTHER
    },
    Provider {
        name: "QQ",
        keys: &["qq"],
        hosts: &["imap.qq.com"],
        domains: &["qq.com"],
        login: Some(AUTHORISATION_CODE),
        connections: ConnectionCount { usual: 1, most: 1 },
        ..OTHER
    },
    Provider {
        name: "NetEase",
        keys: &["netease", "163"],
        hosts: &["imap.163.com", "imap.126.com", "imap.yeah.net"],
        domains: &["163.com", "126.com", "yeah.net"],
        servers: &["coremail"],
        login: Some(AUTHORISATION_CODE),
        connections: ConnectionCount { usual: 1, most: 1 },
        ..OTHER
    },
    Provider {
        name: "Proton Mail Bridge",
        keys: &["proton"],
        servers: &["proton"],
        login: Some("use the password that Bridge shows for the mailbox, not the account's own"),
        connections: FEW,
        merges_equal: true,
        flags: FlagHabits {
            lists_all: true,
            ..USUAL_FLAGS
        },
        // It creates folders nowhere else.
        prefix: Some("Folders/"),
        ..OTHER
    },
    Provider {
        name: "Zimbra",
        keys: &["zimbra"],
        servers: &["zimbra"],
        connections: SOME,
        // It never says where the answers about one folder end and those about the next begin
        // (CLOSED, RFC 7162 section 3.2.11).
        lacks: &["QRESYNC"],
        ..OTHER
    },
    Provider {
        name: "Dovecot",
        keys: &["dovecot"],
        servers: &["dovecot"],
        // It allows 10 to a user and address.
        connections: MANY,
        identifiers: Identifiers::Dovecot,
        ..OTHER
    },
    Provider {
        name: "Cyrus",
        keys: &["cyrus"],
        servers: &["cyrus"],
        connections: MANY,
        // Cyrus 3.6 returns freed memory.
        garbles_mailbox_ids: true,
        identifiers: Identifiers::Cyrus,
        ..OTHER
    },
    Provider {
        name: "Courier",
        keys: &["courier"],
        servers: &["courier"],
        connections: MANY,
        identifiers: Identifiers::Courier,
        ..OTHER
    },
    Provider {
        name: "hMailServer",
        keys: &["hmailserver", "hmail"],
        servers: &["imaprev1", "hmailserver"],
        connections: SOME,
        flags: FlagHabits {
            drops_keywords: true,
            ..USUAL_FLAGS
        },
        ..OTHER
    },
    Provider {
        name: "MailEnable",
        keys: &["mailenable"],
        servers: &["imap4rev1 server ready at", "mailenable"],
        connections: SOME,
        flags: FlagHabits {
            ignores_appended: true,
            ..USUAL_FLAGS
        },
        ..OTHER
    },
];
