//! Makes connections to one account.

use super::breaks::Breaks;
use super::logins::Logins;
use super::session::{Session, at_first};
use crate::address::ImapAddress;
use crate::event::{Event, Observer, Stop};
use crate::imap::{self, Credentials, NoSecret, NoSecretCause, Recall, Secret, Trace};
use crate::locks::lock;
use crate::mail::Side;
use crate::net::{self, DialSettings, Dialer, FaultInjector};
use crate::provider::Provider;
use crate::store::budget::{Budget, Notebook, SystemClock, shown_time};
use crate::store::guard::Guarded;
use crate::store::{
    Access, AccountName, Connector, Error, ErrorKind, ReadConnector, ReadStore, Store,
};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

/// How long a server may be silent, unless the address sets a timeout.
const TIMEOUT: Duration = Duration::from_secs(120);
/// How long one address may take to accept a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(20);
/// A pause of this length is reported.
const NOTEWORTHY: Duration = Duration::from_secs(2);

/// An account on an IMAP server, with the credentials for it.
pub struct Account {
    pub(super) dialer: Dialer,
    credentials: Credentials,
    prefix: Option<String>,
    separator: Option<char>,
    max_connections: Option<usize>,
    /// The provider that the address names, or whose host it is.
    provider: Option<&'static Provider>,
    pub(super) name: AccountName,
    access: Access,
    observer: Arc<dyn Observer + Send + Sync>,
    /// Whether the observer gets the protocol trace.
    trace: bool,
    connections: AtomicU32,
    /// Until when the last pause lasts that was told.
    told_pause: Arc<Mutex<Option<SystemTime>>>,
    breaks: Arc<Breaks>,
    logins: Arc<Logins>,
    budget: Arc<Budget>,
}

/// The run that an account is used in.
pub struct AccountRun {
    /// Is told what happens.
    pub observer: Arc<dyn Observer + Send + Sync>,
    /// Whether the observer is shown the protocol.
    pub trace: bool,
    /// The user's request to end.
    pub stop: Arc<Stop>,
}

impl Account {
    /// Prepares to connect; nothing is sent yet.
    ///
    /// # Errors
    /// An unusable certificate file.
    pub fn new(
        address: &ImapAddress,
        secret: Secret,
        side: Side,
        access: Access,
        run: AccountRun,
    ) -> Result<Self, Error> {
        let settings = DialSettings {
            host: address.host.clone(),
            port: address.port,
            tls: address.tls,
            ca: address.ca.clone(),
            pin: address.pin,
            client_cert: address.client_cert.clone(),
            client_key: address.client_key.clone(),
            compression: address.compression,
            timeout: address.timeout.unwrap_or(TIMEOUT),
            connect_timeout: address
                .timeout
                .unwrap_or(CONNECT_TIMEOUT)
                .min(CONNECT_TIMEOUT),
        };
        Ok(Self {
            dialer: Dialer::new(settings, run.stop).map_err(|error| from_net(&error))?,
            credentials: Credentials::new(address, secret),
            prefix: address.prefix.clone(),
            separator: address.separator,
            max_connections: address.connections,
            provider: address
                .provider
                .or_else(|| Provider::of_host(&address.host)),
            name: AccountName {
                side,
                name: format!("{}@{}", address.user, address.host),
            },
            access,
            observer: run.observer,
            trace: run.trace,
            connections: AtomicU32::new(0),
            told_pause: Arc::default(),
            breaks: Arc::default(),
            logins: Arc::default(),
            budget: Arc::new(Budget::new(
                [None, None],
                Box::<Notebook>::default(),
                Arc::new(SystemClock),
            )),
        })
    }

    /// Limits what it may move in a day. All bytes count from now on.
    #[must_use]
    pub fn with_budget(mut self, budget: Budget) -> Self {
        self.budget = Arc::new(budget);
        self.dialer.count_by(Arc::<Budget>::clone(&self.budget));
        self
    }

    /// Makes it remember how it logs in, and what the last run used.
    #[must_use]
    pub fn with_recall(mut self, recall: Recall) -> Self {
        self.credentials.recall = recall;
        self
    }

    /// Makes connections break where the injector says, to test the consequences.
    #[must_use]
    pub fn with_faults(mut self, faults: Arc<dyn FaultInjector>) -> Self {
        self.dialer.inject_faults(faults);
        self
    }

    pub(super) fn tracer(&self) -> Option<Trace> {
        let connection = self.connections.fetch_add(1, Ordering::Relaxed) + 1;
        if !self.trace {
            return None;
        }
        let (observer, side) = (Arc::clone(&self.observer), self.name.side);
        Some(Box::new(move |direction, line| {
            observer.observe(&Event::Trace {
                side,
                connection,
                direction,
                line,
            });
        }))
    }
}

impl Account {
    /// Makes a connection, logged in.
    pub(super) fn session(&self) -> Result<Guarded<Session>, Error> {
        let named = |error: imap::Error| {
            let error = at_first(error, !self.logins.are_open());
            self.budget.heed(error).of(&self.name)
        };
        let log_in = || {
            let mut logged_in = imap::log_in(&self.dialer, &self.credentials, self.tracer())?;
            logged_in.connection.tell_pauses(self.pause_notice());
            Session::begin(logged_in, self.prefix.as_deref(), self.separator)
        };
        let (mut session, login) = self.logins.attempt(|| log_in().map_err(named))?;
        session.is_at(self.provider);
        session.user.clone_from(match &self.credentials.authzid {
            Some(authzid) => authzid,
            None => &self.credentials.user,
        });
        session.breaks = Arc::clone(&self.breaks);
        session.login = Some(login);
        let guarded = Guarded::new(session, self.access, self.name.clone());
        Ok(guarded.within(Arc::clone(&self.budget)))
    }

    /// Reports the pauses that the server asks for, those of several connections at once only once.
    fn pause_notice(&self) -> imap::PauseNotice {
        let (observer, side) = (Arc::clone(&self.observer), self.name.side);
        let told = Arc::clone(&self.told_pause);
        Box::new(move |time, text| {
            let until = SystemTime::now() + time;
            let is_new = {
                let mut told = lock(&told);
                let is_new =
                    time >= NOTEWORTHY && told.is_none_or(|told| until > told + NOTEWORTHY);
                if is_new {
                    *told = Some(until);
                }
                is_new
            };
            if is_new {
                observer.observe(&Event::Waiting {
                    side,
                    until: &shown_time(until),
                    reason: &format!("the server asks for a pause: {text}"),
                });
            }
        })
    }
}

impl ReadConnector for Account {
    fn connect_to_read(&self) -> Result<Box<dyn ReadStore>, Error> {
        Ok(self.connect()?)
    }

    fn max_connections(&self) -> Option<usize> {
        match (self.max_connections, self.logins.most()) {
            (Some(allowed), Some(borne)) => Some(allowed.min(borne)),
            (allowed, borne) => allowed.or(borne),
        }
    }

    fn budget(&self) -> Option<&Budget> {
        Some(&self.budget)
    }
}

impl Connector for Account {
    fn connect(&self) -> Result<Box<dyn Store>, Error> {
        Ok(Box::new(self.session()?))
    }
}

/// Converts a network error into what it means for a run.
fn from_net(error: &net::Error) -> Error {
    let kind = match error.kind() {
        net::ErrorKind::Unreachable => ErrorKind::Unreachable,
        net::ErrorKind::Untrusted => ErrorKind::Untrusted,
        net::ErrorKind::Lost => ErrorKind::Lost,
        net::ErrorKind::Stalled => ErrorKind::Stalled,
        net::ErrorKind::Interrupted => ErrorKind::Interrupted,
        net::ErrorKind::Local => ErrorKind::Local,
    };
    Error {
        hint: error.hint(),
        ..Error::new(kind, error.to_string())
    }
}

impl From<imap::Error> for Error {
    fn from(error: imap::Error) -> Self {
        Self::from(&error)
    }
}

/// Converts a protocol error into what it means for a run.
impl From<&imap::Error> for Error {
    fn from(error: &imap::Error) -> Self {
        let kind = match error {
            imap::Error::Net(error) => return from_net(error),
            imap::Error::Closed | imap::Error::Truncated => ErrorKind::Lost,
            imap::Error::Bye { text, code } => return super::refusal::goodbye(text, code.as_ref()),
            imap::Error::TurnedAway { text, code } => {
                return super::refusal::turned_away(text, code.as_ref());
            }
            imap::Error::Useless {
                text,
                code,
                meaning,
            } => return super::refusal::useless(text, code.as_ref(), *meaning),
            imap::Error::Login {
                text,
                code,
                way,
                offered,
            } => {
                return super::refusal::refused_login(text, code.as_ref(), way, offered);
            }
            imap::Error::NoMechanism { text, hint } => {
                return Self::new(ErrorKind::Authentication, text).with_hint(hint);
            }
            imap::Error::Secret(reason) => return without_secret(reason, error),
            imap::Error::Downgrade { before, now } => {
                let hint = format!(
                    "ask the server's operator; if {before} was dropped on purpose, rerun once with --allow-weaker-auth, \
                     or put auth={now} in the address"
                );
                return Self::new(ErrorKind::Untrusted, error.to_string()).with_hint(hint);
            }
            imap::Error::NoLogin(_) => ErrorKind::Untrusted,
            imap::Error::Protocol(_) => ErrorKind::Protocol,
            imap::Error::Command(_) => ErrorKind::Local,
        };
        Self::new(kind, error.to_string())
    }
}

/// Explains the lack of a secret to log in with.
fn without_secret(reason: &NoSecret, error: &imap::Error) -> Error {
    let kind = match reason.cause {
        NoSecretCause::Refused => ErrorKind::Authentication,
        NoSecretCause::Unreachable => ErrorKind::Unreachable,
        NoSecretCause::Untrusted => ErrorKind::Untrusted,
        NoSecretCause::Local => ErrorKind::Local,
    };
    Error {
        hint: reason.hint.clone(),
        ..Error::new(kind, error.to_string())
    }
}
