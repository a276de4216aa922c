//! stderr: progress, warnings, errors. It has one owner, so that a line never lands in the middle
//! of a progress bar.
//!
//! Warnings, failures and hints pass through [`harmless`] here; for other lines, callers do that
//! with a server's text. If stderr can't be written to, that is no reason to stop: copying matters
//! more than reporting.

use super::args::When;
use super::failure::Failure;
use super::harmless;
use super::log_file::LogFile;
use indicatif::MultiProgress;
use std::io::{self, IsTerminal as _, Write as _};

/// Where users see what happens.
pub(crate) struct Console {
    bars: MultiProgress,
    paint: Paint,
    terminal: bool,
    log: Option<LogFile>,
}

impl Console {
    /// Makes the console, coloured according to `--color`.
    pub(crate) fn new(color: When) -> Self {
        let terminal = io::stderr().is_terminal();
        Self {
            bars: MultiProgress::new(),
            paint: Paint::new(color, terminal),
            terminal,
            log: None,
        }
    }

    /// Adds a log, which gets everything shown here and, in place of stderr, the output of `-v`.
    #[must_use]
    pub(crate) fn with_log(self, log: Option<LogFile>) -> Self {
        Self { log, ..self }
    }

    /// Reports whether stderr is a terminal: a bar can be drawn and a question asked.
    pub(crate) fn is_terminal(&self) -> bool {
        self.terminal
    }

    /// Reports whether it is coloured.
    pub(crate) fn is_coloured(&self) -> bool {
        self.paint.on
    }

    /// Returns the owner of progress bars.
    pub(crate) fn bars(&self) -> &MultiProgress {
        &self.bars
    }

    /// Shows a line about what is happening. The caller made any server text harmless.
    pub(crate) fn line(&self, text: &str) {
        self.aside(|| {
            let _ = writeln!(io::stderr().lock(), "{text}");
        });
    }

    /// Shows a line requested by `-v`; the caller made any server text harmless.
    pub(crate) fn log(&self, text: &str) {
        if self.log.is_some() {
            self.note(text);
        } else {
            self.line(text);
        }
    }

    /// Writes a line only to the log, if there is one.
    pub(crate) fn note(&self, text: &str) {
        if let Some(error) = self.log.as_ref().and_then(|log| log.line(text)) {
            self.line(&format!(
                "{} the log ends here: {error}",
                self.paint.yellow("warning:")
            ));
        }
    }

    /// Shows a warning: something worth knowing that stops nothing.
    pub(crate) fn warning(&self, text: &str) {
        self.note(&format!("warning: {}", harmless::text(text)));
        self.line(&format!(
            "{} {}",
            self.paint.yellow("warning:"),
            harmless::text(text)
        ));
    }

    /// Shows a failure of a message, a folder or the whole run, and what to do next.
    pub(crate) fn failure(&self, failure: &Failure) {
        self.note(&format!("mailferry: {}", harmless::text(&failure.message)));
        self.line(&format!(
            "{} {}",
            self.paint.red("mailferry:"),
            harmless::text(&failure.message)
        ));
        if let Some(hint) = &failure.hint {
            self.hint(hint);
        }
    }

    /// Shows a failed message or folder; `what` is already harmless.
    pub(crate) fn failed(&self, what: &str) {
        self.note(&format!("failed: {what}"));
        self.line(&format!("{} {what}", self.paint.red("failed:")));
    }

    /// Shows what to do next.
    pub(crate) fn hint(&self, text: &str) {
        let text = harmless::advice(text);
        self.note(&format!("hint: {text}"));
        self.line(&format!("  {} {text}", self.paint.bold("hint:")));
    }

    /// Does something to the terminal while no bar is drawn on it.
    pub(crate) fn aside(&self, action: impl FnOnce()) {
        self.bars.suspend(action);
    }
}

/// Colours, or none.
#[derive(Clone, Copy)]
pub(crate) struct Paint {
    on: bool,
}

impl Paint {
    /// Chooses by `--color`; `auto` colours terminals unless `NO_COLOR` is set or the terminal is a
    /// dumb one.
    pub(crate) fn new(color: When, terminal: bool) -> Self {
        let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
        let on = match color {
            When::Always => true,
            When::Never => false,
            When::Auto => {
                terminal
                    && set("NO_COLOR").is_none()
                    && set("TERM").is_none_or(|term| term != "dumb")
            }
        };
        Self { on }
    }

    /// Uses no colours.
    pub(crate) fn none() -> Self {
        Self { on: false }
    }

    /// Emphasises table headings and labels.
    pub(crate) fn bold(self, text: &str) -> String {
        self.code("1", text)
    }

    /// Colours failures.
    pub(crate) fn red(self, text: &str) -> String {
        self.code("1;31", text)
    }

    /// Colours success: green, or yellow if something limits it.
    pub(crate) fn done(self, what: &str, but: &str) -> String {
        if but.is_empty() {
            self.green(what)
        } else {
            self.yellow(&format!("{what}{but}"))
        }
    }

    /// Colours success.
    pub(crate) fn green(self, text: &str) -> String {
        self.code("1;32", text)
    }

    /// Colours warnings.
    pub(crate) fn yellow(self, text: &str) -> String {
        self.code("1;33", text)
    }

    fn code(self, code: &str, text: &str) -> String {
        if self.on {
            format!("\x1b[{code}m{text}\x1b[0m")
        } else {
            text.to_owned()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_appear_only_where_wanted() {
        assert_eq!(
            Paint::new(When::Always, false).red("x"),
            "\x1b[1;31mx\x1b[0m"
        );
        assert_eq!(Paint::new(When::Never, true).red("x"), "x");
        assert_eq!(Paint::new(When::Auto, false).green("x"), "x");
    }
}
