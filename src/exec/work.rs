//! Work for lanes, to which a plan adds folder by folder while the lanes run.

use super::ledger::Ledger;
use super::queue::Queue;
use super::{Context, Link, Tally, carry_out};
use crate::plan::{FolderTask, pieces};
use crate::store::{Error, ErrorKind};
use std::sync::Arc;
use std::thread::{Scope, ScopedJoinHandle};

/// All tasks, and the pieces of them that no lane has taken.
pub(super) struct Work {
    pub(super) ledger: Ledger,
    pub(super) queue: Queue,
    /// Whether the target has to be asked before each message.
    asks_for_each: bool,
}

impl Work {
    pub(super) fn new(asks_for_each: bool) -> Self {
        Self {
            ledger: Ledger::new(),
            queue: Queue::new(),
            asks_for_each,
        }
    }

    /// Adds tasks. Their indices follow those of the tasks before.
    pub(super) fn add(&self, tasks: &[Arc<FolderTask>]) {
        let mut added = Vec::with_capacity(tasks.len());
        for task in tasks {
            added.push((self.ledger.add(Arc::clone(task)), task.as_ref()));
        }
        self.queue.add(pieces(added, self.asks_for_each));
    }

    /// Ends the adding. The link is for the first lane.
    pub(super) fn close(&self, link: Option<Link>) {
        self.queue.close(link);
    }
}

/// Lanes at work on a plan that is still being made. Dropping it ends the plan, and the lanes once
/// they have done what they were given.
pub struct Running<'scope> {
    work: Arc<Work>,
    /// `None`: they have ended.
    lanes: Option<ScopedJoinHandle<'scope, Tally>>,
}

/// Starts lanes, in threads of `scope`. `asks_for_each`: the target has to be asked before each
/// message. `run` gets a function that does the work in the context that it is given.
///
/// The first lane has no connections before the plan is complete: it gets those of the plan.
pub fn begin<'scope>(
    scope: &'scope Scope<'scope, '_>,
    asks_for_each: bool,
    run: impl FnOnce(&dyn Fn(&Context<'_>) -> Tally) -> Tally + Send + 'scope,
) -> Running<'scope> {
    let work = Arc::new(Work::new(asks_for_each));
    let shared = Arc::clone(&work);
    let lanes = scope.spawn(move || run(&|context| carry_out(context, &shared)));
    Running {
        work,
        lanes: Some(lanes),
    }
}

impl Running<'_> {
    /// Adds tasks. Their indices follow those of the tasks before.
    pub fn add(&self, tasks: &[Arc<FolderTask>]) {
        self.work.add(tasks);
    }

    /// Ends the plan, and waits until everything is done. Without a link, the lanes that run do
    /// what there is.
    pub fn finish(mut self, link: Option<Link>) -> Tally {
        self.work.close(link);
        let Some(joined) = self.lanes.take().map(ScopedJoinHandle::join) else {
            return Tally::default();
        };
        let mut tally = joined.unwrap_or_else(|_| Tally {
            error: Some(Error::new(
                ErrorKind::Local,
                "a worker thread stopped unexpectedly",
            )),
            ..Tally::default()
        });
        // Tasks may have come after the lanes had to end, and connections that none of them took.
        tally.fates = self.work.ledger.fates();
        if let Some(link) = self.work.queue.take_link() {
            match &tally.link {
                Some(_) => tally.traffic += link.end(),
                None => tally.link = Some(link),
            }
        }
        tally
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        if self.lanes.is_some() {
            self.work.close(None);
        }
    }
}
