//! An OAuth server as far as a mail server needs one: it knows which access tokens are good, and says so to whoever asks
//! (RFC 7662, token introspection).

use std::collections::HashMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

/// A token's life.
#[derive(Clone, Debug, Default)]
struct Token {
    user: String,
    /// How often it is still good.
    uses_left: usize,
    /// How often it was asked for.
    asked: usize,
}

/// The server; it goes with the process.
pub struct Issuer {
    /// Its port on 127.0.0.1.
    pub port: u16,
    tokens: Arc<Mutex<HashMap<String, Token>>>,
}

impl Issuer {
    /// Starts one that has issued nothing yet.
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let tokens: Arc<Mutex<HashMap<String, Token>>> = Arc::default();
        let shared = Arc::clone(&tokens);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let shared = Arc::clone(&shared);
                // Who asks may go away.
                std::thread::spawn(move || drop(answer(&stream.unwrap(), &shared)));
            }
        });
        Self { port, tokens }
    }

    /// A token that lets its user in so many times; then it has expired.
    pub fn issue(&self, user: &str, uses: usize) -> String {
        let mut tokens = self.tokens.lock().unwrap();
        let token = format!("token-{}-of-{}-{}", tokens.len(), user, "0123456789abcdef".repeat(10));
        tokens.insert(token.clone(), Token { user: user.to_owned(), uses_left: uses, asked: 0 });
        token
    }

    /// How often somebody asked whether it is good.
    pub fn asked(&self, token: &str) -> usize {
        self.tokens.lock().unwrap()[token].asked
    }
}

/// Reads one request and answers it.
fn answer(stream: &TcpStream, tokens: &Mutex<HashMap<String, Token>>) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream);
    let mut length = 0;
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 {
            return Ok(());
        }
        let (name, value) = line.split_once(':').unwrap_or((&line, ""));
        if name.eq_ignore_ascii_case("content-length") {
            length = value.trim().parse().unwrap();
        }
        if line.trim_end().is_empty() {
            break;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    let body = String::from_utf8(body).unwrap();
    let token = body.split('&').find_map(|field| field.strip_prefix("token=")).unwrap_or_default();
    let said = match tokens.lock().unwrap().get_mut(token) {
        Some(token) => {
            token.asked += 1;
            let is_good = token.uses_left > 0;
            token.uses_left = token.uses_left.saturating_sub(1);
            if is_good { format!(r#"{{"active":true,"username":"{}"}}"#, token.user) } else { inactive() }
        }
        None => inactive(),
    };
    let head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close";
    (&mut &*stream).write_all(format!("{head}\r\nContent-Length: {}\r\n\r\n{said}", said.len()).as_bytes())
}

fn inactive() -> String {
    r#"{"active":false}"#.to_owned()
}
