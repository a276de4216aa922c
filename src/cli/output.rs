//! stdout: only results, in whole lines.
//!
//! When the reader is gone (a pipe into `head`), or the disk is full, the rest is dropped and the
//! run is asked to stop cleanly: work in progress is finished, so the next run has nothing to
//! repair. A broken pipe then ends silently with [`exit::BROKEN_PIPE`](super::exit::BROKEN_PIPE).

use super::console::Console;
use super::failure::Failure;
use mailferry::event::Stop;
use mailferry::locks::lock;
use std::io::{self, IsTerminal as _, Write};
use std::sync::{Arc, Mutex};

/// Where results go.
pub(crate) struct Output {
    to: Mutex<Sink>,
    console: Arc<Console>,
    stop: Arc<Stop>,
    /// Whether stdout is a terminal, which it may share with the progress bar.
    terminal: bool,
}

struct Sink {
    stream: Box<dyn Write + Send>,
    failed: Option<io::Error>,
}

impl Output {
    /// Makes one for the process's stdout.
    pub(crate) fn stdout(console: Arc<Console>, stop: Arc<Stop>) -> Self {
        let terminal = io::stdout().is_terminal();
        Self {
            terminal,
            ..Self::to(Box::new(io::stdout()), console, stop)
        }
    }

    /// Makes one for any stream.
    pub(crate) fn to(
        stream: Box<dyn Write + Send>,
        console: Arc<Console>,
        stop: Arc<Stop>,
    ) -> Self {
        Self {
            to: Mutex::new(Sink {
                stream,
                failed: None,
            }),
            console,
            stop,
            terminal: false,
        }
    }

    /// Reports whether stdout is a terminal.
    pub(crate) fn is_terminal(&self) -> bool {
        self.terminal
    }

    /// Writes one line; `text` has no line end.
    pub(crate) fn line(&self, text: &str) {
        if self.terminal {
            self.console.aside(|| self.write(text));
        } else {
            self.write(text);
        }
    }

    fn write(&self, text: &str) {
        let mut sink = lock(&self.to);
        if sink.failed.is_some() {
            return;
        }
        let line = format!("{text}\n");
        if let Err(error) = sink
            .stream
            .write_all(line.as_bytes())
            .and_then(|()| sink.stream.flush())
        {
            sink.failed = Some(error);
            self.stop.request();
        }
    }

    /// Checks whether everything was written.
    ///
    /// # Errors
    /// A broken pipe, or another error of the stream.
    pub(crate) fn check(&self) -> Result<(), Failure> {
        match &lock(&self.to).failed {
            None => Ok(()),
            Some(error) if error.kind() == io::ErrorKind::BrokenPipe => Err(Failure::broken_pipe()),
            Some(error) => Err(Failure::local(format!(
                "could not write results to stdout: {error}"
            ))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::args::When;

    struct Refuses(io::ErrorKind);

    impl Write for Refuses {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(self.0.into())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_stream_that_refuses_stops_the_run_once() {
        for (kind, code) in [
            (io::ErrorKind::BrokenPipe, 141),
            (io::ErrorKind::StorageFull, 1),
        ] {
            let stop = Arc::new(Stop::new());
            let console = Arc::new(Console::new(When::Never));
            let output = Output::to(Box::new(Refuses(kind)), console, Arc::clone(&stop));
            assert!(output.check().is_ok() && !stop.is_requested());
            output.line("a");
            output.line("b");
            assert!(stop.is_requested());
            assert_eq!(output.check().unwrap_err().code, code);
        }
    }
}
