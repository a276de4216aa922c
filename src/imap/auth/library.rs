//! The exchanges that rsasl runs, and its callbacks. It has no CRAM-MD5 and no NTLM; `bearer` and
//! `gssapi` explain why they don't use it.

use super::exchange::{Failure, Message};
use super::scram::{Binding, END_POINT};
use crate::address::Mechanism;
use rsasl::callback::{Context, Request, SessionCallback, SessionData};
use rsasl::mechanisms::anonymous::{ANONYMOUS, AnonymousToken};
use rsasl::mechanisms::external::EXTERNAL;
use rsasl::mechanisms::login::LOGIN;
use rsasl::mechanisms::plain::PLAIN;
use rsasl::mechanisms::scram::{SCRAM_SHA1, SCRAM_SHA1_PLUS, SCRAM_SHA256, SCRAM_SHA256_PLUS};
use rsasl::prelude::{
    Mechanism as Implementation, Mechname, Registry, SASLClient, SASLConfig, SessionError, State,
};
use rsasl::property::{AuthId, AuthzId, OverrideCBType, Password};
use rsasl::validate::NoValidation;
use secrecy::{ExposeSecret as _, SecretString};
use zeroize::Zeroizing;

static IMPLEMENTED: &[Implementation] = &[
    PLAIN,
    LOGIN,
    EXTERNAL,
    ANONYMOUS,
    SCRAM_SHA1,
    SCRAM_SHA1_PLUS,
    SCRAM_SHA256,
    SCRAM_SHA256_PLUS,
];

/// An exchange.
pub(super) type Session = rsasl::prelude::Session<NoValidation, Binding>;

/// The answers to rsasl's questions.
struct Answers {
    authzid: Option<String>,
    user: String,
    password: SecretString,
    binds: bool,
}

impl SessionCallback for Answers {
    fn callback(
        &self,
        _: &SessionData,
        _: &Context<'_>,
        request: &mut Request<'_>,
    ) -> Result<(), SessionError> {
        if let Some(authzid) = &self.authzid {
            request.satisfy::<AuthzId>(authzid)?;
        }
        request
            .satisfy::<OverrideCBType>(END_POINT)?
            .satisfy::<AuthId>(&self.user)?;
        request.satisfy::<AnonymousToken>(&self.user)?;
        request.satisfy::<Password>(self.password.expose_secret().as_bytes())?;
        Ok(())
    }

    fn enable_channel_binding(&self) -> bool {
        self.binds
    }
}

/// Starts an exchange. ANONYMOUS uses the user's name as the trace.
pub(super) fn start(
    mechanism: Mechanism,
    binding: Binding,
    authzid: Option<&str>,
    user: &str,
    password: &str,
) -> Result<Session, Failure> {
    let broken = || Failure::Unfit("it can't be begun".to_owned());
    let answers = Answers {
        authzid: authzid.map(str::to_owned),
        user: user.to_owned(),
        password: password.into(),
        binds: binding != Binding::None,
    };
    let config = SASLConfig::builder()
        .with_registry(Registry::with_mechanisms(IMPLEMENTED))
        .with_callback(answers);
    let (Ok(config), Ok(name)) = (config, Mechname::parse(mechanism.name().as_bytes())) else {
        return Err(broken());
    };
    SASLClient::with_cb(config, binding)
        .start_suggested(&[name])
        .map_err(|_| broken())
}

/// Takes a challenge, or nothing at the beginning, and returns the message to send.
pub(super) fn step(
    session: &mut Session,
    challenge: Option<&[u8]>,
) -> Result<(State, Message), SessionError> {
    // A mechanism writes the password last and in one piece, so no copy of it stays behind when
    // this grows.
    let mut message = Zeroizing::new(Vec::new());
    let state = session.step(challenge, &mut *message)?;
    Ok((state, message))
}
