//! Prepares new and empty folders in one flight: CREATE, SUBSCRIBE and SELECT are sent together,
//! folder by folder. A server executes dependent commands in order (RFC 3501 section 5.5).

use super::manage::create_command;
use super::opening::Opening;
use super::session::{Open, Session, open_command};
use crate::imap::{Command, Error, Reply, Response};
use crate::mail::MailboxName;
use crate::store::{Answer, NewFolder, Prepared};

/// The purpose of a command.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Step {
    Create,
    Subscribe,
    Open,
}

/// One folder's result so far.
#[derive(Default)]
struct Progress {
    created: bool,
    is_subscribed: bool,
    opening: Opening,
    is_opened: bool,
}

impl Session {
    /// Creates, subscribes to and opens folders. What the server refuses at once is retried step by
    /// step.
    pub(super) fn prepare_all(
        &mut self,
        folders: &[NewFolder],
    ) -> Result<Vec<Answer<Prepared>>, Error> {
        let progress = self.try_to_prepare(folders)?;
        // A folder that was not created but opens exists already, whatever a listing says.
        let is_refused = |at: &usize| !progress[*at].created && !progress[*at].is_opened;
        let refused: Vec<usize> = (0..folders.len()).filter(is_refused).collect();
        let again: Vec<NewFolder> = refused.iter().map(|at| folders[*at].clone()).collect();
        let mut names: Vec<Answer<MailboxName>> = folders
            .iter()
            .map(|folder| Ok(folder.name.clone()))
            .collect();
        for (at, created) in refused.iter().zip(self.create_refused(&again)?) {
            names[*at] = created;
        }
        let mut prepared = Vec::with_capacity(folders.len());
        for ((folder, progress), name) in folders.iter().zip(progress).zip(names) {
            let is_its_own = name.as_ref().is_ok_and(|name| *name == folder.name);
            if progress.is_subscribed && !is_its_own {
                // Some servers subscribe to folders that don't exist.
                self.connection
                    .send_unattended(&Command::new("UNSUBSCRIBE").mailbox(&folder.name))?;
            }
            prepared.push(name.map(|name| Prepared {
                name,
                opened: (progress.is_opened && is_its_own).then(|| progress.opening.into_scan()),
                is_subscribed: progress.is_subscribed && is_its_own,
            }));
        }
        Ok(prepared)
    }

    fn try_to_prepare(&mut self, folders: &[NewFolder]) -> Result<Vec<Progress>, Error> {
        let takes_roles = self.capabilities.has("CREATE-SPECIAL-USE");
        let mut commands = Vec::new();
        let mut step_of: Vec<(usize, Step)> = Vec::new();
        for (at, folder) in folders.iter().enumerate() {
            if !folder.exists {
                commands.push(create_command(
                    &folder.name,
                    folder.role.filter(|_| takes_roles),
                ));
                step_of.push((at, Step::Create));
            }
            if folder.subscribe {
                commands.push(Command::new("SUBSCRIBE").mailbox(&folder.name));
                step_of.push((at, Step::Subscribe));
            }
            commands.push(open_command(&folder.name, true));
            step_of.push((at, Step::Open));
        }
        let begun = |folder: &NewFolder| Progress {
            created: folder.exists,
            opening: Opening::at(self.provider),
            ..Progress::default()
        };
        let mut progress: Vec<Progress> = folders.iter().map(begun).collect();
        let replies = self
            .connection
            .run_all(&commands, |nth, response: &Response<'_>| {
                if let (at, Step::Open) = step_of[nth] {
                    progress[at].opening.take(response);
                }
                Ok(())
            })?;
        for ((at, step), reply) in step_of.into_iter().zip(&replies) {
            progress[at].take(step, reply);
        }
        self.open = folders.last().map(|folder| Open {
            mailbox: folder.name.clone(),
            for_writing: true,
        });
        self.leave_folder()?;
        Ok(progress)
    }
}

impl Progress {
    fn take(&mut self, step: Step, reply: &Reply) {
        match step {
            Step::Create => self.created = reply.is_ok(),
            Step::Subscribe => self.is_subscribed = reply.is_ok(),
            Step::Open => {
                self.opening.end(reply);
                self.is_opened = reply.is_ok();
            }
        }
    }
}
