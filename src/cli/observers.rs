//! Passes each event to several observers.

use mailferry::event::{Event, Headings, Observer};
use std::sync::Arc;

/// An observer that can be called from any thread.
pub(crate) type Shared = Arc<dyn Observer + Send + Sync>;

/// All observers, in this order.
pub(crate) struct Observers(pub(crate) Vec<Shared>);

impl Observer for Observers {
    fn observe(&self, event: &Event<'_>) {
        for observer in &self.0 {
            observer.observe(event);
        }
    }

    fn headings(&self) -> Headings {
        self.0
            .iter()
            .map(|observer| observer.headings())
            .max()
            .unwrap_or_default()
    }

    fn wants_holdings(&self) -> bool {
        self.0.iter().any(|observer| observer.wants_holdings())
    }
}
