//! What a server says about itself: CAPABILITY, ENABLED, ID, NAMESPACE (RFC 3501, RFC 5161, RFC
//! 2971, RFC 2342).

use super::cursor::{Cursor, Value};
use std::borrow::Cow;

/// One namespace: the prefix of its names, raw, and the separator of their levels.
pub type NamespacePrefix = (Vec<u8>, Option<char>);

/// NAMESPACE: where whose mailboxes are. Empty if the server said NIL.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Namespace {
    /// The user's own.
    pub personal: Vec<NamespacePrefix>,
    /// Other users'.
    pub other: Vec<NamespacePrefix>,
    /// Shared by all.
    pub shared: Vec<NamespacePrefix>,
}

/// Returns the capabilities in capitals. They may be separated by any number of blanks.
///
/// ```abnf
/// capability-data = "CAPABILITY" *(SP capability) SP "IMAP4rev1" *(SP capability) ; RFC 3501 section 9
/// enable-data     = "ENABLED" *(SP capability)                                    ; RFC 5161 section 4
/// capability      = ("AUTH=" auth-type) / atom
/// ```
/// IMAP4rev1 may be missing: `Capabilities::is_imap` checks that.
pub(super) fn capabilities(text: &[u8]) -> Vec<String> {
    let words = text
        .split(|byte| matches!(byte, b' ' | b'\t'))
        .filter(|word| !word.is_empty());
    words
        .map(|word| super::cursor::text(word.into()).to_ascii_uppercase())
        .collect()
}

/// Parses the fields of ID: `(name value …)`, `()` or NIL.
///
/// ```abnf
/// id_response    ::= "ID" SPACE id_params_list
/// id_params_list ::= "(" #(string SPACE nstring) ")" / nil
/// ```
/// (RFC 2971 section 4.) A name may be an atom, and the last one may lack its value.
pub(super) fn id(cursor: &mut Cursor<'_>) -> Option<Vec<(String, Option<String>)>> {
    let mut values = cursor.list()?.into_iter();
    let mut fields = Vec::new();
    while let Some(name) = values.next() {
        let value = values.next().and_then(Value::text).map(Cow::into_owned);
        fields.push((name.text()?.into_owned(), value));
    }
    Some(fields)
}

/// Parses three lists of namespaces; missing ones at the end are empty.
///
/// `namespace-response = "NAMESPACE" SP namespace SP namespace SP namespace` (RFC 9051 section 9;
/// originally RFC 2342).
pub(super) fn namespace(cursor: &mut Cursor<'_>) -> Option<Namespace> {
    let personal = prefixes(cursor)?;
    let mut later = || {
        if cursor.is_end() {
            Some(Vec::new())
        } else {
            prefixes(cursor)
        }
    };
    Some(Namespace {
        personal,
        other: later()?,
        shared: later()?,
    })
}

/// Parses one list of namespaces.
///
/// ```abnf
/// namespace       = nil / "(" 1*namespace-descr ")"
/// namespace-descr = "(" string SP (DQUOTE QUOTED-CHAR DQUOTE / nil) [namespace-response-extensions] ")"
/// ```
/// (RFC 9051 section 9.) The list may be empty, and a prefix may be an atom.
fn prefixes(cursor: &mut Cursor<'_>) -> Option<Vec<NamespacePrefix>> {
    match cursor.value()? {
        Value::Nil => return Some(Vec::new()),
        Value::Open => {}
        _ => return None,
    }
    let mut prefixes = Vec::new();
    while !cursor.eat(b')') {
        if !cursor.eat(b'(') {
            return None;
        }
        let prefix = cursor.value()?.bytes()?.into_owned();
        let separator = match cursor.value()? {
            Value::Nil => None,
            value => value.text()?.chars().next(),
        };
        // Extensions, each a name and a list, are skipped.
        while !cursor.eat(b')') {
            cursor.skip()?;
        }
        prefixes.push((prefix, separator));
    }
    Some(prefixes)
}
