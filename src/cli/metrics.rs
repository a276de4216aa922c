//! `--metrics`: a run's numbers as a text file for Prometheus' node_exporter (its textfile
//! collector).
//!
//! The file is replaced as a whole, so that no reader ever sees half of one. Its name tells runs
//! apart: the exporter refuses two files with the same series.

use serde_json::Value;
use std::fmt::Write as _;
use std::fs::{self, Permissions};
use std::io::{self, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

/// The series that is copied from the old file to the new one while runs fail.
const LAST_SUCCESS: &str = "mailferry_last_success_timestamp_seconds";

/// Writes the file for a run that ends now: its exit code, and the numbers of its summary, if there
/// is one.
///
/// # Errors
/// The system's error.
pub(crate) fn write(path: &Path, summary: Option<&Value>, code: u8) -> io::Result<()> {
    let now = jiff::Timestamp::now().as_second();
    let before = if code == 0 {
        None
    } else {
        fs::read_to_string(path).ok()
    };
    let text = text(&name(path), summary, code, now, before.as_deref());
    let directory = path
        .parent()
        .filter(|parent| !parent.as_os_str().is_empty())
        .unwrap_or(Path::new("."));
    let mut file = tempfile::Builder::new()
        .prefix(".mailferry-")
        .tempfile_in(directory)?;
    file.write_all(text.as_bytes())?;
    // The exporter is another user.
    file.as_file()
        .set_permissions(Permissions::from_mode(0o644))?;
    file.persist(path).map(drop).map_err(|error| error.error)
}

/// Returns the name of the runs of this file: `nightly` for `/var/lib/…/nightly.prom`.
fn name(path: &Path) -> String {
    path.file_stem()
        .map(|stem| stem.to_string_lossy().into_owned())
        .unwrap_or_default()
}

/// Returns the file's text at the time `now`; `before` is the previous text.
pub(crate) fn text(
    name: &str,
    summary: Option<&Value>,
    code: u8,
    now: i64,
    before: Option<&str>,
) -> String {
    let command = summary
        .and_then(|summary| summary["command"].as_str())
        .map(|name| format!(",command=\"{name}\""));
    let escaped = name
        .replace('\\', "\\\\")
        .replace('"', "\\\"")
        .replace('\n', "\\n");
    let labels = format!("{{name=\"{escaped}\"{}}}", command.unwrap_or_default());
    let mut text = String::new();
    let mut series = |metric: &str, labels: &str, value: &str| {
        // Writing to a String can't fail.
        let _ = writeln!(text, "# TYPE {metric} gauge\n{metric}{labels} {value}");
    };
    series("mailferry_exit_code", &labels, &code.to_string());
    series(
        "mailferry_last_run_timestamp_seconds",
        &labels,
        &now.to_string(),
    );
    let earlier =
        before.and_then(|before| before.lines().find(|line| line.starts_with(LAST_SUCCESS)));
    let success = if code == 0 {
        Some(now.to_string())
    } else {
        earlier.and_then(number_at_end)
    };
    if let Some(success) = success {
        series(LAST_SUCCESS, &format!("{{name=\"{escaped}\"}}"), &success);
    }
    if let Some(summary) = summary {
        for (metric, value) in numbers("mailferry", summary) {
            series(&metric, &labels, &value);
        }
    }
    text
}

fn number_at_end(line: &str) -> Option<String> {
    let number: i64 = line.rsplit(' ').next()?.parse().ok()?;
    Some(number.to_string())
}

/// Returns all numbers and booleans in an object and its nested objects, by name.
fn numbers(prefix: &str, of: &Value) -> Vec<(String, String)> {
    let Value::Object(members) = of else {
        return Vec::new();
    };
    let one = |(key, value): (&String, &Value)| match value {
        Value::Number(number) => vec![(format!("{prefix}_{key}"), number.to_string())],
        Value::Bool(truth) => vec![(format!("{prefix}_{key}"), u8::from(*truth).to_string())],
        value => numbers(&format!("{prefix}_{key}"), value),
    };
    members.iter().flat_map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_summary_becomes_series() {
        let summary = json!({"command": "copy", "status": "complete", "dry_run": false, "copied": 3, "seconds": 1.5,
            "source": {"sent": 7}, "quota": null});
        let text = text("night\"ly", Some(&summary), 0, 100, None);
        for line in [
            "mailferry_exit_code{name=\"night\\\"ly\",command=\"copy\"} 0",
            "mailferry_last_success_timestamp_seconds{name=\"night\\\"ly\"} 100",
            "mailferry_dry_run{name=\"night\\\"ly\",command=\"copy\"} 0",
            "mailferry_copied{name=\"night\\\"ly\",command=\"copy\"} 3",
            "mailferry_seconds{name=\"night\\\"ly\",command=\"copy\"} 1.5",
            "mailferry_source_sent{name=\"night\\\"ly\",command=\"copy\"} 7",
        ] {
            assert!(text.lines().any(|found| found == line), "{line}: {text}");
        }
        assert!(!text.contains("status") && !text.contains("quota"));
    }

    #[test]
    fn a_failure_keeps_the_last_success() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("nightly.prom");
        write(&path, None, 0).unwrap();
        let first = fs::read_to_string(&path).unwrap();
        write(&path, None, 6).unwrap();
        let second = fs::read_to_string(&path).unwrap();
        let success = |text: &str| {
            text.lines()
                .find(|line| line.starts_with(LAST_SUCCESS))
                .unwrap()
                .to_owned()
        };
        assert_eq!(success(&first), success(&second));
        assert!(
            second.contains("mailferry_exit_code{name=\"nightly\"} 6"),
            "{second}"
        );
        assert_eq!(
            fs::metadata(&path).unwrap().permissions().mode() & 0o777,
            0o644
        );
        assert_eq!(
            fs::read_dir(directory.path()).unwrap().count(),
            1,
            "nothing is left beside it"
        );
    }
}
