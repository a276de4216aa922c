//! A server's capabilities (RFC 3501 section 6.1.1). Only what it announces after login counts.
//!
//! Names are compared in upper case, and a name that isn't known here is kept and does no harm.

use super::wire::LiteralMode;
use crate::mail::Rights;
use std::collections::BTreeSet;

/// A server's capabilities, in upper case.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Capabilities(BTreeSet<String>);

impl Capabilities {
    /// Makes the set from the names that a server listed.
    pub fn new(names: impl IntoIterator<Item = String>) -> Self {
        Self(
            names
                .into_iter()
                .map(|name| name.to_ascii_uppercase())
                .collect(),
        )
    }

    /// Reports whether the server has this one.
    pub fn has(&self, name: &str) -> bool {
        self.0.contains(name)
    }

    /// Leaves out capabilities that the server announces and doesn't have.
    pub fn remove(&mut self, names: &[&str]) {
        self.0.retain(|name| !names.contains(&name.as_str()));
    }

    /// Reports whether it speaks this protocol: IMAP4rev1 or IMAP4rev2. The older IMAP4 is another
    /// (RFC 1730).
    pub fn is_imap(&self) -> bool {
        self.has("IMAP4REV1") || self.has("IMAP4REV2")
    }

    /// Yields the names of the SASL mechanisms that it offers.
    ///
    /// `capability = ("AUTH=" auth-type) / atom` (RFC 3501 section 9).
    pub fn mechanisms(&self) -> impl Iterator<Item = &str> {
        self.0.iter().filter_map(|name| name.strip_prefix("AUTH="))
    }

    /// Returns how literals may be sent.
    pub fn literal_mode(&self) -> LiteralMode {
        if self.has("LITERAL+") {
            LiteralMode::Plus
        } else if self.has("LITERAL-") || self.has("IMAP4REV2") {
            LiteralMode::Minus
        } else {
            LiteralMode::Synchronizing
        }
    }

    /// Returns the rights that it has besides those of RFC 2086 (RIGHTS=, RFC 4314); `None`: it has
    /// the older ones alone.
    ///
    /// `rights-capa = "RIGHTS=" new-rights` (RFC 4314 section 6).
    pub fn new_rights(&self) -> Option<Rights> {
        let text = self
            .0
            .iter()
            .find_map(|name| name.strip_prefix("RIGHTS="))?;
        Some(Rights::parse(&text.to_ascii_lowercase()).unwrap_or_default())
    }

    /// Returns the size of the largest message that it accepts, if it says so (APPENDLIMIT, RFC
    /// 7889).
    ///
    /// `capability =/ "APPENDLIMIT" ["=" number]` (RFC 7889 section 5).
    pub fn append_limit(&self) -> Option<u64> {
        self.0
            .iter()
            .find_map(|name| name.strip_prefix("APPENDLIMIT=")?.parse().ok())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn capabilities(text: &str) -> Capabilities {
        Capabilities::new(text.split(' ').map(str::to_owned))
    }

    #[test]
    fn names_have_no_case() {
        let panda = capabilities("IMAP4REV1 Literal+ uidplus");
        assert!(panda.is_imap() && panda.has("UIDPLUS"));
        assert_eq!(panda.literal_mode(), LiteralMode::Plus);
        assert!(!capabilities("IMAP4 AUTH=PLAIN").is_imap());
    }

    #[test]
    fn literals_go_as_the_server_allows() {
        assert_eq!(
            capabilities("IMAP4REV1 LITERAL-").literal_mode(),
            LiteralMode::Minus
        );
        assert_eq!(capabilities("IMAP4REV2").literal_mode(), LiteralMode::Minus);
        assert_eq!(
            capabilities("IMAP4REV1").literal_mode(),
            LiteralMode::Synchronizing
        );
    }

    #[test]
    fn reads_the_append_limit() {
        assert_eq!(
            capabilities("IMAP4REV1 APPENDLIMIT=35651584").append_limit(),
            Some(35_651_584)
        );
        assert_eq!(capabilities("IMAP4REV1 APPENDLIMIT").append_limit(), None);
    }
}
