//! The two directions of a connection: response frames in, commands out.
//!
//! Framing is separate from parsing, so that a line is looked at once however it arrives and a
//! message of any size passes by without being held in memory. What is sent is built from parts, so
//! that no byte of a name or a message can end a line.

mod command;
mod frame;
mod framer;
mod limits;
mod source;
mod tags;

pub use command::{Command, ForbiddenByte, LiteralMode, Step};
pub use frame::{Frame, Literal};
pub use framer::{Framer, Incoming};
pub use limits::{Answers, Limits, Listed, RECURSION, Unanswered, Violation};
pub use source::{ByteSource, FrameError};
pub use tags::Tags;
