//! The mechanisms of a line or two: PLAIN (RFC 4616), LOGIN, EXTERNAL (RFC 4422 appendix A) and
//! ANONYMOUS (RFC 4505) through rsasl, and CRAM-MD5.

use super::exchange::{Failure, Message, Sasl, asks_too_much};
use super::library::{self, Session};
use super::scram::Binding;
use crate::address::Mechanism;
use hmac::{Hmac, KeyInit as _, Mac as _};
use md5::Md5;
use std::mem;
use zeroize::Zeroizing;

/// An exchange in which the server proves nothing. After a failure nothing more is accepted.
struct Simple {
    session: Session,
    is_over: bool,
}

/// Starts PLAIN, LOGIN, EXTERNAL or ANONYMOUS. EXTERNAL sends only `authzid`, and ANONYMOUS only
/// `user`.
pub(super) fn begin(
    mechanism: Mechanism,
    authzid: Option<&str>,
    user: &str,
    password: &str,
) -> Result<Box<dyn Sasl>, Failure> {
    if mechanism == Mechanism::Plain && password.contains('\0') {
        return Err(Failure::Unfit("a password can't contain a NUL".to_owned()));
    }
    let session = library::start(mechanism, Binding::None, authzid, user, password)?;
    Ok(Box::new(Simple {
        session,
        is_over: false,
    }))
}

impl Simple {
    fn step(&mut self, challenge: Option<&[u8]>) -> Result<Message, Failure> {
        if mem::replace(&mut self.is_over, true) {
            return Err(asks_too_much());
        }
        // rsasl rejects only an empty password for PLAIN.
        let stepped = library::step(&mut self.session, challenge);
        let (state, message) =
            stepped.map_err(|_| Failure::Unfit("the password is empty".to_owned()))?;
        self.is_over = state.is_finished();
        Ok(message)
    }
}

impl Sasl for Simple {
    fn initial(&mut self) -> Result<Option<Message>, Failure> {
        // In LOGIN the server begins, and its questions vary.
        if self.session.are_we_first() {
            self.step(None).map(Some)
        } else {
            Ok(None)
        }
    }

    fn answer(&mut self, challenge: &[u8]) -> Result<Message, Failure> {
        self.step(Some(challenge))
    }
}

/// Answers with a hash of the challenge keyed with the password (RFC 2195). rsasl has no CRAM-MD5.
pub(super) fn cram_md5(user: &str, password: &str) -> Box<dyn Sasl> {
    let password = Zeroizing::new(password.as_bytes().to_vec());
    Box::new(CramMd5 {
        user: user.to_owned(),
        password: Some(password),
    })
}

struct CramMd5 {
    user: String,
    /// Gone after use.
    password: Option<Message>,
}

impl Sasl for CramMd5 {
    fn initial(&mut self) -> Result<Option<Message>, Failure> {
        Ok(None)
    }

    fn answer(&mut self, challenge: &[u8]) -> Result<Message, Failure> {
        let password = self.password.take().ok_or_else(asks_too_much)?;
        let mac = Hmac::<Md5>::new_from_slice(&password);
        let mac = mac
            .map_err(|_| Failure::Unfit("the password can't be a key".to_owned()))?
            .chain_update(challenge);
        let digits: String = mac
            .finalize()
            .into_bytes()
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        Ok(Zeroizing::new(
            format!("{} {digits}", self.user).into_bytes(),
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn initial(mut sasl: Box<dyn Sasl>) -> Vec<u8> {
        let message = sasl.initial().unwrap().unwrap().to_vec();
        assert!(sasl.answer(b"more").is_err());
        message
    }

    #[test]
    fn one_message_says_it_all() {
        let plain = |authzid, password| begin(Mechanism::Plain, authzid, "ann", password);
        assert_eq!(initial(plain(None, "s3cret").unwrap()), b"\0ann\0s3cret");
        assert_eq!(
            initial(plain(Some("bob"), "p\u{e4}ss").unwrap()),
            "bob\0ann\0p\u{e4}ss".as_bytes()
        );
        assert_eq!(
            initial(begin(Mechanism::External, Some("ann"), "", "").unwrap()),
            b"ann"
        );
        assert_eq!(
            initial(begin(Mechanism::Anonymous, None, "x@example.org", "").unwrap()),
            b"x@example.org"
        );
        assert!(plain(None, "a\0b").is_err());
        assert!(plain(None, "").unwrap().initial().is_err());
    }

    #[test]
    fn login_answers_two_questions() {
        let mut sasl = begin(Mechanism::Login, None, "ann", "s3cret").unwrap();
        assert!(sasl.initial().unwrap().is_none());
        assert_eq!(&**sasl.answer(b"Username:").unwrap(), b"ann");
        assert_eq!(&**sasl.answer(b"whatever").unwrap(), b"s3cret");
        assert_eq!(sasl.answer(b"Again:").unwrap_err(), asks_too_much());
    }

    #[test]
    fn cram_md5_as_in_rfc_2195() {
        let mut sasl = cram_md5("tim", "tanstaaftanstaaf");
        assert!(sasl.initial().unwrap().is_none());
        let answer = sasl
            .answer(b"<1896.697170952@postoffice.reston.mci.net>")
            .unwrap();
        assert_eq!(&**answer, b"tim b913a602c7eda7a495b4e6e7334d3890");
        assert!(sasl.answer(b"<again>").is_err());
    }
}
