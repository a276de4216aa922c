//! Folder names: decoding, roles, selection, renaming, and pairing two mailboxes' folders.
//!
//! Pure functions of two listings and the user's rules; nothing here knows a connection. [`pair`]
//! returns the whole table FROM -> TO with its reasons before anything is created.
//!
//! ```text
//! pair          which folder goes where          destination  the wanted name: rules, roles
//! target        what a name means on the target  roster       a listing with decoded names and roles
//! rules         the options, compiled            select, glob, rename, substitution: --folder, --map, --map-regex
//! style         raw names <-> decoded ones       utf7, escape the encodings of a level
//! roles         a folder's role                  role_names   roles by name, in many languages
//! two_way       both sides' names for two-way sync  kept       where --keep-deleted moves what vanished
//! origin        what a folder of the target may be called on the source
//! name          FolderName                       pairing      the outcome's types
//! views         where mail goes that only a view has
//! gmail         Gmail's own folders              labels       the values of --gmail-labels
//! ```

mod destination;
mod escape;
mod glob;
mod gmail;
mod kept;
mod labels;
mod name;
mod origin;
mod pair;
mod pairing;
mod rename;
mod role_names;
mod roles;
mod roster;
mod rule_error;
mod rules;
mod select;
mod style;
mod substitution;
mod target;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
mod two_way;
mod unused;
pub mod utf7;
mod views;

pub use gmail::label;
pub use kept::{KeptFolder, kept_folders, kept_name};
pub use labels::GmailLabels;
pub use name::FolderName;
pub use pair::pair;
pub use pairing::{
    Collision, LeavesOut, Pair, PairError, Pairing, Skipped, TargetFolder, Unmatched,
};
pub use roster::{Folder, Roster, Unreadable, is_foreign_name};
pub use rule_error::RuleError;
pub use rules::{Options, Rules};
pub use two_way::{Exchange, Place, place, place_all};
