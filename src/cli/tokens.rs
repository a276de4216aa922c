//! Where `mailferry login` stores its tokens on this machine.

use super::state::usual_directory;
use mailferry::oauth::{Keyring, Vault};
use std::sync::Arc;

/// Returns the token store, if a home directory is known.
pub(crate) fn vault() -> Option<Vault> {
    Some(Vault::new(usual_directory()?.join("tokens"), keyring()))
}

#[cfg(not(feature = "keyring"))]
fn keyring() -> Option<Arc<dyn Keyring>> {
    None
}

#[cfg(feature = "keyring")]
fn keyring() -> Option<Arc<dyn Keyring>> {
    Some(Arc::new(secret_service::SecretService))
}

#[cfg(feature = "keyring")]
mod secret_service {
    //! The Secret Service: entries of the service `mailferry-oauth`, by `USER@HOST`.

    use keyring::Entry;
    use keyring::Error::{NoEntry, NoStorageAccess, PlatformFailure};
    use secrecy::zeroize::Zeroizing;

    const SERVICE: &str = "mailferry-oauth";

    pub(super) struct SecretService;

    impl super::Keyring for SecretService {
        fn put(&self, account: &str, text: &str) -> Result<bool, String> {
            match Entry::new(SERVICE, account).and_then(|entry| entry.set_password(text)) {
                Ok(()) => Ok(true),
                // Locked, and staying so; no desktop.
                Err(NoStorageAccess(_) | PlatformFailure(_)) => Ok(false),
                Err(error) => Err(error.to_string()),
            }
        }

        fn get(&self, account: &str) -> Result<Zeroizing<String>, String> {
            let entry = Entry::new(SERVICE, account).and_then(|entry| entry.get_password());
            entry.map(Zeroizing::new).map_err(|error| error.to_string())
        }

        fn remove(&self, account: &str) -> Result<(), String> {
            match Entry::new(SERVICE, account).and_then(|entry| entry.delete_credential()) {
                Ok(()) | Err(NoEntry) => Ok(()),
                Err(error) => Err(error.to_string()),
            }
        }
    }
}
