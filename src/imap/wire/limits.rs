//! How much a server may send before the connection is given up: every length and every number that
//! it controls has a limit here, except those of one login mechanism (`imap::auth::scram`: the work
//! that a server may demand). Time limits are up to `net` (`net/socket.rs`).

/// The nesting of parentheses up to which imap-proto parses a response; our own parser, which
/// doesn't recurse, parses anything deeper. An unoptimised build of imap-proto overflows its stack
/// between 40 and 64.
pub const RECURSION: usize = 32;

/// Folders that a server may list. No account has this many; each takes some hundred bytes here.
pub(super) const FOLDERS: usize = 1 << 19;

/// Bytes of all their names together: 256 for each. Subscribed names count too.
pub(super) const FOLDER_NAMES: usize = FOLDERS << 8;

/// FETCH replies that may arrive per requested message: others change flags while a folder is read.
const TELLINGS: u64 = 4;

/// FETCH replies that may arrive beyond those, for messages that were not requested.
const UNASKED: u64 = 1 << 16;

/// Bytes of unrequested message bodies that may arrive.
const UNASKED_BYTES: u64 = 1 << 30;

/// Limits on one response. Exceeding them ends the connection before any memory is allocated.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Bytes in one line, including its end. The longest honest line is a SEARCH of a million UIDs:
    /// 8 MB.
    pub line: usize,
    /// Bytes of a literal that is kept in the frame; a larger one is streamed past it. Most
    /// messages are smaller, and a header that doesn't fit is useless to a scan.
    pub inline_literal: u64,
    /// Bytes of a literal that may be announced at all. No server stores a message of a terabyte;
    /// the limit protects sums of sizes from overflow.
    pub literal: u64,
    /// Bytes of a whole frame without its streamed literals: some lines and many small literals.
    pub frame: usize,
    /// Literals in one frame. An ENVELOPE may have two for each of a thousand addresses.
    pub literals: usize,
    /// Untagged responses between two tagged replies: one FETCH per message, and no folder has this
    /// many. Of each, some tens of bytes are kept.
    pub responses: usize,
    /// Untagged status lines between two tagged replies. A server that reports every 15 seconds
    /// that it is still working can do so for three weeks.
    pub remarks: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            line: 16 << 20,
            inline_literal: 64 << 10,
            literal: 1 << 40,
            frame: 32 << 20,
            literals: 1 << 16,
            responses: 1 << 25,
            remarks: 1 << 17,
        }
    }
}

/// A limit that a server exceeded. The connection can't be used any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Violation {
    /// An endless line.
    #[error("the server sent a line of more than {0} bytes")]
    LineTooLong(usize),
    /// An endless response.
    #[error("the server sent a response of more than {0} bytes")]
    FrameTooLong(usize),
    /// A response of nothing but literals.
    #[error("the server sent more than {0} literals in one response")]
    TooManyLiterals(usize),
    /// `{-1}`, `{99999999999999999999}`: what follows can't be distinguished from responses.
    #[error("the server announced a literal of an impossible size")]
    ImpossibleLiteral,
    /// Endless untagged responses.
    #[error("the server sent more than {0} responses and didn't answer the command")]
    TooManyResponses(usize),
    /// Endless untagged status lines.
    #[error("the server sent more than {0} remarks and did not answer the command")]
    TooManyRemarks(usize),
    /// Endless FETCH replies.
    #[error("the server sent more than {sent} FETCH replies where {asked} messages were asked for")]
    TooManyReplies {
        /// How many it sent.
        sent: u64,
        /// How many messages were requested.
        asked: u64,
    },
    /// Endless unrequested messages.
    #[error("the server sent messages of more than {UNASKED_BYTES} bytes that nobody asked for")]
    TooMuchUnasked,
    /// An endless listing.
    #[error(
        "the server listed more than {FOLDERS} folders, or names of more than {FOLDER_NAMES} bytes together"
    )]
    TooManyFolders,
}

/// Counts what arrives between two tagged replies.
#[derive(Clone, Copy, Debug, Default)]
pub struct Unanswered {
    responses: usize,
    remarks: usize,
}

impl Unanswered {
    /// Counts one more untagged response.
    ///
    /// # Errors
    /// It is one too many.
    pub fn count(&mut self, limits: &Limits, is_remark: bool) -> Result<(), Violation> {
        self.responses += 1;
        self.remarks += usize::from(is_remark);
        if self.responses > limits.responses {
            return Err(Violation::TooManyResponses(limits.responses));
        }
        if self.remarks > limits.remarks {
            return Err(Violation::TooManyRemarks(limits.remarks));
        }
        Ok(())
    }
}

/// Counts FETCH replies against the messages that were requested.
#[derive(Clone, Copy, Debug, Default)]
pub struct Answers {
    replies: u64,
    unasked_bytes: u64,
}

impl Answers {
    /// Counts one more FETCH reply. `asked` returns how many messages were requested; it is called
    /// only after many replies.
    ///
    /// # Errors
    /// It is one too many.
    pub fn count(&mut self, asked: impl FnOnce() -> u64) -> Result<(), Violation> {
        self.replies += 1;
        if self.replies <= UNASKED {
            return Ok(());
        }
        let asked = asked();
        let most = asked.saturating_mul(TELLINGS).saturating_add(UNASKED);
        if self.replies > most {
            Err(Violation::TooManyReplies { sent: most, asked })
        } else {
            Ok(())
        }
    }

    /// Counts the bytes of an unrequested message.
    ///
    /// # Errors
    /// There are too many.
    pub fn count_unasked(&mut self, bytes: u64) -> Result<(), Violation> {
        self.unasked_bytes = self.unasked_bytes.saturating_add(bytes);
        if self.unasked_bytes > UNASKED_BYTES {
            Err(Violation::TooMuchUnasked)
        } else {
            Ok(())
        }
    }
}

/// Counts the size of a listing.
#[derive(Clone, Copy, Debug, Default)]
pub struct Listed {
    folders: usize,
    bytes: usize,
}

impl Listed {
    /// Counts one more folder, with a name of this many bytes.
    ///
    /// # Errors
    /// It is one too many.
    pub fn count(&mut self, name: usize) -> Result<(), Violation> {
        self.folders += 1;
        self.bytes += name;
        if self.folders > FOLDERS || self.bytes > FOLDER_NAMES {
            Err(Violation::TooManyFolders)
        } else {
            Ok(())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_counted_has_an_end() {
        let limits = Limits {
            responses: 5,
            remarks: 2,
            ..Limits::default()
        };
        let counted = |remarks: &[bool]| {
            let mut unanswered = Unanswered::default();
            remarks
                .iter()
                .try_for_each(|is_remark| unanswered.count(&limits, *is_remark))
        };
        assert_eq!(counted(&[false, true, false, true, false]), Ok(()));
        assert_eq!(
            counted(&[true, true, true]),
            Err(Violation::TooManyRemarks(2))
        );
        assert_eq!(counted(&[false; 6]), Err(Violation::TooManyResponses(5)));
        let mut listed = Listed::default();
        assert!((0..FOLDERS).all(|_| listed.count(FOLDER_NAMES / FOLDERS).is_ok()));
        assert_eq!(listed.count(0), Err(Violation::TooManyFolders));
        assert_eq!(
            Listed::default().count(FOLDER_NAMES + 1),
            Err(Violation::TooManyFolders)
        );
    }

    #[test]
    fn replies_are_counted_against_what_was_asked() {
        let mut answers = Answers::default();
        let most = UNASKED + 10 * TELLINGS;
        assert!((0..most).all(|_| answers.count(|| 10).is_ok()));
        assert_eq!(
            answers.count(|| 10),
            Err(Violation::TooManyReplies {
                sent: most,
                asked: 10
            })
        );
        assert_eq!(answers.count_unasked(UNASKED_BYTES), Ok(()));
        assert_eq!(
            answers.count_unasked(u64::MAX),
            Err(Violation::TooMuchUnasked)
        );
    }
}
