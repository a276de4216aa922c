//! A scripted IMAP server, for what real servers won't do.
//!
//! There are two ways to define what it does. [`Scripted::script`] takes a list of steps for each
//! connection; a client that does something else fails the test, in [`Scripted::finish`].
//! [`Scripted::serve`] takes a function from a command to its reply, for a made-up mailbox; it
//! serves any number of connections in parallel.

use super::wire::literal_at_end;
use regex::Regex;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

/// How long a script waits for a client.
const PATIENCE: Duration = Duration::from_secs(20);

/// What a scripted connection does next.
#[derive(Clone, Debug)]
pub enum Step {
    /// Reads a line, takes its first word as `{tag}`; the rest must match this regular expression
    /// from its start.
    Expect(String),
    /// Reads a line without a tag, which must match this regular expression from its start; the tag
    /// stays.
    Line(String),
    /// Reads so many bytes of a literal and the rest of its line.
    Literal(usize),
    /// Writes a line, with `{tag}` replaced and a line end added.
    Send(String),
    /// Writes these bytes.
    Raw(Vec<u8>),
    Pause(Duration),
    /// Closes the connection; the end of a script waits for the client to close instead.
    Close,
}

/// [`Step::Expect`].
pub fn expect(regex: &str) -> Step {
    Step::Expect(regex.to_owned())
}

/// [`Step::Send`].
pub fn send(line: &str) -> Step {
    Step::Send(line.to_owned())
}

/// A command as [`Scripted::serve`] hands it over.
#[derive(Clone, Debug)]
pub struct Command {
    /// Which connection it came by, from 1.
    pub connection: usize,
    pub tag: String,
    /// The command's name in capitals, with `UID` where it has one: `UID FETCH`.
    pub name: String,
    /// What follows the name, without the literals' bytes.
    pub arguments: String,
    pub literals: Vec<Vec<u8>>,
}

/// What the server says to a command: untagged bytes, then the tagged status.
#[derive(Clone, Debug, Default)]
pub struct Reply {
    bytes: Vec<u8>,
    tagged: Option<String>,
    /// Another tag than the command's.
    tag: Option<String>,
    /// A line after the status.
    last: Option<String>,
    close: bool,
    drips: bool,
}

impl Reply {
    /// `OK` and nothing else.
    pub fn ok() -> Self {
        Self::status("OK done")
    }

    /// A tagged status, such as `NO [LIMIT] too much`.
    pub fn status(status: &str) -> Self {
        Self {
            tagged: Some(status.to_owned()),
            ..Self::default()
        }
    }

    /// No tagged status: the command goes on.
    pub fn unfinished() -> Self {
        Self::default()
    }

    /// After the bytes, one more now and then until the client closes.
    pub fn dripping() -> Self {
        Self {
            drips: true,
            ..Self::default()
        }
    }

    /// Closes the connection without a tagged reply.
    pub fn hang_up() -> Self {
        Self {
            close: true,
            ..Self::default()
        }
    }

    /// Another reply with these bytes before everything, and again before the tagged status.
    pub fn before(bytes: &[u8], reply: Self) -> Self {
        Self {
            bytes: [bytes, &reply.bytes, bytes].concat(),
            ..reply
        }
    }

    /// Whether the command was refused.
    pub fn is_refusal(&self) -> bool {
        let tagged = self.tagged.as_deref().unwrap_or_default();
        tagged.starts_with("NO") || tagged.starts_with("BAD")
    }

    /// Says this line after the status and closes the connection.
    pub fn then_hang_up(mut self, line: &str) -> Self {
        self.last = Some(line.to_owned());
        self.close = true;
        self
    }

    /// Has this tag in place of the command's.
    pub fn tagged(mut self, tag: &str) -> Self {
        self.tag = Some(tag.to_owned());
        self
    }

    /// Says this line before the status.
    pub fn line(self, line: &str) -> Self {
        self.raw(format!("{line}\r\n").as_bytes())
    }

    /// Says these bytes before the status.
    pub fn raw(mut self, bytes: &[u8]) -> Self {
        self.bytes.extend_from_slice(bytes);
        self
    }
}

/// A running server; it goes with the process.
pub struct Scripted {
    /// Its port on 127.0.0.1.
    pub port: u16,
    lines: Arc<Mutex<Vec<String>>>,
    script: Option<JoinHandle<Result<(), String>>>,
}

impl Scripted {
    /// Plays one list of steps for each connection, one connection after the other.
    pub fn script(connections: Vec<Vec<Step>>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let lines: Arc<Mutex<Vec<String>>> = Arc::default();
        let log = Arc::clone(&lines);
        let play_all = move || {
            for (number, steps) in connections.into_iter().enumerate() {
                let (stream, _) = listener.accept().map_err(|error| error.to_string())?;
                play(&stream, steps, &log)
                    .map_err(|error| format!("connection {}: {error}", number + 1))?;
            }
            Ok(())
        };
        Self {
            port,
            lines,
            script: Some(std::thread::spawn(play_all)),
        }
    }

    /// Greets every connection with `* ` and this text, and answers each command by the function.
    /// Literals that wait are granted. `LOGOUT` is a command like all others; a connection ends
    /// when the client closes it.
    pub fn serve(greeting: &str, answer: impl FnMut(&Command) -> Reply + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let lines: Arc<Mutex<Vec<String>>> = Arc::default();
        let log = Arc::clone(&lines);
        let greeting = greeting.to_owned();
        let answer = Arc::new(Mutex::new(answer));
        std::thread::spawn(move || {
            for (number, stream) in listener.incoming().enumerate() {
                let (answer, log, greeting) =
                    (Arc::clone(&answer), Arc::clone(&log), greeting.clone());
                std::thread::spawn(move || {
                    let answer = |command: &Command| (answer.lock().unwrap())(command);
                    // A client that goes away ends its own connection only.
                    drop(converse(
                        &stream.unwrap(),
                        number + 1,
                        &greeting,
                        &log,
                        answer,
                    ));
                });
            }
        });
        Self {
            port,
            lines,
            script: None,
        }
    }

    /// The lines that came, in order, without literals' bytes.
    pub fn lines(&self) -> Vec<String> {
        self.lines.lock().unwrap().clone()
    }

    /// Waits for the script's end and fails if the client did not keep to it.
    pub fn finish(self) {
        if let Some(Err(failure)) = self.script.map(|script| script.join().unwrap()) {
            panic!(
                "the client did not keep to the script: {failure}; it sent {:#?}",
                self.lines.lock().unwrap()
            );
        }
    }
}

/// Plays the steps of one connection.
fn play(stream: &TcpStream, steps: Vec<Step>, log: &Mutex<Vec<String>>) -> Result<(), String> {
    let to_text = |error: std::io::Error| error.to_string();
    stream.set_read_timeout(Some(PATIENCE)).map_err(to_text)?;
    let mut reader = BufReader::new(stream);
    let mut writer = stream;
    let mut tag = String::new();
    for step in steps {
        match step {
            Step::Expect(regex) => {
                let line = read_line(&mut reader, log)
                    .map_err(|error| format!("waiting for {regex}: {error}"))?;
                let (first, rest) = line.split_once(' ').unwrap_or((&line, ""));
                let matches = Regex::new(&format!("^(?:{regex})")).unwrap().is_match(rest);
                if !matches {
                    return Err(format!("expected {regex}, got {line}"));
                }
                first.clone_into(&mut tag);
            }
            Step::Line(regex) => {
                let line = read_line(&mut reader, log)
                    .map_err(|error| format!("waiting for {regex}: {error}"))?;
                if !Regex::new(&format!("^(?:{regex})"))
                    .unwrap()
                    .is_match(&line)
                {
                    return Err(format!("expected {regex}, got {line}"));
                }
            }
            Step::Literal(length) => {
                reader.read_exact(&mut vec![0; length]).map_err(to_text)?;
                read_line(&mut reader, log).map_err(to_text)?;
            }
            Step::Send(line) => {
                let line = format!("{line}\r\n").replace("{tag}", &tag);
                writer.write_all(line.as_bytes()).map_err(to_text)?;
            }
            Step::Raw(bytes) => writer.write_all(&bytes).map_err(to_text)?,
            Step::Pause(time) => std::thread::sleep(time),
            Step::Close => return stream.shutdown(Shutdown::Both).map_err(to_text),
        }
    }
    // What a client says last, such as LOGOUT, need not be in the script.
    std::io::copy(&mut reader, &mut std::io::sink())
        .map(|_| ())
        .map_err(to_text)
}

/// A line without its end; an error at the stream's end, as a line that is not whole is no command.
fn read_line(
    reader: &mut BufReader<&TcpStream>,
    log: &Mutex<Vec<String>>,
) -> std::io::Result<String> {
    let mut line = Vec::new();
    reader.read_until(b'\n', &mut line)?;
    if !line.ends_with(b"\n") {
        return Err(std::io::ErrorKind::UnexpectedEof.into());
    }
    let line = String::from_utf8_lossy(&line)
        .trim_end_matches(['\r', '\n'])
        .to_owned();
    log.lock().unwrap().push(line.clone());
    Ok(line)
}

/// Serves one connection by a function.
fn converse(
    stream: &TcpStream,
    connection: usize,
    greeting: &str,
    log: &Mutex<Vec<String>>,
    mut answer: impl FnMut(&Command) -> Reply,
) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let mut reader = BufReader::new(stream);
    let mut writer = stream;
    writer.write_all(format!("* {greeting}\r\n").as_bytes())?;
    loop {
        let command = read_command(&mut reader, writer, connection, log)?;
        let reply = answer(&command);
        writer.write_all(&reply.bytes)?;
        if reply.drips {
            // Until the client has had enough.
            loop {
                std::thread::sleep(Duration::from_millis(200));
                writer.write_all(b"x")?;
            }
        }
        if let Some(status) = reply.tagged {
            writer.write_all(
                format!(
                    "{} {status}\r\n",
                    reply.tag.as_ref().unwrap_or(&command.tag)
                )
                .as_bytes(),
            )?;
        }
        if let Some(line) = reply.last {
            writer.write_all(format!("{line}\r\n").as_bytes())?;
        }
        if reply.close {
            return stream.shutdown(Shutdown::Both);
        }
    }
}

/// Reads a command with its literals, granting those that wait.
fn read_command(
    reader: &mut BufReader<&TcpStream>,
    mut writer: &TcpStream,
    connection: usize,
    log: &Mutex<Vec<String>>,
) -> std::io::Result<Command> {
    let mut text = String::new();
    let mut literals = Vec::new();
    loop {
        let line = read_line(reader, log)?;
        text.push_str(&line);
        let Some((length, at_once)) = literal_at_end(line.as_bytes()) else {
            break;
        };
        if !at_once {
            writer.write_all(b"+ go on\r\n")?;
        }
        let mut literal = vec![0; length];
        reader.read_exact(&mut literal)?;
        literals.push(literal);
    }
    let (tag, rest) = text.split_once(' ').unwrap_or((&text, ""));
    let (first, arguments) = rest.split_once(' ').unwrap_or((rest, ""));
    let (name, arguments) = if first.eq_ignore_ascii_case("UID") {
        let (second, arguments) = arguments.split_once(' ').unwrap_or((arguments, ""));
        (format!("UID {second}"), arguments)
    } else {
        (first.to_owned(), arguments)
    };
    Ok(Command {
        connection,
        tag: tag.to_owned(),
        name: name.to_ascii_uppercase(),
        arguments: arguments.to_owned(),
        literals,
    })
}
