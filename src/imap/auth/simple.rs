//! The mechanisms that take a line or two: PLAIN (RFC 4616), LOGIN, EXTERNAL (RFC 4422 appendix A), ANONYMOUS (RFC 4505) and
//! CRAM-MD5 (RFC 2195).

use super::exchange::{Failure, Message, Sasl};
use hmac::{Hmac, KeyInit as _, Mac as _};
use md5::Md5;
use zeroize::Zeroizing;

/// One message from the client, and nothing from the server.
struct OneMessage(Option<Message>);

impl Sasl for OneMessage {
    fn initial(&mut self) -> Result<Option<Message>, Failure> {
        Ok(self.0.take())
    }

    fn answer(&mut self, _: &[u8]) -> Result<Message, Failure> {
        Err(asks_too_much())
    }
}

fn asks_too_much() -> Failure {
    Failure::Distrust("the server asks for more than the mechanism defines".to_owned())
}

fn one_message(parts: &[&str]) -> Box<dyn Sasl> {
    Box::new(OneMessage(Some(Zeroizing::new(parts.concat().into_bytes()))))
}

/// The password itself, and whom to act for.
pub(super) fn plain(authzid: Option<&str>, user: &str, password: &str) -> Result<Box<dyn Sasl>, Failure> {
    if password.contains('\0') {
        return Err(Failure::Unfit("a password can't contain a NUL".to_owned()));
    }
    Ok(one_message(&[authzid.unwrap_or(""), "\0", user, "\0", password]))
}

/// The server takes the name from the certificate, and checks that it may act for this user.
pub(super) fn external(authzid: &str) -> Box<dyn Sasl> {
    one_message(&[authzid])
}

/// Only a trace of who it is, which proves nothing.
pub(super) fn anonymous(trace: &str) -> Box<dyn Sasl> {
    one_message(&[trace])
}

/// The user's name and the password, each when asked for; what the questions say varies.
pub(super) fn login(user: &str, password: &str) -> Box<dyn Sasl> {
    let message = |text: &str| Zeroizing::new(text.as_bytes().to_vec());
    Box::new(Login { left: vec![message(password), message(user)] })
}

struct Login {
    /// The last comes first.
    left: Vec<Message>,
}

impl Sasl for Login {
    fn initial(&mut self) -> Result<Option<Message>, Failure> {
        Ok(None)
    }

    fn answer(&mut self, _: &[u8]) -> Result<Message, Failure> {
        self.left.pop().ok_or_else(asks_too_much)
    }
}

/// A hash of the challenge with the password as its key.
pub(super) fn cram_md5(user: &str, password: &str) -> Box<dyn Sasl> {
    let password = Zeroizing::new(password.as_bytes().to_vec());
    Box::new(CramMd5 { user: user.to_owned(), password: Some(password) })
}

struct CramMd5 {
    user: String,
    /// Gone once it has been used.
    password: Option<Message>,
}

impl Sasl for CramMd5 {
    fn initial(&mut self) -> Result<Option<Message>, Failure> {
        Ok(None)
    }

    fn answer(&mut self, challenge: &[u8]) -> Result<Message, Failure> {
        let password = self.password.take().ok_or_else(asks_too_much)?;
        let mac = Hmac::<Md5>::new_from_slice(&password);
        let mac = mac.map_err(|_| Failure::Unfit("the password can't be a key".to_owned()))?.chain_update(challenge);
        let digits: String = mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
        Ok(Zeroizing::new(format!("{} {digits}", self.user).into_bytes()))
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
        assert_eq!(initial(plain(None, "ann", "s3cret").unwrap()), b"\0ann\0s3cret");
        assert_eq!(initial(plain(Some("bob"), "ann", "p\u{e4}ss").unwrap()), "bob\0ann\0p\u{e4}ss".as_bytes());
        assert_eq!(initial(external("ann")), b"ann");
        assert_eq!(initial(anonymous("x@example.org")), b"x@example.org");
        assert!(plain(None, "ann", "a\0b").is_err());
    }

    #[test]
    fn login_answers_two_questions() {
        let mut sasl = login("ann", "s3cret");
        assert!(sasl.initial().unwrap().is_none());
        assert_eq!(&**sasl.answer(b"Username:").unwrap(), b"ann");
        assert_eq!(&**sasl.answer(b"whatever").unwrap(), b"s3cret");
        assert_eq!(sasl.answer(b"Again:").unwrap_err(), asks_too_much());
    }

    #[test]
    fn cram_md5_as_in_rfc_2195() {
        let mut sasl = cram_md5("tim", "tanstaaftanstaaf");
        assert!(sasl.initial().unwrap().is_none());
        let answer = sasl.answer(b"<1896.697170952@postoffice.reston.mci.net>").unwrap();
        assert_eq!(&**answer, b"tim b913a602c7eda7a495b4e6e7334d3890");
        assert!(sasl.answer(b"<again>").is_err());
    }
}
