//! The settings as they are at the moment: a file that is read again replaces them.

use std::sync::{Arc, PoisonError, RwLock};

use crate::config::Settings;

/// Cheap to clone; all see the same settings.
#[derive(Clone, Debug)]
pub struct Live(Arc<RwLock<Arc<Settings>>>);

impl Live {
    pub(super) fn new(settings: Arc<Settings>) -> Self {
        Self(Arc::new(RwLock::new(settings)))
    }

    pub(super) fn get(&self) -> Arc<Settings> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }

    pub(super) fn set(&self, settings: Arc<Settings>) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = settings;
    }
}
