//! SCRAM against a server side written here from RFC 5802, with its own arithmetic.

use super::*;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use proptest::prelude::*;
use sha2::{Digest as _, Sha256};

const PASSWORD: &str = "pencil";
const SALT: &[u8] = b"some salt";

fn mac(key: &[u8], text: &[u8]) -> Vec<u8> {
    Hmac::<Sha256>::new_from_slice(key)
        .unwrap()
        .chain_update(text)
        .finalize()
        .into_bytes()
        .to_vec()
}

/// Computes `Hi()` of RFC 5802 section 2.
fn salted(password: &str, iterations: u32) -> Vec<u8> {
    let mut last = mac(password.as_bytes(), &[SALT, &[0, 0, 0, 1]].concat());
    let mut sum = last.clone();
    for _ in 1..iterations {
        last = mac(password.as_bytes(), &last);
        sum.iter_mut()
            .zip(&last)
            .for_each(|(sum, byte)| *sum ^= byte);
    }
    sum
}

/// A server's answers to the client's two messages.
struct Server {
    gs2_header: String,
    bound_to: Vec<u8>,
    first_bare: String,
    first: String,
}

impl Server {
    fn new(client_first: &[u8], iterations: &str) -> Self {
        let text = str::from_utf8(client_first).unwrap();
        let at = text.find("n=").unwrap();
        let nonce = text[at..].split_once(",r=").unwrap().1;
        let first = format!("r={nonce}server,s={},i={iterations}", STANDARD.encode(SALT));
        Self {
            gs2_header: text[..at].to_owned(),
            bound_to: Vec::new(),
            first_bare: text[at..].to_owned(),
            first,
        }
    }

    /// Reports whether the proof is right, and returns the server's own.
    fn finish(&self, client_final: &[u8]) -> (bool, String) {
        let text = str::from_utf8(client_final).unwrap();
        let (without_proof, proof) = text.split_once(",p=").unwrap();
        let binding = STANDARD.encode([self.gs2_header.as_bytes(), &self.bound_to].concat());
        assert!(
            without_proof.starts_with(&format!("c={binding},r=")),
            "{without_proof}"
        );
        let auth_message = format!("{},{},{without_proof}", self.first_bare, self.first);
        let salted = salted(PASSWORD, 4096);
        let stored_key = Sha256::digest(mac(&salted, b"Client Key"));
        let signature = mac(&stored_key, auth_message.as_bytes());
        let proof = STANDARD.decode(proof).unwrap();
        let key: Vec<u8> = proof
            .iter()
            .zip(signature)
            .map(|(proof, signature)| proof ^ signature)
            .collect();
        let own = mac(&mac(&salted, b"Server Key"), auth_message.as_bytes());
        (
            Sha256::digest(key) == stored_key,
            format!("v={}", STANDARD.encode(own)),
        )
    }
}

fn start(mechanism: Mechanism, binding: Binding, password: &str) -> (Box<dyn Sasl>, Vec<u8>) {
    let mut sasl = begin(mechanism, binding, None, "ann", password).unwrap();
    let first = sasl.initial().unwrap().unwrap().to_vec();
    (sasl, first)
}

fn usual(iterations: &str) -> (Box<dyn Sasl>, Server) {
    let (sasl, first) = start(Mechanism::ScramSha256, Binding::None, PASSWORD);
    (sasl, Server::new(&first, iterations))
}

fn distrusts(result: Result<Message, Failure>, words: &str) {
    match result {
        Err(Failure::Distrust(text)) if text.contains(words) => {}
        other => panic!("{words}: {other:?}"),
    }
}

#[test]
fn both_sides_prove_that_they_know_the_password() {
    let (mut sasl, server) = usual("4096");
    let answer = sasl.answer(server.first.as_bytes()).unwrap();
    let (is_right, signature) = server.finish(&answer);
    assert!(
        is_right && !sasl.is_complete(),
        "the server has not proved anything yet"
    );
    assert!(sasl.answer(signature.as_bytes()).unwrap().is_empty());
    assert!(sasl.is_complete());
    distrusts(sasl.answer(b"more"), "more");
}

#[test]
fn sha_1_as_in_rfc_5802_but_for_the_nonce() {
    let (mut sasl, first) = start(Mechanism::ScramSha1, Binding::None, PASSWORD);
    let nonce = str::from_utf8(&first)
        .unwrap()
        .strip_prefix("n,,n=ann,r=")
        .unwrap()
        .to_owned();
    let answer = sasl
        .answer(format!("r={nonce}x,s=QSXCR+Q6sek8bf92,i=4096").as_bytes())
        .unwrap();
    assert!(answer.starts_with(format!("c=biws,r={nonce}x,p=").as_bytes()));
}

#[test]
fn what_is_said_of_channel_binding() {
    use Mechanism::{ScramSha1Plus, ScramSha256, ScramSha256Plus};
    let end_point = || Some(vec![7; 32]);
    let table = [
        (ScramSha256, None, false, "n,,"),
        (ScramSha256, None, true, "n,,"),
        (ScramSha256, end_point(), false, "y,,"),
        (ScramSha256, end_point(), true, "n,,"),
        (
            ScramSha256Plus,
            end_point(),
            true,
            "p=tls-server-end-point,,",
        ),
        (ScramSha1Plus, end_point(), true, "p=tls-server-end-point,,"),
    ];
    for (mechanism, end_point, is_offered, header) in table {
        let binding = Binding::of(mechanism, end_point, is_offered);
        let (mut sasl, first) = start(mechanism, binding.clone(), PASSWORD);
        assert!(
            first.starts_with(format!("{header}n=ann,r=").as_bytes()),
            "{mechanism} {binding:?}"
        );
        if mechanism == ScramSha256Plus {
            let mut server = Server::new(&first, "4096");
            server.bound_to = vec![7; 32];
            let answer = sasl.answer(server.first.as_bytes()).unwrap();
            let (is_right, signature) = server.finish(&answer);
            assert!(is_right && sasl.answer(signature.as_bytes()).is_ok());
        }
    }
}

#[test]
fn who_acts_for_whom_and_odd_names() {
    let mut sasl = begin(
        Mechanism::ScramSha256,
        Binding::None,
        Some("b=o,b"),
        "a,n=n",
        PASSWORD,
    )
    .unwrap();
    let first = sasl.initial().unwrap().unwrap();
    assert!(first.starts_with(b"n,a=b=3Do=2Cb,n=a=2Cn=3Dn,r="));
    // SASLprep: a soft hyphen disappears, a Roman nine becomes two letters.
    assert_eq!(prepared("I\u{ad}\u{2168}"), "IIX");
    assert_eq!(
        prepared("a\u{7}b"),
        "a\u{7}b",
        "what can't be prepared is taken as it is"
    );
}

#[test]
fn a_server_chooses_the_work_within_limits() {
    for iterations in [
        "1",
        "4095",
        "1000001",
        "2147483647",
        "4294967296",
        "-1",
        "+5000",
        "",
        "x",
    ] {
        let (mut sasl, server) = usual(iterations);
        let started = std::time::Instant::now();
        distrusts(
            sasl.answer(server.first.as_bytes()),
            "from 4096 to 1000000 times",
        );
        assert!(started.elapsed().as_secs() < 5, "{iterations}");
        assert!(!sasl.is_complete());
    }
}

#[test]
fn a_server_that_is_not_the_one_it_should_be() {
    // Its signature is wrong.
    let (mut sasl, server) = usual("4096");
    sasl.answer(server.first.as_bytes()).unwrap();
    let wrong = format!("v={}", STANDARD.encode([0; 32]));
    distrusts(
        sasl.answer(wrong.as_bytes()),
        "failed to prove it knows the password",
    );
    assert!(!sasl.is_complete());
    distrusts(
        sasl.answer(wrong.as_bytes()),
        "more than the mechanism defines",
    );
    // Its nonce doesn't extend ours, or adds nothing to it.
    let (mut sasl, server) = usual("4096");
    distrusts(
        sasl.answer(server.first.replacen("r=", "r=x", 1).as_bytes()),
        "nonce",
    );
    let (mut sasl, server) = usual("4096");
    distrusts(
        sasl.answer(server.first.replacen("server,", ",", 1).as_bytes()),
        "nonce",
    );
    // It demands an unknown extension.
    let (mut sasl, server) = usual("4096");
    distrusts(
        sasl.answer(format!("m=x,{}", server.first).as_bytes()),
        "extension",
    );
    // Inputs on which rsasl would panic.
    for first in ["", ",", "r=", "r=x,s", "r=x,s=y,i", "s=x,r=y,i=4096"] {
        distrusts(usual("4096").0.answer(first.as_bytes()), "first message");
    }
    for last in ["", ",", "v", "x=y"] {
        let (mut sasl, server) = usual("4096");
        sasl.answer(server.first.as_bytes()).unwrap();
        distrusts(sasl.answer(last.as_bytes()), "last message");
    }
}

#[test]
fn a_refusal_in_the_exchange_is_the_servers_word() {
    let (mut sasl, server) = usual("4096");
    sasl.answer(server.first.as_bytes()).unwrap();
    assert_eq!(
        sasl.answer(b"e=invalid-proof").unwrap_err(),
        Failure::Refused("invalid-proof".to_owned())
    );
}

proptest! {
    #![proptest_config(crate::properties::config())]

    #[test]
    fn no_challenge_makes_it_panic(
        challenges in proptest::collection::vec(
            prop_oneof!["[rsivem=,0-9a-z+/]{0,40}".prop_map(String::into_bytes), proptest::collection::vec(any::<u8>(), 0..40)],
            1..4,
        ),
        follows in any::<bool>(),
    ) {
        let (mut sasl, server) = usual("4096");
        if follows {
            sasl.answer(server.first.as_bytes()).unwrap();
        }
        for challenge in challenges {
            let _ = sasl.answer(&challenge);
            prop_assert!(!sasl.is_complete());
        }
    }
}
