//! The peculiarities of each kind of server.

mod bare;
mod courier;
mod cyrus;
mod kept;
mod limits;
mod matrix;
mod poor;
mod profiles;
mod providers;
mod rights;

use crate::lab::client::Snapshot;
use crate::lab::pair::snapshot;
use crate::lab::run::{End, copy, verify};
use crate::lab::servers::Account;

/// What was copied from the first account, which held this before, is `there` with all of its
/// folders, is not copied again, and comes to `last` as it was.
#[track_caller]
fn comes_back_whole((first, original): (&Account, &Snapshot), there: &Account, last: &Account) {
    let original = original.content();
    assert_eq!(
        snapshot(there).folders.len(),
        original.len(),
        "{:?}",
        snapshot(there).folders.keys()
    );
    assert_eq!(
        copy(End::tls(first), End::tls(there), &[])
            .ended(0)
            .count("copied"),
        0
    );
    verify(End::tls(first), End::tls(there), &[]).ended(0);

    copy(End::tls(there), End::tls(last), &[]).ended(0);
    assert_eq!(
        copy(End::tls(there), End::tls(last), &[])
            .ended(0)
            .count("copied"),
        0
    );
    assert_eq!(snapshot(last).content(), original);
}
