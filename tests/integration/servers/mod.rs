//! What each kind of server does in its own way.

mod bare;
mod courier;
mod cyrus;
mod kept;
mod poor;
