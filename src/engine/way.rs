//! The connections of a run that is carried out: one to each side, made anew where they broke.

use crate::exec::{Context, Link, Tally};
use crate::mail::Both;
use crate::store::{Error, ErrorKind, Traffic};

/// A link that may have to be made anew, and what went over those that were ended.
pub(crate) struct Way<'a> {
    pub(crate) context: &'a Context<'a>,
    link: Option<Link>,
    pub(crate) traffic: Both<Traffic>,
}

impl<'a> Way<'a> {
    fn new(context: &'a Context<'a>, link: Link) -> Self {
        Self {
            context,
            link: Some(link),
            traffic: Both::default(),
        }
    }

    /// The connections, made now if there are none.
    pub(crate) fn link(&mut self) -> Result<&mut Link, Error> {
        let link = self.take()?;
        Ok(self.link.insert(link))
    }

    /// The same, to be given away.
    pub(crate) fn take(&mut self) -> Result<Link, Error> {
        match self.link.take() {
            Some(link) => Ok(link),
            None => self.context.connect_with_patience(),
        }
    }

    /// Takes back the connections that a copy has left, and counts what went over those that it
    /// closed.
    pub(crate) fn settle(&mut self, mut tally: Tally) -> Tally {
        self.traffic += tally.traffic;
        if let Some(link) = tally.link.take() {
            self.end();
            self.link = Some(link);
        }
        tally
    }

    /// Does what may be done twice, and does it again over new connections if one breaks.
    pub(crate) fn repeatable<T>(
        &mut self,
        mut work: impl FnMut(&mut Link) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let done = work(self.link()?);
        match done {
            Err(error) if is_broken(&error) && !self.context.stop.is_requested() => {
                self.end();
                work(self.link()?)
            }
            done => done,
        }
    }

    /// Ends the connections.
    pub(crate) fn end(&mut self) {
        if let Some(link) = self.link.take() {
            self.traffic += link.end();
        }
    }
}

/// Carries out the steps of a run, beginning with these connections. Returns what went over all of
/// its connections, and the error that ended it early; the user's request to stop is none.
pub(crate) fn carry_out(
    context: &Context<'_>,
    link: Link,
    steps: impl FnOnce(&mut Way<'_>) -> Result<(), Error>,
) -> (Both<Traffic>, Option<Error>) {
    let mut way = Way::new(context, link);
    let failure = steps(&mut way).err();
    way.end();
    let failure = failure.filter(|error| error.kind != ErrorKind::Interrupted);
    (way.traffic, failure)
}

/// Whether new connections may do better.
pub(crate) fn is_broken(error: &Error) -> bool {
    matches!(
        error.kind,
        ErrorKind::Lost | ErrorKind::Stalled | ErrorKind::Protocol
    )
}
