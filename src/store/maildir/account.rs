//! Makes connections to one tree, which share its lock and what is known about its folders.

use super::session::Session;
use super::tree::Tree;
use crate::locks::lock;
use crate::mail::Side;
use crate::store::disk::{IfAbsent, Place};
use crate::store::guard::Guarded;
use crate::store::{Access, AccountName, Connector, Error, ReadConnector, ReadStore, Store};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

/// A Maildir++ tree.
pub struct Account {
    place: Place,
    access: Access,
    name: AccountName,
    tree: Mutex<Option<Arc<Tree>>>,
}

impl Account {
    /// Prepares to open it; nothing is read yet.
    pub fn new(path: &Path, side: Side, access: Access, if_absent: IfAbsent) -> Self {
        let name = AccountName {
            side,
            name: format!("maildir:{}", path.display()),
        };
        let place = Place {
            path: path.to_owned(),
            if_absent,
        };
        Self {
            place,
            access,
            name,
            tree: Mutex::new(None),
        }
    }

    /// Returns which tree a path refers to, whatever links lead there: absolute, even if it doesn't
    /// exist yet.
    pub fn canonical(path: &Path) -> PathBuf {
        Place::canonical(path)
    }
}

impl ReadConnector for Account {
    fn connect_to_read(&self) -> Result<Box<dyn ReadStore>, Error> {
        Ok(self.connect()?)
    }

    fn max_connections(&self) -> Option<usize> {
        None
    }

    fn directory(&self) -> Option<&Path> {
        Some(&self.place.path)
    }
}

impl Connector for Account {
    fn connect(&self) -> Result<Box<dyn Store>, Error> {
        let mut tree = lock(&self.tree);
        let shared = match &*tree {
            Some(shared) => Arc::clone(shared),
            None => {
                let opened = Tree::open(&self.place, self.access);
                let opened = Arc::new(opened.map_err(|error| error.of(&self.name))?);
                tree.insert(opened).clone()
            }
        };
        Ok(Box::new(Guarded::new(
            Session::new(shared),
            self.access,
            self.name.clone(),
        )))
    }
}
