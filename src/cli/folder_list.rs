//! `--folders-from`: folder names from a file or stdin, one per line.
//!
//! A list without names is an error: the user can only mean to select something, and ignoring the
//! list would select everything.

use super::failure::Failure;
use std::fs::File;
use std::io::{self, Read};

/// The longest list, in bytes.
const MAX_LIST: u64 = 16 * 1024 * 1024;

/// Reads the names in a file, or from stdin for `-`.
///
/// # Errors
/// It can't be read, is too long or not UTF-8, or has no names.
pub(crate) fn read(path: &str) -> Result<Vec<String>, Failure> {
    let text = if path == "-" {
        limited(io::stdin().lock())
    } else {
        File::open(path).and_then(limited)
    };
    let text = text.map_err(|error| {
        Failure::usage(format!("could not read the folder list {path}: {error}"))
    })?;
    let names = names(&text);
    if names.is_empty() {
        return Err(Failure::usage(format!("the folder list {path} is empty"))
            .with_hint("write one name per line, with `/` between levels, as `mailferry folders` shows them"));
    }
    Ok(names)
}

fn limited(from: impl Read) -> io::Result<String> {
    let mut text = String::new();
    from.take(MAX_LIST + 1).read_to_string(&mut text)?;
    if text.len() as u64 > MAX_LIST {
        return Err(io::Error::new(
            io::ErrorKind::FileTooLarge,
            "it is too long",
        ));
    }
    Ok(text)
}

/// Returns the non-empty lines. Blanks are part of names, and so is `#`.
fn names(text: &str) -> Vec<String> {
    text.lines()
        .filter(|line| !line.is_empty())
        .map(str::to_owned)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_line_is_a_name() {
        assert_eq!(
            names("INBOX\r\n\n# mine \na*b"),
            ["INBOX", "# mine ", "a*b"]
        );
        assert_eq!(read("/dev/null").unwrap_err().code, 2);
        assert_eq!(read("/nonexistent").unwrap_err().code, 2);
    }
}
