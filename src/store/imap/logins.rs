//! The logins of one account in this run: how many connections are open, how many its server
//! bears, and whether it has refused the password.
//!
//! A refused password is never sent again: servers lock accounts for that.

use crate::locks::lock;
use crate::store::{Error, ErrorKind};
use std::sync::{Arc, Mutex};

/// What is known of an account's logins.
#[derive(Debug, Default)]
pub(super) struct Logins(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    open: usize,
    /// The most connections that the server has borne, once it has refused another one.
    most: Option<usize>,
    /// Why the server refused the password.
    refused: Option<Error>,
}

/// An open connection, counted until this is dropped.
#[derive(Debug)]
pub(super) struct Login(Arc<Logins>);

impl Login {
    /// Reports whether no other connection is open.
    pub(super) fn is_only(&self) -> bool {
        lock(&self.0.0).open == 1
    }
}

impl Drop for Login {
    fn drop(&mut self) {
        lock(&self.0.0).open -= 1;
    }
}

impl Logins {
    /// Makes a connection, unless the server has refused the password before.
    ///
    /// # Errors
    /// Why it failed, or failed before.
    pub(super) fn attempt<T>(
        self: &Arc<Self>,
        log_in: impl FnOnce() -> Result<T, Error>,
    ) -> Result<(T, Login), Error> {
        if let Some(error) = &lock(&self.0).refused {
            return Err(error.clone());
        }
        let result = log_in();
        let mut state = lock(&self.0);
        match result {
            Ok(session) => {
                state.open += 1;
                Ok((session, Login(Arc::clone(self))))
            }
            Err(error) => {
                state.note(&error);
                Err(error)
            }
        }
    }

    /// Reports whether any connection is open.
    pub(super) fn are_open(&self) -> bool {
        lock(&self.0).open > 0
    }

    /// Returns how many connections the server bears, if it has refused one.
    pub(super) fn most(&self) -> Option<usize> {
        lock(&self.0).most
    }
}

impl State {
    fn note(&mut self, error: &Error) {
        match error.kind {
            // The password is right, as others are logged in with it: servers say this of one
            // connection too many, too.
            ErrorKind::Authentication if self.open > 0 => self.most = Some(self.open),
            ErrorKind::Authentication => self.refused = Some(error.clone()),
            ErrorKind::TooManyConnections => self.most = Some(self.open.max(1)),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fail(logins: &Arc<Logins>, kind: ErrorKind) -> ErrorKind {
        let login = logins.attempt(|| Err::<(), _>(Error::new(kind, "no")));
        login.unwrap_err().kind
    }

    #[test]
    fn a_refused_password_is_not_sent_again() {
        let logins = Arc::<Logins>::default();
        let kind = fail(&logins, ErrorKind::Authentication);
        assert_eq!(kind, ErrorKind::Authentication);
        let mut is_sent = false;
        let again = logins.attempt(|| {
            is_sent = true;
            Ok(())
        });
        assert_eq!(again.unwrap_err().kind, ErrorKind::Authentication);
        assert!(!is_sent);
    }

    #[test]
    fn one_connection_too_many_shows_how_many_are_borne() {
        for kind in [ErrorKind::Authentication, ErrorKind::TooManyConnections] {
            let logins = Arc::<Logins>::default();
            let two = [(), ()].map(|()| logins.attempt(|| Ok(())).unwrap());
            assert_eq!(logins.most(), None);
            assert_eq!(fail(&logins, kind), kind);
            assert_eq!(logins.most(), Some(2));
            drop(two);
            logins.attempt(|| Ok(())).unwrap();
        }
        let logins = Arc::<Logins>::default();
        fail(&logins, ErrorKind::TooManyConnections);
        assert_eq!(logins.most(), Some(1), "others use the account");
        fail(&logins, ErrorKind::Lost);
        logins.attempt(|| Ok(())).unwrap();
    }
}
