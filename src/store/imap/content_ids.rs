//! Server-given IDs of messages: EMAILID (OBJECTID, RFC 8474 section 5.1), or Gmail's X-GM-MSGID.
//!
//! Messages with the same ID have the same content. Those with different IDs may have it too, but
//! are treated as different. IDs are requested for only a few messages, for many folders in one
//! flight.

use super::session::{Open, SET_BYTES, Session, open_command};
use crate::imap::{Code, Command, Error, Fetch, Response};
use crate::mail::{Uid, UidValidity};
use crate::store::{ContentId, SomeMessages};
use std::collections::HashMap;

/// Which of the two a server provides.
#[derive(Clone, Copy)]
enum Item {
    EmailId,
    GmailMessageId,
}

impl Item {
    fn name(self) -> &'static str {
        match self {
            Self::EmailId => "(UID EMAILID)",
            Self::GmailMessageId => "(UID X-GM-MSGID)",
        }
    }

    fn of(self, fetch: &Fetch<'_>) -> Option<ContentId> {
        match self {
            Self::EmailId => fetch
                .email_id
                .as_deref()
                .map(|id| ContentId::new(id.as_bytes())),
            Self::GmailMessageId => fetch
                .gmail_msgid
                .map(|id| ContentId::new(&id.to_be_bytes())),
        }
    }
}

/// One folder's result.
#[derive(Default)]
struct Answer {
    uid_validity: Option<UidValidity>,
    ids: HashMap<Uid, ContentId>,
}

impl Session {
    pub(super) fn content_ids_of(
        &mut self,
        asked: &[SomeMessages<'_>],
    ) -> Result<Vec<HashMap<Uid, ContentId>>, Error> {
        let item = match () {
            () if self.capabilities.has("X-GM-EXT-1") => Item::GmailMessageId,
            () if self.capabilities.has("OBJECTID") => Item::EmailId,
            () => return Ok(asked.iter().map(|_| HashMap::new()).collect()),
        };
        let Some(last) = asked.last() else {
            return Ok(Vec::new());
        };
        self.ensure_alive()?;
        let (mut commands, mut of) = (Vec::new(), Vec::new());
        for (at, SomeMessages { mailbox, uids, .. }) in asked.iter().enumerate() {
            commands.push(open_command(mailbox, false));
            let fetch = |set: &String| Command::new("UID FETCH").text(set).text(item.name());
            commands.extend(uids.sequence_sets(SET_BYTES).iter().map(fetch));
            of.resize(commands.len(), at);
        }
        let mut answers: Vec<Answer> = asked.iter().map(|_| Answer::default()).collect();
        let replies = self.connection.run_all(&commands, |nth, response| {
            let answer = &mut answers[of[nth]];
            match response {
                Response::Status {
                    code: Some(Code::UidValidity(validity)),
                    ..
                } => {
                    answer.uid_validity = Some(UidValidity(*validity));
                }
                Response::Fetch(fetch) => {
                    answer
                        .ids
                        .extend(fetch.uid.and_then(Uid::new).zip(item.of(fetch)));
                }
                _ => {}
            }
            Ok(())
        })?;
        let is_open = of
            .iter()
            .position(|at| *at + 1 == asked.len())
            .is_some_and(|nth| replies[nth].is_ok());
        self.open = is_open.then(|| Open {
            mailbox: last.mailbox.clone(),
            for_writing: false,
        });
        self.leave_folder()?;
        // Under another UIDVALIDITY the UIDs belong to other messages.
        let ids = |(answer, asked): (Answer, &SomeMessages<'_>)| {
            if answer.uid_validity == asked.uid_validity {
                answer.ids
            } else {
                HashMap::new()
            }
        };
        Ok(answers.into_iter().zip(asked).map(ids).collect())
    }
}
