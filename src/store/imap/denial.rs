//! Determines whether folders are gone: a server that doesn't list a folder is asked for it by
//! name, and has to deny it.
//!
//! LIST alone doesn't suffice, since a line of it may be missing; STATUS decides. A folder that
//! LIST shows as one that can be opened is gone only if the server denies it twice more and says
//! that it doesn't exist: Dovecot lists the deleted parent of other folders like that.

use super::refusal::{denies_existence, says_no_such_folder};
use super::session::{Open, Session, open_command};
use crate::imap::{Command, Error, Response};
use crate::mail::MailboxName;

impl Session {
    pub(super) fn ask_for_denials(&mut self, names: &[MailboxName]) -> Result<Vec<bool>, Error> {
        let mut gone = vec![false; names.len()];
        // INBOX always exists, and no command can name a folder with a NUL in its name.
        let can_be_gone =
            |at: &usize| !names[*at].is_inbox() && !names[*at].as_bytes().contains(&0);
        let asked: Vec<usize> = (0..names.len()).filter(can_be_gone).collect();
        let ask = |at: &usize| {
            let list = Command::new("LIST").string(b"").mailbox(&names[*at]);
            [
                list,
                Command::new("STATUS")
                    .mailbox(&names[*at])
                    .text("(MESSAGES)"),
            ]
        };
        let commands: Vec<Command> = asked.iter().flat_map(ask).collect();
        let mut shown = vec![false; asked.len()];
        let replies = self.connection.run_all(&commands, |nth, response| {
            let nth = nth / 2;
            match response {
                Response::List(item) => {
                    shown[nth] |= item.is_selectable() && item.name == names[asked[nth]].as_bytes();
                }
                Response::MailboxStatus(_) | Response::Unreadable(_) => shown[nth] = true,
                _ => {}
            }
            Ok(())
        })?;
        let mut doubtful = Vec::new();
        for ((at, pair), shown) in asked.iter().zip(replies.chunks(2)).zip(shown) {
            let [list, status] = pair else { continue };
            if shown {
                doubtful.extend(denies_existence(status).then_some(*at));
            } else {
                gone[*at] = list.is_ok() && says_no_such_folder(status);
            }
        }
        let denied = self.denied_on_opening(names, &doubtful)?;
        denied.into_iter().for_each(|at| gone[at] = true);
        Ok(gone)
    }

    /// Returns which of these folders the server says don't exist when opening them.
    pub(super) fn denied_on_opening(
        &mut self,
        names: &[MailboxName],
        asked: &[usize],
    ) -> Result<Vec<usize>, Error> {
        if asked.is_empty() {
            return Ok(Vec::new());
        }
        let commands: Vec<Command> = asked
            .iter()
            .map(|at| open_command(&names[*at], false))
            .collect();
        let replies = self.connection.run_all(&commands, |_, _| Ok(()))?;
        let last = asked
            .iter()
            .zip(&replies)
            .next_back()
            .filter(|(_, reply)| reply.is_ok());
        self.open = last.map(|(at, _)| Open {
            mailbox: names[*at].clone(),
            for_writing: false,
        });
        self.leave_folder()?;
        Ok(asked
            .iter()
            .zip(&replies)
            .filter(|(_, reply)| denies_existence(reply))
            .map(|(at, _)| *at)
            .collect())
    }
}
