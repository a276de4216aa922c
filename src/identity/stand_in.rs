//! Notices that a server sends in place of a message that it can't deliver.

use super::header::{Field, fields, unfolded};

/// The most fields that such a notice has.
const MOST_FIELDS: usize = 40;

/// Returns what the notice says, for users, if these bytes aren't a message but a notice that the
/// server can't deliver it.
///
/// Exchange sends one for a message that it fails to convert, Courier for one that another session
/// has expunged.
pub fn stand_in(message: &[u8]) -> Option<&'static str> {
    let mut from = Vec::new();
    let mut subject = Vec::new();
    for field in fields(message).take(MOST_FIELDS) {
        if field.is("From") && from.is_empty() {
            from = lower(&field);
        } else if field.is("Subject") && subject.is_empty() {
            subject = lower(&field);
        }
    }
    let is_of = |name: &[u8]| from.windows(name.len()).any(|part| part == name);
    if subject.starts_with(b"retrieval using the imap4 protocol failed")
        && is_of(b"microsoft exchange server")
    {
        return Some("its retrieval failed on the Exchange server");
    }
    if subject == b"message unavailable" && is_of(b"system administrator") {
        return Some("the message is no longer available on the server");
    }
    None
}

/// Returns the first bytes of a field's value in lower case.
fn lower(field: &Field<'_>) -> Vec<u8> {
    let value: Vec<u8> = unfolded(field.value).take(200).collect();
    value.trim_ascii().to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notices_are_told_from_messages_about_them() {
        let exchange = "From: Microsoft Exchange Server 2010\r\nTo: ann@example.org\r\n\
                        Subject: Retrieval using the IMAP4 protocol failed for the following message: 20004\r\n\r\nx";
        let quoted = "From: \"Microsoft Exchange Server\" <system@example.org>\r\n\
                      Subject: Retrieval using the IMAP4 protocol failed\r\n for the following message: 7\r\n\r\n";
        let courier = "From: System Administrator <root@localhost>\r\nSubject: message unavailable\r\n\r\n\
                       This message is no longer available on the server.\r\n";
        assert!(stand_in(exchange.as_bytes()).is_some_and(|text| text.contains("Exchange")));
        assert!(stand_in(quoted.as_bytes()).is_some());
        assert!(
            stand_in(courier.as_bytes()).is_some_and(|text| text.contains("no longer available"))
        );
        for message in [
            "From: ann@example.org\r\nSubject: Fwd: Retrieval using the IMAP4 protocol failed\r\n\r\n",
            "From: ann@example.org\r\nSubject: Retrieval using the IMAP4 protocol failed: what to do?\r\n\r\n",
            "From: Microsoft Exchange Server\r\nSubject: Welcome\r\n\r\nRetrieval using the IMAP4 protocol failed",
            "From: bob@example.org\r\nSubject: message unavailable\r\n\r\n",
            "From: System Administrator\r\nSubject: message unavailable again\r\n\r\n",
            "",
        ] {
            assert_eq!(stand_in(message.as_bytes()), None, "{message}");
        }
    }
}
