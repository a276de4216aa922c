//! Providers and kinds of servers as data: what they say, word for word, and where they are odd.
//!
//! Each profile is a [`memory`](super::memory) server. None of the providers was asked: the texts
//! are those that users and other programs' authors have recorded.

use super::gmail::Labels;
use super::memory::{Broken, Fake, Manner, ModSeqs, Search, Strictness, Taking, Telling, Told};

/// A provider's or a server's.
pub struct Profile {
    pub name: &'static str,
    /// What an address needs besides the port, where the server's words don't show what it is.
    pub address: &'static str,
    pub manner: Manner,
    /// Its own folders by their raw names, with the attributes that it tells, if any.
    pub folders: &'static [(&'static str, &'static str)],
    /// The raw name of the folder with sent mail.
    pub sent: &'static str,
    /// What the raw names of users' own folders begin with.
    pub root: &'static str,
    /// Folders that show what others hold.
    pub views: &'static [&'static str],
}

impl Profile {
    pub fn start(&self) -> Fake {
        Fake::start(self.manner.clone(), self.folders)
    }
}

/// In messages that a server can't read.
pub const BROKEN: &str = "X-Lab: broken";

const SYSTEM: &str = "\\Answered \\Flagged \\Draft \\Deleted \\Seen";
const WITH_KEYWORDS: &str = "\\Answered \\Flagged \\Draft \\Deleted \\Seen \\*";
const ROOT: &str = r#"(("" "/")) NIL NIL"#;
const NOW: &str = "30-Nov-2026 12:00:00 +0000";
const NOTICE: &str = "From: Microsoft Exchange Server 2010\r\nSubject: Retrieval using the IMAP4 \
protocol failed for the following message: 20004\r\n\r\nThe server couldn't retrieve the following \
message:\r\n\r\nSubject: \"broken\"\r\n\r\nThe message hasn't been deleted. You might be able to \
view it using either Outlook or Outlook Web App.\r\n";

fn manner(greeting: &str, before: &str, after: &str) -> Manner {
    Manner {
        greeting: greeting.to_owned(),
        before: before.to_owned(),
        after: after.to_owned(),
        own_validities: true,
        at_once: if after.contains("LITERAL+") {
            usize::MAX
        } else if after.contains("LITERAL-") {
            4096
        } else {
            0
        },
        namespace: after.contains("NAMESPACE").then(|| ROOT.to_owned()),
        xlist: after.contains("XLIST"),
        telling: Telling {
            uid_next: true,
            roles: after.contains("SPECIAL-USE"),
            ..Telling::default()
        },
        ..Manner::default()
    }
}

fn profile(name: &'static str, manner: Manner) -> Profile {
    Profile {
        name,
        address: "",
        manner,
        folders: &[("Sent", ""), ("Drafts", ""), ("Trash", "")],
        sent: "Sent",
        root: "",
        views: &[],
    }
}

pub fn gmail() -> Profile {
    let before = "IMAP4rev1 UNSELECT IDLE NAMESPACE QUOTA ID XLIST CHILDREN X-GM-EXT-1 XYZZY \
                  SASL-IR AUTH=XOAUTH2 AUTH=PLAIN AUTH=PLAIN-CLIENTTOKEN AUTH=OAUTHBEARER \
                  AUTH=XOAUTH";
    let after = "IMAP4rev1 UNSELECT IDLE NAMESPACE QUOTA ID XLIST CHILDREN X-GM-EXT-1 UIDPLUS \
                 COMPRESS=DEFLATE ENABLE MOVE CONDSTORE ESEARCH UTF8=ACCEPT LIST-EXTENDED \
                 LIST-STATUS LITERAL- SPECIAL-USE APPENDLIMIT=35651584";
    let mut manner = manner(
        "OK Gimap ready for requests from 192.0.2.1 5b1f17b1804b1",
        before,
        after,
    );
    manner.told = Told::Untagged;
    manner.labels = Labels::Others;
    manner.lists = Some("\\Answered \\Flagged \\Draft \\Deleted \\Seen $Phishing $NotPhishing \\*");
    manner.telling.mod_seqs = ModSeqs::Right;
    manner.taking.names = Some(|name| {
        let is_blank = name.starts_with(' ') || name.ends_with(' ') || name.contains("  ");
        let reserved = ["muted", "trash", "drafts", "sent", "spam", "starred"];
        if is_blank {
            Some("NO [CANNOT] Folder contains excess whitespace (Failure)")
        } else if reserved.contains(&name.to_ascii_lowercase().as_str()) || name.contains('^') {
            Some("NO Folder name is not allowed. (Failure)")
        } else {
            None
        }
    });
    manner.taking.largest = Some((35_651_584, "NO [TOOBIG] Message too large. (Failure)"));
    Profile {
        folders: &[
            ("[Gmail]", "\\Noselect"),
            ("[Gmail]/All Mail", "\\HasNoChildren \\All"),
            ("[Gmail]/Drafts", "\\Drafts"),
            ("[Gmail]/Important", "\\Important"),
            ("[Gmail]/Sent Mail", "\\HasNoChildren \\Sent"),
            ("[Gmail]/Spam", "\\HasNoChildren \\Junk"),
            ("[Gmail]/Starred", "\\HasNoChildren \\Flagged"),
            ("[Gmail]/Trash", "\\HasNoChildren \\Trash"),
        ],
        sent: "[Gmail]/Sent Mail",
        views: &["[Gmail]/All Mail", "[Gmail]/Important", "[Gmail]/Starred"],
        ..profile("gmail", manner)
    }
}

fn microsoft(name: &'static str, manner: Manner) -> Profile {
    Profile {
        folders: &[
            ("Archive", ""),
            ("Deleted Items", ""),
            ("Drafts", ""),
            ("Junk Email", ""),
            ("Sent Items", ""),
        ],
        sent: "Sent Items",
        ..profile(name, manner)
    }
}

/// What all versions of Exchange have in common.
fn exchange_like(greeting: &str, before: &str, after: &str) -> Manner {
    Manner {
        keywords: false,
        lists: Some("\\Seen \\Answered \\Flagged \\Deleted \\Draft $MDNSent"),
        telling: Telling {
            blank: true,
            size: |bytes| (bytes + bytes / 3 + 40).to_string(),
            uid_next: true,
            broken: Some((BROKEN, Broken::Silence)),
            ..Telling::default()
        },
        taking: Taking {
            keywords: &["$MDNSent"],
            names: Some(|name| {
                ["files", "calendar", "contacts"]
                    .contains(&name.to_ascii_lowercase().as_str())
                    .then_some("NO Folder name is reserved")
            }),
            case_blind: true,
            bare_copyuid: true,
            ..Taking::default()
        },
        strictness: Strictness {
            line: Some((10_000, "BAD Command Error. 10")),
            refusals: Some((10, "Connection is closed. 13")),
            ..Strictness::default()
        },
        ..manner(greeting, before, after)
    }
}

pub fn m365() -> Profile {
    let manner = exchange_like(
        "OK The Microsoft Exchange IMAP4 service is ready. [TQBXAFIAUABSADEAMABDAEEAMAA=]",
        "IMAP4 IMAP4rev1 AUTH=PLAIN AUTH=XOAUTH2 SASL-IR UIDPLUS ID UNSELECT CHILDREN IDLE \
         NAMESPACE LITERAL+",
        "IMAP4 IMAP4rev1 AUTH=PLAIN AUTH=XOAUTH2 SASL-IR UIDPLUS MOVE ID UNSELECT \
         CLIENTACCESSRULES CLIENTNETWORKPRESENCELOCATION BACKENDAUTHENTICATE CHILDREN IDLE \
         NAMESPACE LITERAL+",
    );
    microsoft("m365", manner)
}

pub fn exchange_2010() -> Profile {
    let capabilities =
        "IMAP4 IMAP4rev1 AUTH=PLAIN STARTTLS UIDPLUS CHILDREN IDLE NAMESPACE LITERAL+";
    let mut manner = exchange_like(
        "OK The Microsoft Exchange IMAP4 service is ready.",
        capabilities,
        capabilities,
    );
    manner.taking.date = Some(NOW);
    manner.taking.largest = Some((
        10 << 20,
        "NO Maximum size of appendable message has been exceeded",
    ));
    manner.telling.broken = Some((BROKEN, Broken::Notice(NOTICE)));
    microsoft("exchange 2010", manner)
}

pub fn exchange_2019() -> Profile {
    let mut manner = exchange_like(
        "OK The Microsoft Exchange IMAP4 service is ready. [RQBYADAAMQA=]",
        "IMAP4 IMAP4rev1 AUTH=PLAIN SASL-IR UIDPLUS ID UNSELECT CHILDREN IDLE NAMESPACE LITERAL+",
        "IMAP4 IMAP4rev1 AUTH=PLAIN SASL-IR UIDPLUS MOVE ID UNSELECT CHILDREN IDLE NAMESPACE \
         LITERAL+",
    );
    manner.telling.size = |bytes| (bytes - bytes / 4).to_string();
    manner.telling.unordered = true;
    microsoft("exchange 2019", manner)
}

/// OVH's hosted Exchange, whose sizes lie, behind a proxy that hides what it is.
pub fn ovh() -> Profile {
    let mut manner = exchange_2019().manner;
    manner.greeting = "OK IMAP4 service ready.".to_owned();
    Profile {
        address: "&provider=ovh",
        ..microsoft("ovh", manner)
    }
}

fn yahoo_like(name: &'static str, host: &str) -> Profile {
    let after = "IMAP4rev1 SASL-IR AUTH=PLAIN AUTH=XOAUTH2 AUTH=OAUTHBEARER ID MOVE NAMESPACE \
                 XYMHIGHESTMODSEQ UIDPLUS LITERAL+ CHILDREN X-MSG-EXT UNSELECT OBJECTID";
    let greeting = format!("OK [CAPABILITY {after}] IMAP4rev1 Hello from {host}");
    let mut manner = manner(&greeting, after, after);
    manner.inbox = "Inbox".to_owned();
    manner.keywords = false;
    manner.lists = Some("\\Answered \\Deleted \\Draft \\Flagged \\Seen $Forwarded $Junk $NotJunk");
    manner.taking.keywords = &["$Forwarded", "$Junk", "$NotJunk"];
    manner.taking.unended =
        Some("BAD [CLIENTBUG] APPEND Additional arguments found after last expected argument");
    manner.telling.examined = Some("");
    manner.telling.remarks = &["* OK [HIGHESTMODSEQ 7]", "* OK [MAILBOXID (27)] Ok"];
    manner.telling.search = Search::AtMost(1000);
    manner.telling.plain_headers = true;
    manner.telling.broken = Some((
        BROKEN,
        Broken::Refusal("NO [UNAVAILABLE] UID FETCH Server error while fetching messages"),
    ));
    manner.strictness.line = Some((1_000, "BAD [CLIENTBUG] Command line too long"));
    Profile {
        folders: &[
            ("Archive", ""),
            ("Bulk", ""),
            ("Draft", ""),
            ("Sent", ""),
            ("Trash", ""),
        ],
        ..profile(name, manner)
    }
}

pub fn yahoo() -> Profile {
    yahoo_like("yahoo", "imap404.mail.ne1.yahoo.com")
}

pub fn aol() -> Profile {
    Profile {
        address: "&provider=aol",
        ..yahoo_like("aol", "imapgate")
    }
}

pub fn icloud() -> Profile {
    let greeting = "OK [CAPABILITY XAPPLEPUSHSERVICE IMAP4 IMAP4rev1 SASL-IR AUTH=ATOKEN \
                    AUTH=PLAIN] iSCREAM ready to rumble (1J217) st11p00im-iscream006";
    let after = "XAPPLEPUSHSERVICE IMAP4 IMAP4rev1 ACL QUOTA LITERAL+ NAMESPACE UIDPLUS CHILDREN \
                 BINARY UNSELECT SORT CATENATE URLAUTH LANGUAGE ESEARCH ESORT THREAD=ORDEREDSUBJECT \
                 THREAD=REFERENCES CONDSTORE ENABLE CONTEXT=SEARCH CONTEXT=SORT WITHIN SASL-IR \
                 SEARCHRES XSENDER X-NETSCAPE XSERVERINFO X-SUN-SORT ANNOTATE-EXPERIMENT-1 X-UNAUTHENTICATE \
                 X-SUN-IMAP X-ANNOTATEMORE XUM1 ID IDLE LIST-STATUS QRESYNC METADATA XAPPLELITERAL";
    let after = after.replace(" LITERAL+", "");
    let mut manner = manner(greeting, "IMAP4 IMAP4rev1 SASL-IR AUTH=PLAIN", &after);
    manner.told = Told::InTheOk;
    manner.lists = Some(
        "\\Answered \\Flagged \\Draft \\Deleted \\Seen $MailFlagBit0 $MailFlagBit1 $MailFlagBit2 \
         \\*",
    );
    manner.telling.mod_seqs = ModSeqs::Right;
    manner.telling.inbox = "\\Noinferiors";
    Profile {
        address: "&provider=icloud",
        folders: &[
            ("Archive", ""),
            ("Deleted Messages", ""),
            ("Drafts", ""),
            ("Junk", ""),
            ("Notes", ""),
            ("Sent Messages", ""),
        ],
        sent: "Sent Messages",
        ..profile("icloud", manner)
    }
}

pub fn zoho() -> Profile {
    let capabilities = "IMAP4rev1 UNSELECT CHILDREN XLIST NAMESPACE IDLE MOVE ID AUTH=PLAIN \
                        SASL-IR UIDPLUS ESEARCH LIST-EXTENDED LIST-STATUS WITHIN LITERAL- \
                        CONDSTORE APPENDLIMIT=";
    let mut manner = manner(
        "OK svwall.zoho.com IMAP4 Server (Zoho Mail IMAP4rev1 Server version 1.0)",
        &format!("{capabilities}10485760"),
        &format!("{capabilities}26214400"),
    );
    // Many folders have the same.
    manner.own_validities = false;
    manner.keywords = false;
    manner.lists = Some(SYSTEM);
    manner.telling.examined = Some("");
    manner.telling.mod_seqs = ModSeqs::Zero;
    manner.telling.remarks = &["* OK [HIGHESTMODSEQ 1706092971947030001]"];
    Profile {
        folders: &[
            ("Drafts", "\\Noinferiors \\Drafts"),
            ("Gesendet", "\\Noinferiors \\Sent"),
            ("Papierkorb", "\\Trash"),
            ("Spam", "\\Spam"),
        ],
        sent: "Gesendet",
        ..profile("zoho", manner)
    }
}

pub fn yandex() -> Profile {
    let capabilities = "IMAP4rev1 CHILDREN UNSELECT LITERAL+ NAMESPACE XLIST UIDPLUS ENABLE ID AUTH=PLAIN \
         AUTH=XOAUTH2 IDLE MOVE SASL-IR";
    let mut manner = manner(
        "OK Yandex IMAP4rev1 at imap45o.mail.yandex.net ready to talk with [192.0.2.1], \
         Mon Nov 30 12:00:00 2026",
        capabilities,
        capabilities,
    );
    manner.separator = Some('|');
    manner.namespace = Some(r#"(("" "|")) NIL NIL"#.to_owned());
    manner.lists = Some("\\Answered \\Seen \\Draft \\Deleted \\Flagged $Forwarded \\*");
    manner.telling.flags = "\\Answered \\Seen \\Draft \\Deleted $Forwarded";
    manner.telling.search = Search::Fails("NO [UNAVAILABLE] UID SEARCH Backend error");
    manner.telling.broken = Some((BROKEN, Broken::NoValue));
    manner.strictness.endless_bye = true;
    Profile {
        folders: &[
            (
                "&BB4EQgQ,BEAEMAQyBDsENQQ9BD0ESwQ1-",
                "\\HasNoChildren \\Sent \\Sent",
            ),
            ("&BCEEPwQwBDw-", "\\HasNoChildren \\Spam \\Spam"),
            (
                "&BCMENAQwBDsENQQ9BD0ESwQ1-",
                "\\HasNoChildren \\Trash \\Trash",
            ),
            ("Drafts", "\\Drafts \\Drafts"),
        ],
        sent: "&BB4EQgQ,BEAEMAQyBDsENQQ9BD0ESwQ1-",
        ..profile("yandex", manner)
    }
}

pub fn mail_ru() -> Profile {
    let capabilities = "IMAP4rev1 ID XLIST UIDPLUS UNSELECT MOVE LIST-STATUS AUTH=PLAIN";
    let mut manner = manner("OK Welcome", capabilities, capabilities);
    manner.lists = Some(WITH_KEYWORDS);
    manner.telling.size = |bytes| format!("{bytes:e}");
    Profile {
        address: "&provider=mail.ru",
        folders: &[
            ("&BB4EQgQ,BEAEMAQyBDsENQQ9BD0ESwQ1-", "\\Sent"),
            ("&BCEEPwQwBDw-", "\\Spam"),
            ("&BBoEPgRABDcEOAQ9BDA-", "\\Trash"),
        ],
        sent: "&BB4EQgQ,BEAEMAQyBDsENQQ9BD0ESwQ1-",
        ..profile("mail.ru", manner)
    }
}

fn netease_like(name: &'static str, manner: Manner) -> Profile {
    let manner = Manner {
        keywords: false,
        lists: Some(SYSTEM),
        telling: Telling {
            search: Search::Nothing,
            ..manner.telling
        },
        strictness: Strictness {
            ascending: true,
            ..manner.strictness
        },
        ..manner
    };
    Profile {
        folders: &[
            ("&g0l6P3ux-", "\\Drafts"),
            ("&XfJT0ZAB-", "\\Sent"),
            ("&XfJSIJZk-", "\\Trash"),
        ],
        sent: "&XfJT0ZAB-",
        ..profile(name, manner)
    }
}

pub fn netease() -> Profile {
    let capabilities = "IMAP4rev1 XLIST SPECIAL-USE ID LITERAL+ STARTTLS APPENDLIMIT=71680000 XAPPLEPUSHSERVICE \
         UIDPLUS X-CM-EXT-1 SASL-IR AUTH=PLAIN AUTH=XOAUTH2";
    let mut manner = manner(
        "OK Coremail System IMap Server Ready(163com[10774b260cc7a37d26d71b52404dcf5c])",
        capabilities,
        capabilities,
    );
    manner.strictness.id_first =
        Some("NO SELECT Unsafe Login. Please contact kefu@188.com for help");
    netease_like("netease", manner)
}

pub fn qq() -> Profile {
    let greeting = "OK [CAPABILITY IMAP4 IMAP4rev1 ID AUTH=PLAIN AUTH=LOGIN AUTH=XOAUTH2 \
                    NAMESPACE] QQMail XMIMAP4Server ready";
    let after = "IMAP4 IMAP4rev1 XLIST MOVE IDLE XAPPLEPUSHSERVICE NAMESPACE CHILDREN ID UIDPLUS";
    let before = "IMAP4 IMAP4rev1 ID AUTH=PLAIN AUTH=LOGIN AUTH=XOAUTH2 NAMESPACE";
    let mut manner = manner(greeting, before, after);
    manner.told = Told::InTheOk;
    Profile {
        folders: &[
            ("Deleted Messages", "\\Trash"),
            ("Drafts", "\\Drafts"),
            ("Junk", "\\Spam"),
            ("Sent Messages", "\\Sent"),
        ],
        sent: "Sent Messages",
        ..netease_like("qq", manner)
    }
}

/// The server software of GMX, WEB.DE and IONOS.
fn nemesis(name: &'static str, host: &str) -> Profile {
    let capabilities = "IMAP4rev1 CHILDREN ENABLE ID IDLE LIST-EXTENDED LIST-STATUS LITERAL- MOVE NAMESPACE \
         SASL-IR SORT SPECIAL-USE THREAD=ORDEREDSUBJECT UIDPLUS UNSELECT WITHIN AUTH=LOGIN \
         AUTH=PLAIN";
    let greeting = format!("OK [CAPABILITY {capabilities}] IMAP server ready H {host} 129 IMAP-1");
    let mut manner = manner(&greeting, capabilities, capabilities);
    manner.lists = Some(WITH_KEYWORDS);
    // They leave out UIDNEXT and HIGHESTMODSEQ.
    manner.telling.uid_next = false;
    Profile {
        folders: &[
            ("Entw&APw-rfe", "\\Drafts"),
            ("Gel&APY-scht", "\\Trash"),
            ("Gesendet", "\\Sent"),
            ("Spamverdacht", "\\Junk"),
        ],
        sent: "Gesendet",
        ..profile(name, manner)
    }
}

pub fn gmx() -> Profile {
    nemesis("gmx", "migmx027")
}

pub fn web_de() -> Profile {
    Profile {
        address: "&provider=web.de",
        ..nemesis("web.de", "miweb104")
    }
}

pub fn ionos() -> Profile {
    Profile {
        address: "&provider=ionos",
        ..nemesis("ionos", "mieue105")
    }
}

pub fn strato() -> Profile {
    let capabilities = "IMAP4rev1 LITERAL+ SASL-IR ID CHILDREN NAMESPACE UIDPLUS QUOTA XLIST LIST-EXTENDED \
         LIST-STATUS SPECIAL-USE CONDSTORE ENABLE UNSELECT STATUS=SIZE AUTH=PLAIN \
         APPENDLIMIT=104857600";
    let mut manner = manner("OK IMAP4rev1 ready", capabilities, capabilities);
    manner.separator = Some('.');
    manner.namespace = Some(r#"(("" ".")) NIL NIL"#.to_owned());
    // Both are announced, and tell nothing.
    manner.xlist = false;
    manner.telling.roles = false;
    manner.telling.mod_seqs = ModSeqs::Right;
    Profile {
        address: "&provider=strato",
        folders: &[
            ("Drafts", ""),
            ("Sent Items", ""),
            ("Spam", ""),
            ("Trash", ""),
        ],
        sent: "Sent Items",
        ..profile("strato", manner)
    }
}

pub fn proton_bridge() -> Profile {
    let mut manner = manner(
        "OK [CAPABILITY AUTH=PLAIN ID IDLE IMAP4rev1 STARTTLS] Proton Mail Bridge 03.04.00 - \
         gluon session ID 1",
        "AUTH=PLAIN ID IDLE IMAP4rev1 STARTTLS",
        "AUTH=PLAIN ID IDLE IMAP4rev1 MOVE STARTTLS UIDPLUS UNSELECT",
    );
    manner.keywords = false;
    manner.lists = Some("\\Deleted \\Flagged \\Seen");
    manner.forgets = &["\\Answered", "\\Draft"];
    manner.taking.merges = true;
    manner.rewrites = Some(|bytes| {
        let id = bytes
            .iter()
            .fold(0_u64, |sum, byte| sum * 31 % 9_999_991 + u64::from(*byte));
        let ids = format!("X-Pm-Internal-Id: {id}==\r\nX-Pm-Gluon-Id: 7d-{id}\r\n");
        [ids.as_bytes(), bytes].concat()
    });
    manner.taking.names = Some(|name| {
        let is_below = name.starts_with("Folders/") || name.starts_with("Labels/");
        (!is_below).then_some("NO operation not allowed")
    });
    Profile {
        folders: &[
            ("All Mail", "\\All"),
            ("Drafts", "\\Drafts"),
            ("Folders", "\\Noselect"),
            ("Labels", "\\Noselect"),
            ("Sent", "\\Sent"),
            ("Spam", "\\Junk"),
            ("Trash", "\\Trash"),
        ],
        root: "Folders/",
        views: &["All Mail"],
        ..profile(
            "proton bridge",
            Manner {
                telling: Telling {
                    roles: true,
                    ..manner.telling.clone()
                },
                ..manner
            },
        )
    }
}

pub fn zimbra() -> Profile {
    let capabilities = "IMAP4rev1 ACL BINARY CATENATE CHILDREN CONDSTORE ENABLE ESEARCH ESORT I18NLEVEL=1 ID \
         IDLE LIST-EXTENDED LIST-STATUS LITERAL+ LOGIN-REFERRALS MULTIAPPEND NAMESPACE QRESYNC \
         QUOTA RIGHTS=ektx SASL-IR SEARCHRES SORT THREAD=ORDEREDSUBJECT UIDPLUS UNSELECT WITHIN \
         XLIST AUTH=PLAIN";
    let mut manner = manner(
        "OK mail.example.org Zimbra IMAP4rev1 server ready",
        capabilities,
        capabilities,
    );
    manner.telling.mod_seqs = ModSeqs::Right;
    manner.telling.plain_headers = true;
    manner.taking.copies = Some((1000, "NO COPY rejected, too many items in copy request"));
    manner.taking.names = Some(|name| {
        let first = name
            .split('/')
            .next()
            .unwrap_or_default()
            .to_ascii_lowercase();
        let is_bad =
            name.contains([':', '"', '\t']) || ["contacts", "calendar"].contains(&first.as_str());
        is_bad.then_some("NO CREATE failed")
    });
    manner.strictness.line = Some((10_240, "BAD maximum request length exceeded"));
    manner.strictness.refusals = Some((5, "Zimbra IMAP4rev1 server closing connection"));
    Profile {
        folders: &[
            ("Drafts", "\\Drafts"),
            ("Junk", "\\Spam"),
            ("Sent", "\\Sent"),
            ("Trash", "\\Trash"),
        ],
        ..profile("zimbra", manner)
    }
}

pub fn domino() -> Profile {
    let capabilities = "IMAP4rev1 AUTH=PLAIN LITERAL+ NAMESPACE QUOTA UIDPLUS";
    let mut manner = manner(
        "OK Domino IMAP4 Server Release 9.0.1FP3 ready Mon, 30 Nov 2026 12:00:00 +0100",
        capabilities,
        capabilities,
    );
    manner.separator = Some('\\');
    manner.namespace = Some(r#"(("" "\\")) NIL NIL"#.to_owned());
    manner.inbox = "Inbox".to_owned();
    manner.keywords = false;
    manner.lists = Some(SYSTEM);
    manner.telling.inbox = "\\Noinferiors";
    manner.telling.unordered = true;
    manner.telling.date = Some("00-Jan-0000 00:00:00 +0000");
    manner.rewrites = Some(other_domain);
    profile("domino", manner)
}

pub fn hmail() -> Profile {
    let mut manner = manner(
        "OK IMAPrev1",
        "IMAP4 IMAP4rev1 CHILDREN IDLE QUOTA SORT ACL NAMESPACE RIGHTS=texk",
        "IMAP4 IMAP4rev1 CHILDREN IDLE QUOTA SORT ACL NAMESPACE RIGHTS=texk",
    );
    manner.separator = Some('.');
    manner.namespace = Some(r#"(("" ".")) NIL NIL"#.to_owned());
    manner.keywords = false;
    manner.lists = Some(WITH_KEYWORDS);
    manner.strictness.ascending = true;
    // It stores the end of the command's line, too.
    manner.rewrites = Some(|bytes| [bytes, b"\r\n"].concat());
    manner.taking.largest = Some((
        20 << 20,
        "NO Message size exceeds fixed maximum message size. Size: 21000 KB, Max size: 20480 KB",
    ));
    profile("hmail", manner)
}

pub fn mailenable() -> Profile {
    let capabilities = "IMAP4rev1 CHILDREN UIDPLUS IDLE AUTH=LOGIN AUTH=PLAIN";
    let mut manner = manner(
        "OK IMAP4rev1 server ready at 11/30/26 12:00:00",
        capabilities,
        capabilities,
    );
    manner.keywords = false;
    manner.lists = Some(SYSTEM);
    manner.only_store = true;
    manner.rewrites = Some(|bytes| {
        let bytes = other_domain(bytes);
        let end = bytes.windows(4).position(|end| end == b"\r\n\r\n");
        let (header, body) = bytes.split_at(end.unwrap_or(bytes.len()));
        let mut squeezed = header.to_vec();
        squeezed.dedup_by(|one, other| *one == b' ' && *other == b' ');
        [&squeezed, body].concat()
    });
    profile("mailenable", manner)
}

pub fn communigate() -> Profile {
    let capabilities = "IMAP4 IMAP4REV1 ACL NAMESPACE UIDPLUS IDLE LITERAL+ QUOTA ID MULTIAPPEND LISTEXT \
         CHILDREN BINARY LOGIN-REFERRALS UNSELECT SASL-IR AUTH=PLAIN";
    let manner = manner(
        "OK CommuniGate Pro IMAP Server 6.2.15 at mail.example.org ready",
        capabilities,
        capabilities,
    );
    Profile {
        folders: &[("Drafts", ""), ("Sent Items", ""), ("Trash", "")],
        sent: "Sent Items",
        ..profile("communigate", manner)
    }
}

/// Another domain in the Message-ID.
fn other_domain(bytes: &[u8]) -> Vec<u8> {
    let Some(start) = bytes.windows(13).position(|word| word == b"Message-ID: <") else {
        return bytes.to_vec();
    };
    let at = start
        + bytes[start..]
            .iter()
            .position(|byte| *byte == b'@')
            .unwrap();
    let end = at + bytes[at..].iter().position(|byte| *byte == b'>').unwrap();
    [&bytes[..=at], b"this.other.server", &bytes[end..]].concat()
}
