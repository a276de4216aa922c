//! Words, names and zones that messages are made of.

/// Words of a body.
pub(super) const WORDS: [&str; 64] = [
    "the", "of", "and", "to", "we", "meeting", "tomorrow", "invoice", "please", "find", "attached",
    "report", "for", "your", "review", "before", "Friday", "thanks", "regards", "project",
    "budget", "is", "was", "not", "ready", "yet", "but", "will", "be", "soon", "could", "you",
    "send", "me", "latest", "version", "schedule", "customer", "asked", "about", "delivery",
    "date", "contract", "signed", "by", "both", "parties", "see", "notes", "below", "question",
    "answer", "train", "flight", "hotel", "booked", "team", "lunch", "at", "noon", "server",
    "update", "weekend", "photos",
];

/// Words with letters beyond ASCII, for subjects and bodies.
pub(super) const FOREIGN: [&str; 16] = [
    "Grüße",
    "Übergabe",
    "année",
    "señor",
    "Straße",
    "naïve",
    "Łódź",
    "Привет",
    "встреча",
    "会议",
    "项目进度",
    "東京",
    "안녕하세요",
    "مرحبا",
    "Ελλάδα",
    "dönüş",
];

/// Senders: name and address.
pub(super) const PEOPLE: [(&str, &str); 14] = [
    ("Ann Smith", "ann.smith@example.org"),
    ("Bob O'Brien", "bob@example.com"),
    ("Jürgen Müller", "juergen.mueller@example.net"),
    ("Zoë Lefèvre", "zoe@example.org"),
    ("Łukasz Kowalski", "lukasz@example.com"),
    ("Анна Иванова", "anna@example.net"),
    ("王小明", "xiaoming.wang@example.org"),
    ("佐藤 花子", "hanako@example.com"),
    ("김민수", "minsu@example.net"),
    ("José Ángel Núñez", "jose@example.org"),
    ("Billing", "billing@shop.example.com"),
    ("rust-users", "rust-users@lists.example.org"),
    ("no reply", "no-reply@example.net"),
    ("Νίκος Παπαδόπουλος", "nikos@example.com"),
];

/// Zones: minutes east of UTC.
pub(super) const ZONES: [i32; 10] = [0, 60, 120, -300, -480, 330, 540, 90, -210, 765];
