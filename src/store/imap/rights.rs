//! Access rights: MYRIGHTS, GETACL, LISTRIGHTS, SETACL, DELETEACL (RFC 4314). Servers without
//! RIGHTS= have those of RFC 2086, which are translated here in both directions.

use super::refusal::{Asked, refusal};
use super::session::Session;
use crate::imap::{Command, Error, Reply, Response};
use crate::mail::{MailboxName, Rights};
use crate::provider::Identifiers;
use crate::store::{
    AclRules, Answer, FolderRights, Grantable, Refusal, RefusalMeaning, RightsChange, RightsEdit,
};

/// The rights that every server with ACL has (RFC 2086, less those that RFC 4314 divides).
const COMMON: &str = "lrswipa";
/// What a server says that confirms a request and gives no result.
const NOTHING: &str = "the server gave no readable answer";

impl Session {
    /// Returns how the server deals with rights; `None` if it has none.
    pub(super) fn rules_of_acl(&self) -> Option<AclRules> {
        if !self.capabilities.has("ACL") {
            return None;
        }
        let single = |rights: Rights| {
            let letters = rights.letters();
            letters
                .map(|letter| Rights::of(&letter.to_string()))
                .collect::<Vec<_>>()
        };
        let mut groups = single(Rights::of(COMMON));
        match self.capabilities.new_rights() {
            Some(new) => groups.extend(single(new)),
            None => groups.extend(["c", "d"].map(|old| self.today(Rights::of(old)))),
        }
        Some(AclRules {
            user: self.user.clone(),
            identifiers: self
                .provider
                .map_or(Identifiers::Plain, |provider| provider.identifiers),
            grantable: Grantable(groups),
        })
    }

    /// Translates rights that the server shows.
    fn today(&self, rights: Rights) -> Rights {
        match self.capabilities.new_rights() {
            Some(_) => rights.without_obsolete_ones(),
            None => rights.with_obsolete_ones_replaced(),
        }
    }

    /// Returns rights as the server takes them.
    fn theirs(&self, rights: Rights) -> Rights {
        match self.capabilities.new_rights() {
            Some(_) => rights,
            None => rights.in_obsolete_ones(),
        }
    }

    /// Reads the rights of folders: who has which, where the user may see that.
    pub(super) fn rights_of(
        &mut self,
        mailboxes: &[MailboxName],
    ) -> Result<Vec<Answer<FolderRights>>, Error> {
        let mine = self.my_rights(mailboxes)?;
        let readable: Vec<usize> = (0..mailboxes.len())
            .filter(|at| mine[*at].as_ref().is_ok_and(|rights| rights.has('a')))
            .collect();
        let mut rights: Vec<_> = mine
            .into_iter()
            .map(|mine| mine.map(|_| FolderRights { entries: None }))
            .collect();
        let commands: Vec<Command> = readable
            .iter()
            .map(|at| Command::new("GETACL").mailbox(&mailboxes[*at]))
            .collect();
        let mut found = vec![None; commands.len()];
        let replies = self.connection.run_all(&commands, |nth, response| {
            if let Response::Acl(acl) = response {
                found[nth] = Some(acl.entries.clone());
            }
            Ok(())
        })?;
        for ((at, entries), reply) in readable.into_iter().zip(found).zip(&replies) {
            rights[at] = answer(reply, entries).map(|mut entries| {
                for entry in &mut entries {
                    entry.rights = self.today(entry.rights);
                }
                FolderRights {
                    entries: Some(entries),
                }
            });
        }
        Ok(rights)
    }

    fn my_rights(&mut self, mailboxes: &[MailboxName]) -> Result<Vec<Answer<Rights>>, Error> {
        let commands: Vec<Command> = mailboxes
            .iter()
            .map(|name| Command::new("MYRIGHTS").mailbox(name))
            .collect();
        let mut found = vec![None; commands.len()];
        let replies = self.connection.run_all(&commands, |nth, response| {
            if let Response::MyRights(mine) = response {
                found[nth] = Some(mine.rights);
            }
            Ok(())
        })?;
        let pairs = replies.iter().zip(found);
        Ok(pairs.map(|(reply, found)| answer(reply, found)).collect())
    }

    /// Asks which rights these may be granted in these folders.
    pub(super) fn rights_to_grant(
        &mut self,
        asked: &[(MailboxName, String)],
    ) -> Result<Vec<Answer<Grantable>>, Error> {
        let commands: Vec<Command> = asked
            .iter()
            .map(|(mailbox, who)| {
                Command::new("LISTRIGHTS")
                    .mailbox(mailbox)
                    .string(who.as_bytes())
            })
            .collect();
        let mut found = vec![None; commands.len()];
        let replies = self.connection.run_all(&commands, |nth, response| {
            if let Response::ListRights(list) = response {
                let mut groups = list.optional.clone();
                groups.extend(
                    list.required
                        .letters()
                        .map(|letter| Rights::of(&letter.to_string())),
                );
                found[nth] = Some(groups);
            }
            Ok(())
        })?;
        let pairs = replies.iter().zip(found);
        let of = |(reply, groups): (&Reply, Option<Vec<Rights>>)| {
            let groups = answer(reply, groups)?;
            let today = groups.into_iter().map(|group| self.today(group));
            Ok(Grantable(today.filter(|group| !group.is_empty()).collect()))
        };
        Ok(pairs.map(of).collect())
    }

    /// Changes entries of access control lists.
    pub(super) fn set_rights(
        &mut self,
        changes: &[RightsChange],
    ) -> Result<Vec<Answer<()>>, Error> {
        let commands: Vec<Command> = changes
            .iter()
            .map(|change| self.set_command(change))
            .collect();
        let replies = self.connection.run_all(&commands, |_, _| Ok(()))?;
        Ok(replies
            .iter()
            .map(|reply| answer(reply, Some(())))
            .collect())
    }

    fn set_command(&self, change: &RightsChange) -> Command {
        let command = |name| {
            Command::new(name)
                .mailbox(&change.mailbox)
                .string(change.identifier.as_bytes())
        };
        match change.edit {
            RightsEdit::Grant(rights) => {
                command("SETACL").string(format!("+{}", self.theirs(rights)).as_bytes())
            }
            RightsEdit::Replace(rights) => {
                command("SETACL").string(self.theirs(rights).to_string().as_bytes())
            }
            RightsEdit::Remove => command("DELETEACL"),
        }
    }
}

/// Returns what a command found, or why it found nothing.
fn answer<T>(reply: &Reply, found: Option<T>) -> Answer<T> {
    if !reply.is_ok() {
        return Err(refusal(reply, Asked::Change));
    }
    found.ok_or_else(|| Refusal {
        meaning: RefusalMeaning::Permanent,
        text: NOTHING.to_owned(),
    })
}
