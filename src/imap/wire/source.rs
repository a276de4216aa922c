//! Where response bytes come from, and how reading them can fail.

use super::limits::Violation;

/// The receiving half of a connection.
pub trait ByteSource {
    /// How a read fails.
    type Error;

    /// Waits for bytes and reads some into `buffer`, which isn't empty. Zero: the server has
    /// closed.
    ///
    /// # Errors
    /// Those of the connection; reading may continue afterwards if the connection allows it.
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize, Self::Error>;

    /// Reads what has already arrived. `None`: nothing has; `Some(0)`: the server has closed.
    ///
    /// # Errors
    /// As [`ByteSource::read`].
    fn read_available(&mut self, buffer: &mut [u8]) -> Result<Option<usize>, Self::Error>;
}

/// Bytes in memory: all of them have arrived, and then the server has closed.
impl ByteSource for &[u8] {
    type Error = std::convert::Infallible;

    fn read(&mut self, buffer: &mut [u8]) -> Result<usize, Self::Error> {
        let count = self.len().min(buffer.len());
        let (now, later) = self.split_at(count);
        buffer[..count].copy_from_slice(now);
        *self = later;
        Ok(count)
    }

    fn read_available(&mut self, buffer: &mut [u8]) -> Result<Option<usize>, Self::Error> {
        self.read(buffer).map(Some)
    }
}

/// Why there is no next frame.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FrameError<E> {
    /// The connection failed; what was read so far is kept, and reading may continue.
    #[error("{0}")]
    Source(E),
    /// The server closed between two responses.
    #[error("the server closed the connection")]
    Closed,
    /// The server closed within a response: what arrived of it is worthless.
    #[error("the server closed the connection in the middle of a response")]
    Truncated,
    /// The server exceeded a limit; every further call reports the same.
    #[error(transparent)]
    Violation(#[from] Violation),
}
