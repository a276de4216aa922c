//! The part of an OAuth server that clients and their users talk to: `/authorize` with PKCE (RFC
//! 7636), `/device` (RFC 8628) and `/token` (RFC 6749), strict: a code, a device code and a refresh
//! token that was replaced are good once.

use super::oauth::{Answer, Request, Tokens};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use sha2::{Digest as _, Sha256};
use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

/// How the server treats one client.
#[derive(Clone, Debug)]
pub struct Manner {
    /// Whose mailbox its tokens open.
    pub user: String,
    /// What it says before it grants a device code, one at each question; the last one for ever if
    /// `is_endless`.
    pub before: VecDeque<&'static str>,
    pub is_endless: bool,
    /// How long a device code is good, and how often may be asked.
    pub code_lives: u64,
    pub interval: u64,
    /// How often an access token opens the mailbox, and how long it is said to live.
    pub uses: usize,
    pub lives: u64,
    /// How long it does live, if it ends by time at all.
    pub ends_after: Option<Duration>,
    /// The secret that the client must show.
    pub secret: Option<String>,
    /// Said to `/token` in place of anything else: a status, where to go, and a body, in which
    /// `{…}` is a field of the request, and `{base64 …}` that field in base64.
    pub instead: Option<(u16, Option<String>, String)>,
    /// Whether it remembers another challenge than it was told.
    pub mistakes_challenge: bool,
}

/// A client as the server knows it.
struct Client {
    manner: Manner,
    /// The challenge and redirect of each code that was given.
    codes: HashMap<String, (String, String)>,
    device_code: Option<String>,
    refresh: Option<String>,
    access: Vec<String>,
    secrets: Vec<String>,
    requests: Vec<(Instant, String, HashMap<String, String>)>,
}

/// All clients.
#[derive(Default)]
pub struct Clients(Mutex<HashMap<String, Arc<Mutex<Client>>>>);

/// A client as a test sees it.
#[derive(Clone)]
pub struct Registration {
    pub id: String,
    pub port: u16,
    client: Arc<Mutex<Client>>,
}

impl Registration {
    /// A place of the server, such as `token`.
    pub fn endpoint(&self, name: &str) -> String {
        format!("http://127.0.0.1:{}/{name}", self.port)
    }

    /// Changes how the server treats it.
    pub fn change(&self, change: impl FnOnce(&mut Manner)) {
        change(&mut self.client().manner);
    }

    /// What came to one place, with the time.
    pub fn requests(&self, path: &str) -> Vec<(Instant, HashMap<String, String>)> {
        let client = self.client();
        let here = client.requests.iter().filter(|(_, place, _)| place == path);
        here.map(|(time, _, fields)| (*time, fields.clone()))
            .collect()
    }

    /// The refresh token that is good now.
    pub fn refresh_token(&self) -> String {
        self.client().refresh.clone().unwrap()
    }

    /// The access tokens so far, the newest one last.
    pub fn access_tokens(&self) -> Vec<String> {
        self.client().access.clone()
    }

    /// Every secret that went to and fro: codes, verifiers, tokens of both kinds, the client's own.
    pub fn secrets(&self) -> Vec<String> {
        let client = self.client();
        client
            .secrets
            .iter()
            .chain(&client.manner.secret)
            .cloned()
            .collect()
    }

    fn client(&self) -> MutexGuard<'_, Client> {
        self.client.lock().unwrap()
    }
}

impl Clients {
    pub fn register(&self, user: &str, port: u16) -> Registration {
        let mut clients = self.0.lock().unwrap();
        let id = format!("client-{}", clients.len());
        let manner = Manner {
            user: user.to_owned(),
            before: VecDeque::new(),
            is_endless: false,
            code_lives: 60,
            interval: 1,
            uses: 1_000,
            lives: 3600,
            ends_after: None,
            secret: None,
            instead: None,
            mistakes_challenge: false,
        };
        let client = Arc::new(Mutex::new(Client {
            manner,
            codes: HashMap::new(),
            device_code: None,
            refresh: None,
            access: Vec::new(),
            secrets: Vec::new(),
            requests: Vec::new(),
        }));
        clients.insert(id.clone(), Arc::clone(&client));
        Registration { id, port, client }
    }

    /// Answers whoever names a client.
    pub fn answer(&self, request: &Request, tokens: &Tokens) -> Answer {
        let id = request.fields.get("client_id").cloned().unwrap_or_default();
        let Some(client) = self.0.lock().unwrap().get(&id).cloned() else {
            return refuse("invalid_client");
        };
        let mut client = client.lock().unwrap();
        client
            .requests
            .push((Instant::now(), request.path.clone(), request.fields.clone()));
        match request.path.as_str() {
            "/authorize" => client.authorize(&request.fields),
            "/device" => client.begin_device(&id),
            "/token" => client.token(&request.fields, tokens),
            _ => Answer::json(404, "{}"),
        }
    }
}

impl Client {
    /// A new secret, which is remembered.
    fn make(&mut self, kind: &str) -> String {
        let secret = format!(
            "{kind}-{}-{}",
            self.secrets.len(),
            hex(&Sha256::digest(self.manner.user.as_bytes())[..12])
        );
        self.remember(secret.clone());
        secret
    }

    fn remember(&mut self, secret: String) {
        super::secrets::remember(&secret);
        self.secrets.push(secret);
    }

    /// The user says yes at once, and goes back to where they came from.
    fn authorize(&mut self, fields: &HashMap<String, String>) -> Answer {
        let field = |name: &str| fields.get(name).cloned().unwrap_or_default();
        if field("response_type") != "code"
            || field("code_challenge_method") != "S256"
            || field("state").is_empty()
        {
            return refuse("invalid_request");
        }
        let challenge = if self.manner.mistakes_challenge {
            "another".to_owned()
        } else {
            field("code_challenge")
        };
        let (code, redirect) = (self.make("code"), field("redirect_uri"));
        self.codes
            .insert(code.clone(), (challenge, redirect.clone()));
        let location = Some(format!("{redirect}?code={code}&state={}", field("state")));
        Answer {
            status: 302,
            location,
            body: String::new(),
        }
    }

    fn begin_device(&mut self, id: &str) -> Answer {
        let code = self.make("device");
        self.device_code = Some(code.clone());
        let Manner {
            code_lives,
            interval,
            ..
        } = self.manner;
        let uri = "http://127.0.0.1/agree";
        Answer::json(
            200,
            format!(
                r#"{{"device_code":"{code}","user_code":"WDJB-MJHT","verification_uri":"{uri}","verification_uri_complete":"{uri}?{id}","expires_in":{code_lives},"interval":{interval}}}"#
            ),
        )
    }

    fn token(&mut self, fields: &HashMap<String, String>, tokens: &Tokens) -> Answer {
        let shown = ["code_verifier", "refresh_token"]
            .into_iter()
            .filter_map(|name| fields.get(name));
        shown.for_each(|secret| self.remember(secret.clone()));
        if let Some((status, location, body)) = self.manner.instead.clone() {
            let body = fields.iter().fold(body, |body, (name, value)| {
                let encoded = STANDARD.encode(value);
                body.replace(&format!("{{{name}}}"), value)
                    .replace(&format!("{{base64 {name}}}"), &encoded)
            });
            return Answer {
                status,
                location,
                body,
            };
        }
        if fields.get("client_secret") != self.manner.secret.as_ref() {
            return refuse("invalid_client");
        }
        let field = |name: &str| fields.get(name).map(String::as_str).unwrap_or_default();
        match field("grant_type") {
            "authorization_code" => {
                let Some((challenge, redirect)) = self.codes.remove(field("code")) else {
                    return refuse("invalid_grant");
                };
                let verified = URL_SAFE_NO_PAD.encode(Sha256::digest(field("code_verifier")));
                if verified != challenge
                    || redirect != field("redirect_uri")
                    || field("code_verifier").len() < 43
                {
                    return refuse("invalid_grant");
                }
            }
            "urn:ietf:params:oauth:grant-type:device_code" => {
                if self.device_code.as_deref() != Some(field("device_code")) {
                    return refuse("invalid_grant");
                }
                let is_last = self.manner.before.len() == 1 && self.manner.is_endless;
                let said = if is_last {
                    self.manner.before.front().copied()
                } else {
                    self.manner.before.pop_front()
                };
                if let Some(said) = said {
                    return refuse(said);
                }
                self.device_code = None;
            }
            "refresh_token" if self.refresh.as_deref() == Some(field("refresh_token")) => {}
            "refresh_token" => return refuse("invalid_grant"),
            _ => return refuse("unsupported_grant_type"),
        }
        self.grant(tokens)
    }

    /// A new pair; the refresh token before it is good for nothing now.
    fn grant(&mut self, tokens: &Tokens) -> Answer {
        let refresh = self.make("refresh");
        self.refresh = Some(refresh.clone());
        let name = self.make("access");
        // It does not look like a token: short, and of no known kind.
        let access = tokens.issue(
            &name,
            &self.manner.user,
            self.manner.uses,
            self.manner.ends_after,
        );
        self.access.push(access.clone());
        let lives = self.manner.lives;
        Answer::json(
            200,
            format!(
                r#"{{"access_token":"{access}","token_type":"Bearer","expires_in":{lives},"refresh_token":"{refresh}"}}"#
            ),
        )
    }
}

fn refuse(error: &str) -> Answer {
    Answer::json(
        400,
        format!(r#"{{"error":"{error}","error_description":"in words: {error}"}}"#),
    )
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
