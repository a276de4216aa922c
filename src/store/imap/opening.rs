//! What a server reports about a folder on opening it (RFC 3501 sections 6.3.1 and 7.2.6).

use crate::imap::{Code, Reply, Response};
use crate::mail::{PermanentFlags, UidValidity};
use crate::provider::{FlagHabits, Provider};
use crate::store::FolderScan;

/// A folder's counters and permanent flags, collected from the answer to SELECT or EXAMINE.
#[derive(Default)]
pub(super) struct Opening {
    scan: FolderScan,
    /// The reported flags, which apply once the folder is open.
    permanent: Option<Vec<String>>,
    read_only: bool,
    habits: FlagHabits,
}

impl Opening {
    /// Begins to collect the answer of such a server.
    pub(super) fn at(provider: Option<&Provider>) -> Self {
        Self {
            habits: provider.map_or_else(FlagHabits::default, |provider| provider.flags),
            ..Self::default()
        }
    }

    /// Takes a response before the reply.
    pub(super) fn take(&mut self, response: &Response<'_>) {
        match response {
            Response::Exists(count) => self.scan.exists = *count,
            Response::Status {
                code: Some(code), ..
            } => self.take_code(code),
            _ => {}
        }
    }

    /// Takes the reply.
    pub(super) fn end(&mut self, reply: &Reply) {
        if let Some(code) = &reply.code {
            self.take_code(code);
        }
        if let Some(names) = self.permanent.take() {
            let names = names.iter().map(String::as_str);
            let is_exact = self.read_only || self.habits.lists_all;
            let mut kept = PermanentFlags::told(names, is_exact);
            if self.habits.ignores_appended && !self.read_only {
                kept = kept.all_doubted();
            }
            if self.habits.drops_keywords {
                kept = kept.without_keywords();
            }
            self.scan.permanent_flags = kept;
        }
    }

    /// Returns the folder's scan, without its messages.
    pub(super) fn into_scan(self) -> FolderScan {
        self.scan
    }

    fn take_code(&mut self, code: &Code) {
        match code {
            Code::UidValidity(value) if *value > 0 => {
                self.scan.uid_validity = Some(UidValidity(*value));
            }
            Code::UidNext(value) => self.scan.uid_next = Some(*value),
            Code::HighestModSeq(value) if value.0 > 0 => self.scan.highest_mod_seq = Some(*value),
            Code::MailboxId(id) => self.scan.mailbox_id = Some(id.clone()),
            Code::PermanentFlags(names) => self.permanent = Some(names.clone()),
            Code::ReadOnly => self.read_only = true,
            _ => {}
        }
    }
}
