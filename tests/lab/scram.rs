//! A server that accepts a SCRAM exchange up to the client's proof, and returns what the client
//! sent.

use super::scripted::{Reply, Scripted};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use std::sync::{Arc, Mutex};

/// The server, which hangs up then.
pub struct Listener {
    pub server: Scripted,
    messages: Arc<Mutex<Vec<String>>>,
}

impl Listener {
    /// Starts one that offers this.
    pub fn start(offers: &str) -> Self {
        let messages: Arc<Mutex<Vec<String>>> = Arc::default();
        let seen = Arc::clone(&messages);
        let offers = format!("CAPABILITY IMAP4rev1 SASL-IR {offers}");
        let greeting = format!("OK [{offers}] ready");
        let server = Scripted::serve(&greeting, move |command| {
            // What the greeting says does not count after STARTTLS.
            if command.name == "CAPABILITY" {
                return Reply::ok().line(&format!("* {offers}"));
            }
            let text = |base64: &str| {
                String::from_utf8_lossy(&STANDARD.decode(base64).unwrap()).into_owned()
            };
            let Some((_, first)) = command
                .arguments
                .split_once(' ')
                .filter(|_| command.name == "AUTHENTICATE")
            else {
                seen.lock().unwrap().push(text(&command.tag));
                return Reply::hang_up();
            };
            let first = text(first);
            let nonce = first.split_once(",r=").unwrap().1.to_owned();
            seen.lock().unwrap().push(first);
            let challenge = STANDARD.encode(format!("r={nonce}more,s=c2FsdA==,i=4096"));
            Reply::unfinished().line(&format!("+ {challenge}"))
        });
        Self { server, messages }
    }

    /// What the client has said.
    pub fn messages(&self) -> Vec<String> {
        self.messages.lock().unwrap().clone()
    }
}
