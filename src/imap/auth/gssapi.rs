//! Kerberos through GSSAPI (RFC 4752): a ticket from `kinit` identifies the user, and the server
//! proves its identity, too.
//!
//! No security layer is negotiated: that is what TLS is for. Tickets are never passed on to the
//! server (delegation).
//!
//! rsasl supports GSSAPI, too, but requests every flag, delegation among them, can't act for
//! another user, and doesn't report whose ticket it used. It would also bring in a second version
//! of libgssapi.

use super::exchange::{Failure, Message, Sasl, asks_too_much};
use libgssapi::context::{ClientCtx, CtxFlags, SecurityContext as _};
use libgssapi::credential::{Cred, CredUsage};
use libgssapi::name::Name;
use libgssapi::oid::{GSS_MECH_KRB5, GSS_NT_HOSTBASED_SERVICE, OidSet};
use zeroize::Zeroizing;

/// The bit for "no security layer" (RFC 4752 section 3.3).
const NO_LAYER: u8 = 1;

/// Starts an exchange with the service `imap` on a host.
pub(super) fn begin(
    host: &str,
    user: &str,
    authzid: Option<&str>,
) -> Result<Box<dyn Sasl>, Failure> {
    let failed = |error: libgssapi::error::Error| {
        Failure::Unfit(format!("no Kerberos ticket (kinit gets one): {error}"))
    };
    let target = Name::new(
        format!("imap@{host}").as_bytes(),
        Some(GSS_NT_HOSTBASED_SERVICE),
    )
    .map_err(failed)?;
    let mut kerberos = OidSet::new();
    kerberos.add(GSS_MECH_KRB5).map_err(failed)?;
    let ticket = Cred::acquire(None, None, CredUsage::Initiate, Some(&kerberos)).map_err(failed)?;
    let flags =
        CtxFlags::GSS_C_MUTUAL_FLAG | CtxFlags::GSS_C_INTEG_FLAG | CtxFlags::GSS_C_SEQUENCE_FLAG;
    Ok(Box::new(Gssapi {
        context: ClientCtx::new(Some(ticket), target, flags, Some(GSS_MECH_KRB5)),
        user: user.to_owned(),
        authzid: authzid.unwrap_or_default().to_owned(),
        is_done: false,
    }))
}

struct Gssapi {
    context: ClientCtx,
    user: String,
    authzid: String,
    is_done: bool,
}

impl Sasl for Gssapi {
    fn initial(&mut self) -> Result<Option<Message>, Failure> {
        let token = self.context.step(None, None);
        let token = token.map_err(|error| {
            Failure::Unfit(format!("Kerberos has no ticket for this server: {error}"))
        })?;
        Ok(Some(token.map(|token| message(&token)).unwrap_or_default()))
    }

    fn answer(&mut self, challenge: &[u8]) -> Result<Message, Failure> {
        let wrong = |error: libgssapi::error::Error| {
            Failure::Distrust(format!("the server's response is invalid: {error}"))
        };
        if self.is_done {
            return Err(asks_too_much());
        }
        if !self.context.is_complete() {
            let token = self.context.step(Some(challenge), None).map_err(wrong)?;
            return Ok(token.map(|token| message(&token)).unwrap_or_default());
        }
        let principal = self.context.source_name().map_err(wrong)?.to_string();
        if self.authzid.is_empty() && !is_same_user(&principal, &self.user) {
            return Err(Failure::Unfit(format!(
                "the Kerberos ticket is for {principal}, not for the address's user"
            )));
        }
        let offer = self.context.unwrap(challenge).map_err(wrong)?;
        if offer.len() != 4 || offer[0] & NO_LAYER == 0 {
            return Err(Failure::Distrust(
                "the server demands a security layer of its own besides TLS".to_owned(),
            ));
        }
        let choice = [&[NO_LAYER, 0, 0, 0], self.authzid.as_bytes()].concat();
        let answer = self.context.wrap(false, &choice).map_err(wrong)?;
        self.is_done = true;
        Ok(message(&answer))
    }

    fn is_complete(&self) -> bool {
        self.is_done
    }
}

/// Reports whether a ticket for `ann@EXAMPLE.ORG` is one for `ann` or `ann@example.org`; otherwise
/// another user's mailbox would be filled.
fn is_same_user(principal: &str, user: &str) -> bool {
    let local = principal
        .split_once('@')
        .map_or(principal, |(local, _)| local);
    [principal, local]
        .iter()
        .any(|name| name.eq_ignore_ascii_case(user))
}

fn message(bytes: &[u8]) -> Message {
    Zeroizing::new(bytes.to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ticket_is_for_one_user() {
        for (user, expected) in [
            ("ann", true),
            ("Ann@example.org", true),
            ("bob", false),
            ("ann@other.org", false),
        ] {
            assert_eq!(is_same_user("ann@EXAMPLE.ORG", user), expected, "{user}");
        }
    }
}
