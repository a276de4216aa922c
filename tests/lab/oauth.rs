//! An OAuth server: it validates access tokens for servers that ask (RFC 7662, token
//! introspection), and issues them to registered clients ([`super::grants`]).

use super::grants::{Clients, Registration};
use percent_encoding::percent_decode_str;
use std::collections::HashMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// A token's life.
#[derive(Clone, Debug, Default)]
struct Token {
    user: String,
    /// How often it is still good.
    uses_left: usize,
    /// When it ends, however often it is used.
    ends: Option<Instant>,
    /// How often it was asked for.
    asked: usize,
}

/// Which access tokens there are.
#[derive(Default)]
pub struct Tokens(Mutex<HashMap<String, Token>>);

impl Tokens {
    /// One more, with `name` in it, that is good so often and so long.
    pub fn issue(&self, name: &str, user: &str, uses: usize, life: Option<Duration>) -> String {
        let mut tokens = self.0.lock().unwrap();
        let token = format!("token-{}-{name}", tokens.len());
        super::secrets::remember(&token);
        tokens.insert(
            token.clone(),
            Token {
                user: user.to_owned(),
                uses_left: uses,
                ends: life.map(|life| Instant::now() + life),
                asked: 0,
            },
        );
        token
    }

    fn introspect(&self, token: &str) -> String {
        match self.0.lock().unwrap().get_mut(token) {
            Some(token) => {
                token.asked += 1;
                let is_good =
                    token.uses_left > 0 && token.ends.is_none_or(|ends| Instant::now() < ends);
                token.uses_left = token.uses_left.saturating_sub(1);
                if is_good {
                    format!(r#"{{"active":true,"username":"{}"}}"#, token.user)
                } else {
                    inactive()
                }
            }
            None => inactive(),
        }
    }
}

/// The server; it goes with the process.
pub struct Issuer {
    /// Its port on 127.0.0.1.
    pub port: u16,
    tokens: Arc<Tokens>,
    clients: Arc<Clients>,
}

/// A request as the server reads it.
pub struct Request {
    /// Such as `/token`.
    pub path: String,
    /// What stands behind `?`, or in the body.
    pub fields: HashMap<String, String>,
}

/// What the server answers.
pub struct Answer {
    pub status: u16,
    /// Where the client is sent.
    pub location: Option<String>,
    pub body: String,
}

impl Answer {
    /// JSON.
    pub fn json(status: u16, body: impl Into<String>) -> Self {
        Self {
            status,
            location: None,
            body: body.into(),
        }
    }
}

impl Issuer {
    /// Starts one that has issued nothing yet.
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let tokens: Arc<Tokens> = Arc::default();
        let clients: Arc<Clients> = Arc::default();
        let (known, registered) = (Arc::clone(&tokens), Arc::clone(&clients));
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (known, registered) = (Arc::clone(&known), Arc::clone(&registered));
                // Who asks may go away.
                std::thread::spawn(move || drop(serve(&stream.unwrap(), &known, &registered)));
            }
        });
        Self {
            port,
            tokens,
            clients,
        }
    }

    /// A token that lets its user in so many times; then it has expired. It looks like one.
    pub fn issue(&self, user: &str, uses: usize) -> String {
        self.tokens.issue(
            &format!("of-{user}-{}", "0123456789abcdef".repeat(10)),
            user,
            uses,
            None,
        )
    }

    /// How often somebody asked whether it is good.
    pub fn asked(&self, token: &str) -> usize {
        self.tokens.0.lock().unwrap()[token].asked
    }

    /// A new client, whose user is this one.
    pub fn register(&self, user: &str) -> Registration {
        self.clients.register(user, self.port)
    }
}

fn serve(stream: &TcpStream, tokens: &Tokens, clients: &Clients) -> std::io::Result<()> {
    let Some(request) = read(stream)? else {
        return Ok(());
    };
    let answer = if request.path == "/introspect" {
        let token = request
            .fields
            .get("token")
            .map(String::as_str)
            .unwrap_or_default();
        Answer::json(200, tokens.introspect(token))
    } else {
        clients.answer(&request, tokens)
    };
    let Answer {
        status,
        location,
        body,
    } = answer;
    let location = location
        .map(|place| format!("Location: {place}\r\n"))
        .unwrap_or_default();
    let head = format!(
        "HTTP/1.1 {status} said\r\nContent-Type: application/json\r\nConnection: close\r\n{location}"
    );
    (&mut &*stream)
        .write_all(format!("{head}Content-Length: {}\r\n\r\n{body}", body.len()).as_bytes())
}

/// Reads one request; `None` where nobody says anything.
fn read(stream: &TcpStream) -> std::io::Result<Option<Request>> {
    let mut reader = BufReader::new(stream);
    let mut first = String::new();
    if reader.read_line(&mut first)? == 0 {
        return Ok(None);
    }
    let mut length = 0;
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 {
            return Ok(None);
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
    let target = first.split(' ').nth(1).unwrap_or_default();
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let text = if body.is_empty() {
        query.to_owned()
    } else {
        String::from_utf8(body).unwrap()
    };
    Ok(Some(Request {
        path: path.to_owned(),
        fields: fields(&text),
    }))
}

/// The fields of a form (`application/x-www-form-urlencoded`).
pub fn fields(text: &str) -> HashMap<String, String> {
    let decoded = |text: &str| {
        percent_decode_str(&text.replace('+', " "))
            .decode_utf8()
            .unwrap()
            .into_owned()
    };
    text.split('&')
        .filter_map(|field| field.split_once('='))
        .map(|(name, value)| (decoded(name), decoded(value)))
        .collect()
}

fn inactive() -> String {
    r#"{"active":false}"#.to_owned()
}
