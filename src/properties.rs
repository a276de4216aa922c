//! Settings shared by the property tests of the library and of the binary.

use proptest::test_runner::{Config, FileFailurePersistence};

/// Returns the usual settings. A failing case is saved below `tests/regressions`, in a file named
/// after the test's own, and tried first from then on.
pub(crate) fn config() -> Config {
    let kept = FileFailurePersistence::SourceParallel("tests/regressions");
    Config {
        failure_persistence: Some(Box::new(kept)),
        ..Config::default()
    }
}
