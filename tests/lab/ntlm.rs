//! Replaces Samba's `ntlm_auth` for a mail server: makes NTLM challenges and checks the answers
//! (NTLMv2), for users who all have the lab's password. Dovecot runs a helper for it; the lab's
//! helper passes the lines on to this.

use super::servers::PASSWORD;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use md4::{Digest as _, Md4};
use md5::Md5;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};

/// What the server makes up anew each time, as this is a test.
const NONCE: &[u8; 8] = b"8 bytes!";

/// Starts it; it goes with the process. Its port on 127.0.0.1.
pub fn start() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            std::thread::spawn(|| drop(serve(&stream.unwrap())));
        }
    });
    port
}

/// The protocol `squid-2.5-ntlmssp`: `YR` asks for a challenge, `KK` has an answer checked.
fn serve(stream: &TcpStream) -> std::io::Result<()> {
    for line in BufReader::new(stream).lines() {
        let line = line?;
        let reply = match line.split_once(' ') {
            Some(("YR", _)) => format!("TT {}", STANDARD.encode(challenge())),
            Some(("KK", message)) => match check(&STANDARD.decode(message).unwrap()) {
                Some(user) => format!("AF {user}"),
                None => "NA NT_STATUS_WRONG_PASSWORD".to_owned(),
            },
            _ => "BH what?".to_owned(),
        };
        (&mut &*stream).write_all(format!("{reply}\n").as_bytes())?;
    }
    Ok(())
}

fn utf16(text: &str) -> Vec<u8> {
    text.encode_utf16().flat_map(u16::to_le_bytes).collect()
}

/// UTF-16, target info, NTLM.
fn challenge() -> Vec<u8> {
    let name = utf16("LAB");
    let length = u16::try_from(name.len()).unwrap().to_le_bytes();
    let info = [&[2, 0][..], &length, &name, &[0; 4]].concat();
    let info_length = u16::try_from(info.len()).unwrap().to_le_bytes();
    [
        &b"NTLMSSP\0\x02\0\0\0"[..],
        &[&length[..], &length, &48_u32.to_le_bytes()].concat(),
        &0xa082_8201_u32.to_le_bytes(),
        NONCE,
        &[0; 8],
        &[
            &info_length[..],
            &info_length,
            &(48 + u32::from(u16::from_le_bytes(length))).to_le_bytes(),
        ]
        .concat(),
        &name,
        &info,
    ]
    .concat()
}

/// Who it is, if the answer is right.
fn check(message: &[u8]) -> Option<String> {
    let field = |at: usize| {
        let length = usize::from(u16::from_le_bytes(message[at..at + 2].try_into().unwrap()));
        let place = u32::from_le_bytes(message[at + 4..at + 8].try_into().unwrap()) as usize;
        &message[place..place + length]
    };
    let text = |bytes: &[u8]| {
        let units: Vec<u16> = bytes
            .chunks(2)
            .map(|pair| u16::from_le_bytes(pair.try_into().unwrap()))
            .collect();
        String::from_utf16(&units).unwrap()
    };
    let (response, domain, user) = (field(20), text(field(28)), text(field(36)));
    let mac = |key: &[u8], text: &[u8]| {
        Hmac::<Md5>::new_from_slice(key)
            .unwrap()
            .chain_update(text)
            .finalize()
            .into_bytes()
            .to_vec()
    };
    let key = mac(
        &Md4::digest(utf16(PASSWORD)),
        &utf16(&(user.to_uppercase() + &domain)),
    );
    let (proof, blob) = response.split_at(16);
    (mac(&key, &[NONCE, blob].concat()) == proof).then_some(user)
}
