//! A headless Chromium, or a browser based on it, driven by its DevTools protocol over a pipe: it
//! opens a page from disk, and returns its contents, its errors and its requests.
//!
//! The protocol: JSON objects that end with NUL, in one direction on descriptor 3, in the other on
//! descriptor 4.

use serde_json::{Value, json};
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

/// How long anything may take that is asked of it, its start on a busy machine included.
const DEADLINE: Duration = Duration::from_secs(60);

/// A browser with one page.
pub struct Browser {
    child: Child,
    to: ChildStdin,
    from: Receiver<Value>,
    /// What it told without being asked, since the last page was opened.
    told: Vec<Value>,
    asked: u64,
    session: Option<String>,
    _profile: tempfile::TempDir,
}

impl Browser {
    /// Starts one, with an empty page.
    pub fn start() -> Self {
        let profile = tempfile::tempdir().unwrap();
        let options = "--headless --no-sandbox --disable-gpu --disable-dev-shm-usage --no-first-run \
                       --disable-extensions --disable-background-networking --disable-component-update --window-size=1280,900 \
                       --remote-debugging-pipe";
        let script = format!(
            "for browser in chromium chromium-browser google-chrome; do
               if command -v $browser >/dev/null; then
                 exec $browser {options} \"--user-data-dir=$1\" 3<&0 4>&1 </dev/null >/dev/null 2>&1
               fi
             done"
        );
        let mut child = Command::new("sh")
            .args(["-c", &script, "sh", profile.path().to_str().unwrap()])
            .env("HOME", profile.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let (sender, from) = channel();
        let stream = BufReader::new(child.stdout.take().unwrap());
        std::thread::spawn(move || {
            for message in stream.split(0) {
                let Ok(message) = message else { break };
                // Nobody may be waiting any more.
                drop(sender.send(serde_json::from_slice(&message).unwrap()));
            }
        });
        let to = child.stdin.take().unwrap();
        let mut browser = Self {
            child,
            to,
            from,
            told: Vec::new(),
            asked: 0,
            session: None,
            _profile: profile,
        };
        let target = browser.ask("Target.createTarget", &json!({"url": "about:blank"}));
        let attach = json!({"targetId": target["targetId"], "flatten": true});
        browser.session = browser.ask("Target.attachToTarget", &attach)["sessionId"]
            .as_str()
            .map(str::to_owned);
        for domain in ["Page", "Network", "Log", "Runtime"] {
            browser.ask(&format!("{domain}.enable"), &json!({}));
        }
        browser
    }

    /// Opens a file, and waits until it stands there.
    pub fn open(&mut self, file: &Path) {
        self.told.clear();
        self.ask(
            "Page.navigate",
            &json!({"url": format!("file://{}", file.display())}),
        );
        let started = Instant::now();
        while !self
            .told
            .iter()
            .any(|told| told["method"] == "Page.loadEventFired")
        {
            let told = self
                .from
                .recv_timeout(DEADLINE.saturating_sub(started.elapsed()))
                .expect("the page did not load");
            self.told.push(told);
        }
    }

    /// Whether pages may run scripts, from the next one on.
    pub fn let_scripts_run(&mut self, may: bool) {
        self.ask(
            "Emulation.setScriptExecutionDisabled",
            &json!({"value": !may}),
        );
    }

    /// What pages are told that the user prefers: `light` or `dark`; and what they are shown on,
    /// `screen` or `print`.
    pub fn prefer(&mut self, scheme: &str, medium: &str) {
        let features = json!([{"name": "prefers-color-scheme", "value": scheme}]);
        self.ask(
            "Emulation.setEmulatedMedia",
            &json!({"media": medium, "features": features}),
        );
    }

    /// The value of an expression in the page. An exception is a failure.
    #[track_caller]
    pub fn value(&mut self, expression: &str) -> Value {
        let asked = json!({"expression": expression, "returnByValue": true, "awaitPromise": true});
        let answer = self.ask("Runtime.evaluate", &asked);
        assert!(
            answer["exceptionDetails"].is_null(),
            "{expression}: {}",
            answer["exceptionDetails"]
        );
        answer["result"]["value"].clone()
    }

    /// The addresses that the page asked for.
    pub fn requests(&self) -> Vec<String> {
        self.told_of("Network.requestWillBeSent", "/params/request/url")
    }

    /// What the browser complains about: scripts and styles that it refused, errors.
    pub fn complaints(&self) -> Vec<String> {
        let mut complaints = self.told_of("Log.entryAdded", "/params/entry/text");
        complaints.extend(self.told_of("Runtime.exceptionThrown", "/params/exceptionDetails/text"));
        complaints
    }

    fn told_of(&self, method: &str, member: &str) -> Vec<String> {
        let of = self.told.iter().filter(|told| told["method"] == method);
        of.map(|told| {
            told.pointer(member)
                .and_then(Value::as_str)
                .unwrap_or_default()
                .to_owned()
        })
        .collect()
    }

    #[track_caller]
    fn ask(&mut self, method: &str, params: &Value) -> Value {
        self.asked += 1;
        let mut message = json!({"id": self.asked, "method": method, "params": params});
        if let Some(session) = &self.session {
            message["sessionId"] = json!(session);
        }
        self.to
            .write_all(format!("{message}\0").as_bytes())
            .unwrap();
        self.to.flush().unwrap();
        let started = Instant::now();
        loop {
            let left = DEADLINE.saturating_sub(started.elapsed());
            let told = self
                .from
                .recv_timeout(left)
                .unwrap_or_else(|error| panic!("{method}: {error}"));
            if told["id"] == self.asked {
                assert!(told["error"].is_null(), "{method}: {}", told["error"]);
                return told["result"].clone();
            }
            self.told.push(told);
        }
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // It is asked to close, which ends its other processes too; whether it does is seen below.
        drop(write!(
            self.to,
            "{}\0",
            &json!({"id": 0, "method": "Browser.close"})
        ));
        let started = Instant::now();
        while started.elapsed() < Duration::from_secs(5) {
            if !matches!(self.child.try_wait(), Ok(None)) {
                return;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
