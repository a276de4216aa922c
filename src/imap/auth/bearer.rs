//! OAuth 2.0 access tokens: OAUTHBEARER (RFC 7628) and XOAUTH2, Google's and Microsoft's variant.
//!
//! A server that refuses sends its reason as JSON in a challenge, and its tagged NO only after an
//! answer to that. The JSON may repeat the token, so only a status that looks like one is ever
//! shown.
//!
//! rsasl supports both, but would only save the line that writes each message. It doesn't escape
//! `,` and `=` in a name, answers OAUTHBEARER's reason with nothing where RFC 7628 section 3.2.3
//! requires `%x01`, fails on a reason that it can't parse and leaves an empty one without the
//! answer that the server waits for.

use super::exchange::{Failure, Message, Sasl};
use crate::net::DialSettings;
use zeroize::Zeroizing;

struct Bearer {
    message: Option<Message>,
    /// The answer to the server's reason.
    end: &'static [u8],
    refusal: Option<String>,
}

/// Sends the token for a user, with the host that the client means.
pub(super) fn oauthbearer(
    user: &str,
    server: &DialSettings,
    token: &str,
) -> Result<Box<dyn Sasl>, Failure> {
    check(token)?;
    // RFC 5801 section 4 `saslname`.
    let user = user.replace('=', "=3D").replace(',', "=2C");
    let (host, port) = (&server.host, server.port);
    let message =
        format!("n,a={user},\u{1}host={host}\u{1}port={port}\u{1}auth=Bearer {token}\u{1}\u{1}");
    Ok(bearer(message, b"\x01"))
}

/// Sends the token for a user.
pub(super) fn xoauth2(user: &str, token: &str) -> Result<Box<dyn Sasl>, Failure> {
    check(token)?;
    Ok(bearer(
        format!("user={user}\u{1}auth=Bearer {token}\u{1}\u{1}"),
        b"",
    ))
}

fn bearer(message: String, end: &'static [u8]) -> Box<dyn Sasl> {
    Box::new(Bearer {
        message: Some(Zeroizing::new(message.into_bytes())),
        end,
        refusal: None,
    })
}

/// Checks that a token can't end its field.
fn check(token: &str) -> Result<(), Failure> {
    let is_whole = token.bytes().all(|byte| byte.is_ascii_graphic());
    if is_whole {
        Ok(())
    } else {
        Err(Failure::Unfit(
            "an access token is one ASCII word, and this isn't".to_owned(),
        ))
    }
}

impl Sasl for Bearer {
    fn initial(&mut self) -> Result<Option<Message>, Failure> {
        Ok(self.message.take())
    }

    fn answer(&mut self, challenge: &[u8]) -> Result<Message, Failure> {
        if self.refusal.is_some() {
            return Err(Failure::Refused("the access token".to_owned()));
        }
        self.refusal = Some(status(challenge));
        Ok(Zeroizing::new(self.end.to_vec()))
    }

    fn is_complete(&self) -> bool {
        self.refusal.is_none()
    }

    fn remark(&self) -> Option<String> {
        self.refusal.clone()
    }
}

/// Returns the status in a server's reason, if it is one: a number or a registered word.
fn status(json: &[u8]) -> String {
    let status = serde_json::from_slice::<serde_json::Value>(json)
        .ok()
        .and_then(|reason| match &reason["status"] {
            serde_json::Value::String(text) => Some(text.clone()),
            serde_json::Value::Number(number) => Some(number.to_string()),
            _ => None,
        });
    let is_word = |text: &String| {
        text.len() <= 24 && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
    };
    status.filter(is_word).map_or_else(
        || "it refuses the token".to_owned(),
        |status| format!("status {status}"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::TlsMode;
    use std::time::Duration;

    fn server() -> DialSettings {
        DialSettings {
            host: "server.example.com".to_owned(),
            port: 143,
            tls: TlsMode::StartTls,
            ca: None,
            pin: None,
            client_cert: None,
            client_key: None,
            timeout: Duration::from_secs(1),
            compression: crate::net::Compression::Auto,
            connect_timeout: Duration::from_secs(1),
        }
    }

    #[test]
    fn oauthbearer_as_in_rfc_7628() {
        let mut sasl = oauthbearer(
            "user@example.com",
            &server(),
            "vF9dft4qmTc2Nvb3RlckBhbHRhdmlzdGEuY29tCg==",
        )
        .unwrap();
        let expected = b"n,a=user@example.com,\x01host=server.example.com\x01port=143\x01\
                         auth=Bearer vF9dft4qmTc2Nvb3RlckBhbHRhdmlzdGEuY29tCg==\x01\x01";
        assert_eq!(sasl.initial().unwrap().unwrap().as_slice(), expected);
        let answer = sasl
            .answer(br#"{"status":"invalid_token","scope":"example_scope"}"#)
            .unwrap();
        assert_eq!(answer.as_slice(), b"\x01");
        assert_eq!(sasl.remark().as_deref(), Some("status invalid_token"));
        assert!(!sasl.is_complete(), "an OK after a refusal is none");
        assert!(sasl.answer(b"{}").is_err());
        let mut sasl = oauthbearer("a,b=c", &server(), "t").unwrap();
        assert!(
            sasl.initial()
                .unwrap()
                .unwrap()
                .starts_with(b"n,a=a=2Cb=3Dc,\x01")
        );
    }

    #[test]
    fn xoauth2_as_google_writes_it() {
        let mut sasl = xoauth2(
            "someuser@example.com",
            "ya29.vF9dft4qmTc2Nvb3RlckBhdHRhdmlzdGEuY29tCg",
        )
        .unwrap();
        let expected =
            b"user=someuser@example.com\x01auth=Bearer ya29.vF9dft4qmTc2Nvb3RlckBhdHRhdmlzdGEuY29tCg\x01\x01";
        assert_eq!(sasl.initial().unwrap().unwrap().as_slice(), expected);
        assert!(
            sasl.answer(br#"{"status":"401","schemes":"bearer"}"#)
                .unwrap()
                .is_empty()
        );
        assert_eq!(sasl.remark().as_deref(), Some("status 401"));
    }

    #[test]
    fn of_the_servers_reason_only_a_status_is_shown() {
        for json in [
            &b"not json"[..],
            br#"{"status":"Bearer ya29.secret"}"#,
            br#"{"status":{}}"#,
            b"",
        ] {
            assert_eq!(status(json), "it refuses the token");
        }
        assert_eq!(status(br#"{"status":400}"#), "status 400");
    }

    #[test]
    fn a_token_can_not_leave_its_field() {
        for token in ["a b", "a\u{1}b", "a\r\nb", "\u{e9}"] {
            assert!(
                xoauth2("ann", token).is_err() && oauthbearer("ann", &server(), token).is_err()
            );
        }
    }
}
