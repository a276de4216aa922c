//! Makes connections to one directory of mbox files, which share its lock and what is known about
//! its folders.

use super::session::Session;
use super::tree::Tree;
use crate::event::Observer;
use crate::locks::lock;
use crate::mail::Side;
use crate::store::disk::{IfAbsent, Place};
use crate::store::guard::Guarded;
use crate::store::{Access, AccountName, Connector, Error, ReadConnector, ReadStore, Store};
use std::path::Path;
use std::sync::{Arc, Mutex};

/// A directory of mbox files.
pub struct Account {
    place: Place,
    access: Access,
    name: AccountName,
    observer: Arc<dyn Observer + Send + Sync>,
    tree: Mutex<Option<Arc<Tree>>>,
}

impl Account {
    /// Prepares to open it; nothing is read yet.
    pub fn new(
        path: &Path,
        side: Side,
        access: Access,
        if_absent: IfAbsent,
        observer: Arc<dyn Observer + Send + Sync>,
    ) -> Self {
        let name = AccountName {
            side,
            name: format!("mbox:{}", path.display()),
        };
        Self {
            place: Place {
                path: path.to_owned(),
                if_absent,
            },
            access,
            name,
            observer,
            tree: Mutex::new(None),
        }
    }
}

impl ReadConnector for Account {
    fn connect_to_read(&self) -> Result<Box<dyn ReadStore>, Error> {
        Ok(self.connect()?)
    }

    /// Only one can append to a file at a time.
    fn max_connections(&self) -> Option<usize> {
        Some(1)
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
                let opened = Tree::open(&self.place, self.access, Arc::clone(&self.observer));
                tree.insert(Arc::new(opened.map_err(|error| error.of(&self.name))?))
                    .clone()
            }
        };
        Ok(Box::new(Guarded::new(
            Session::new(shared),
            self.access,
            self.name.clone(),
        )))
    }
}
