//! Plans as files: where `copy --save-plan` saves one, and where `apply` finds it.
//!
//! A plan decides what is copied and deleted, so nobody else may write to it; and it lists the
//! user's mail, so nobody else may read it.

use super::failure::Failure;
use super::harmless;
use mailferry::plan::planned::Planned;
use mailferry::verbs::{PlanError, PlanHead, read_plan, write_plan};
use std::fs::File;
use std::io::{self, BufReader, BufWriter, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use tempfile::NamedTempFile;

/// Saves a plan, completely or not at all. Returns what to report about it.
///
/// # Errors
/// The file can't be written.
pub(crate) fn save(path: &Path, head: &PlanHead, planned: &Planned) -> Result<String, Failure> {
    write(path, head, planned).map_err(|error| {
        Failure::local(format!(
            "could not save the plan in {}: {error}",
            path.display()
        ))
    })?;
    let path = harmless::text(&path.display().to_string());
    Ok(format!(
        "plan saved to {path}; run it with `mailferry apply {path}`"
    ))
}

fn write(path: &Path, head: &PlanHead, planned: &Planned) -> io::Result<()> {
    let directory = path
        .parent()
        .filter(|parent| !parent.as_os_str().is_empty())
        .unwrap_or(Path::new("."));
    // Private to the user, and visible under its name only once complete.
    let file = NamedTempFile::new_in(directory)?;
    let mut to = BufWriter::new(file);
    write_plan(head, planned, &mut to)?;
    to.flush()?;
    let file = to.into_inner().map_err(io::IntoInnerError::into_error)?;
    file.as_file().sync_all()?;
    file.persist(path)?;
    Ok(())
}

/// Reads a plan.
///
/// # Errors
/// It doesn't exist, isn't a plan, is damaged, from a newer version, or writable by others.
pub(crate) fn load(path: &Path) -> Result<(PlanHead, Planned), Failure> {
    let shown = harmless::text(&path.display().to_string());
    let failed = |error: PlanError| {
        let failure = Failure::usage(format!("{shown}: {error}"));
        match error {
            PlanError::Newer(_) => {
                failure.with_hint("apply it with the mailferry that made it, or make a new plan")
            }
            _ => failure.with_hint(
                "make a plan with `mailferry copy --dry-run --save-plan FILE SOURCE TARGET`",
            ),
        }
    };
    let file = File::open(path).map_err(|error| failed(error.into()))?;
    let about = file.metadata().map_err(|error| failed(error.into()))?;
    if about.is_file() && about.permissions().mode() & 0o022 != 0 {
        let failure = Failure::usage(format!(
            "{shown}: this file is writable by others, and it decides what is deleted"
        ));
        return Err(failure.with_hint(format!(
            "check that it is still your plan, then run `chmod 600 {shown}`"
        )));
    }
    read_plan(&mut BufReader::new(file)).map_err(failed)
}
