//! Mutexes that survive a panic of their holder: what they guard is consistent between any two
//! statements, and a run that panics must still report what it did.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// Takes the lock.
pub fn lock<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Releases the lock, waits to be woken, and takes it again.
pub fn wait<'a, T>(condition: &Condvar, guard: MutexGuard<'a, T>) -> MutexGuard<'a, T> {
    condition
        .wait(guard)
        .unwrap_or_else(PoisonError::into_inner)
}

/// Returns the guarded value once it is no longer shared.
pub fn unlocked<T>(mutex: Mutex<T>) -> T {
    mutex.into_inner().unwrap_or_else(PoisonError::into_inner)
}
