//! NTLM as Exchange and Samba accept it: NTLMv2 only ([MS-NLMP] sections 2.2.1 and 3.3.2). The
//! password is hashed with long-broken algorithms, so it is used only on request or if the server
//! has nothing else.
//!
//! rsasl has no NTLM. A user is written `NAME` or `DOMAIN\NAME`.

use super::exchange::{Failure, Message, Sasl};
use hmac::{Hmac, KeyInit as _, Mac as _};
use md4::{Digest as _, Md4};
use md5::Md5;
use std::time::{SystemTime, UNIX_EPOCH};
use zeroize::Zeroizing;

const MAGIC: &[u8; 8] = b"NTLMSSP\0";

/// UTF-16, target name requested, NTLM, always signed, NTLMv2 challenge, 128 bits (section
/// 2.2.2.5).
const FLAGS: u32 =
    0x0000_0001 | 0x0000_0004 | 0x0000_0200 | 0x0000_8000 | 0x0008_0000 | 0x2000_0000;

/// The time between 1601 and 1970, in Windows' tenths of microseconds.
const EPOCH: u64 = 116_444_736_000_000_000;

/// The most bytes that the server's target info may have.
const MAX_TARGET_INFO: usize = 4096;

/// Starts an exchange.
pub(super) fn begin(user: &str, password: &str) -> Result<Box<dyn Sasl>, Failure> {
    let mut client_challenge = [0; 8];
    getrandom::fill(&mut client_challenge)
        .map_err(|_| Failure::Unfit("this machine provides no random numbers".to_owned()))?;
    let (domain, user) = user.split_once('\\').unwrap_or(("", user));
    let since_1970 = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    let ticks = u64::try_from(since_1970.as_nanos() / 100)
        .unwrap_or_default()
        .saturating_add(EPOCH);
    Ok(Box::new(Ntlm {
        domain: domain.to_owned(),
        user: user.to_owned(),
        password: Some(Zeroizing::new(password.to_owned())),
        client_challenge,
        ticks,
    }))
}

struct Ntlm {
    domain: String,
    user: String,
    /// Gone after use.
    password: Option<Zeroizing<String>>,
    client_challenge: [u8; 8],
    ticks: u64,
}

impl Sasl for Ntlm {
    fn initial(&mut self) -> Result<Option<Message>, Failure> {
        // Neither domain nor workstation.
        let message = [
            &MAGIC[..],
            &1_u32.to_le_bytes(),
            &FLAGS.to_le_bytes(),
            &[0; 16],
        ]
        .concat();
        Ok(Some(Zeroizing::new(message)))
    }

    fn answer(&mut self, challenge: &[u8]) -> Result<Message, Failure> {
        let broken = |text: &str| Failure::Distrust(text.to_owned());
        let password = self
            .password
            .take()
            .ok_or_else(|| broken("the server asks for more than the mechanism defines"))?;
        let challenge = Challenge::read(challenge)
            .ok_or_else(|| broken("the server's challenge is not valid NTLM"))?;
        let key = self.key(&password);
        let blob = self.blob(challenge.target_info);
        let proof = mac(&key, &[&challenge.nonce, &blob]);
        let nt_response = [&proof[..], &blob].concat();
        let lm_response = [
            &mac(&key, &[&challenge.nonce, &self.client_challenge])[..],
            &self.client_challenge,
        ]
        .concat();
        let fields = [
            lm_response,
            nt_response,
            utf16(&self.domain).to_vec(),
            utf16(&self.user).to_vec(),
            Vec::new(),
            Vec::new(),
        ];
        Ok(authenticate(&fields, challenge.flags & FLAGS))
    }
}

impl Ntlm {
    /// Computes `NTOWFv2`.
    fn key(&self, password: &str) -> Zeroizing<[u8; 16]> {
        let hash = Zeroizing::new(<[u8; 16]>::from(Md4::digest(&*utf16(password))));
        mac(
            &hash,
            &[&utf16(&self.user.to_uppercase()), &utf16(&self.domain)],
        )
    }

    /// Builds `temp`: the version, the time, our challenge and the server's target info.
    fn blob(&self, target_info: &[u8]) -> Vec<u8> {
        let head = [1, 1, 0, 0, 0, 0, 0, 0];
        [
            &head[..],
            &self.ticks.to_le_bytes(),
            &self.client_challenge,
            &[0; 4],
            target_info,
            &[0; 4],
        ]
        .concat()
    }
}

/// The server's message (section 2.2.1.2), as far as needed.
struct Challenge<'a> {
    flags: u32,
    nonce: [u8; 8],
    target_info: &'a [u8],
}

impl<'a> Challenge<'a> {
    /// Parses a CHALLENGE_MESSAGE ([MS-NLMP] section 2.2.1.2): numbers are little-endian, and a field
    /// is its length, its room and its offset. `None` if one lies outside the message.
    fn read(message: &'a [u8]) -> Option<Self> {
        let number = |at: usize| {
            Some(u32::from_le_bytes(
                message.get(at..at + 4)?.try_into().ok()?,
            ))
        };
        if !message.starts_with(MAGIC) || number(8)? != 2 {
            return None;
        }
        let nonce = message.get(24..32)?.try_into().ok()?;
        // Old servers omit it.
        let target_info = match message.get(40..42) {
            Some(length) => {
                let length = usize::from(u16::from_le_bytes(length.try_into().ok()?));
                let at = usize::try_from(number(44)?).ok()?;
                if length > MAX_TARGET_INFO {
                    return None;
                }
                message.get(at..at.checked_add(length)?)?
            }
            None => &[],
        };
        Some(Self {
            flags: number(20)?,
            nonce,
            target_info,
        })
    }
}

/// Writes the client's last message (section 2.2.1.3): where each field is, then the fields.
fn authenticate(fields: &[Vec<u8>; 6], flags: u32) -> Message {
    /// Magic, type, six places, flags.
    const HEAD: usize = 8 + 4 + 6 * 8 + 4;
    let mut message = Zeroizing::new([&MAGIC[..], &3_u32.to_le_bytes()].concat());
    let mut at = HEAD;
    for field in fields {
        // Names and answers are short: they don't reveal a password's length.
        let length = u16::try_from(field.len()).unwrap_or(u16::MAX).to_le_bytes();
        let place = u32::try_from(at).unwrap_or(u32::MAX).to_le_bytes();
        message.extend_from_slice(&[&length[..], &length, &place].concat());
        at += field.len();
    }
    message.extend_from_slice(&flags.to_le_bytes());
    fields
        .iter()
        .for_each(|field| message.extend_from_slice(field));
    message
}

fn mac(key: &[u8; 16], parts: &[&[u8]]) -> Zeroizing<[u8; 16]> {
    // A key is padded to a block with zeros (RFC 2104 section 2).
    let mut block = Zeroizing::new([0; 64]);
    block[..key.len()].copy_from_slice(key);
    let begun = Hmac::<Md5>::new((&*block).into());
    Zeroizing::new(
        parts
            .iter()
            .fold(begun, Hmac::chain_update)
            .finalize()
            .into_bytes()
            .into(),
    )
}

fn utf16(text: &str) -> Zeroizing<Vec<u8>> {
    Zeroizing::new(text.encode_utf16().flat_map(u16::to_le_bytes).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    fn client() -> Ntlm {
        Ntlm {
            domain: "Domain".to_owned(),
            user: "User".to_owned(),
            password: Some(Zeroizing::new("Password".to_owned())),
            client_challenge: [0xaa; 8],
            ticks: 0,
        }
    }

    /// The target info of section 4.2.4.
    const TARGET_INFO: &[u8] =
        b"\x02\0\x0c\0D\0o\0m\0a\0i\0n\0\x01\0\x0c\0S\0e\0r\0v\0e\0r\0\0\0\0\0";

    fn challenge() -> Vec<u8> {
        let mut message = [
            &MAGIC[..],
            &2_u32.to_le_bytes(),
            &[0; 8],
            &0xe28a_8233_u32.to_le_bytes(),
        ]
        .concat();
        message.extend_from_slice(&[0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef]);
        message.extend_from_slice(&[0; 8]);
        let length = u16::try_from(TARGET_INFO.len()).unwrap().to_le_bytes();
        message.extend_from_slice(&[&length[..], &length, &48_u32.to_le_bytes()].concat());
        message.extend_from_slice(TARGET_INFO);
        message
    }

    #[test]
    fn as_in_the_specification() {
        // [MS-NLMP] section 4.2.4: NTOWFv2, LMv2 response, NTProofStr.
        assert_eq!(
            hex(&*client().key("Password")),
            "0c868a403bfd7a93a3001ef22ef02e3f"
        );
        let answer = client().answer(&challenge()).unwrap();
        let field = |number: usize| {
            let at = 12 + 8 * number;
            let length = usize::from(u16::from_le_bytes(answer[at..at + 2].try_into().unwrap()));
            let place = u32::from_le_bytes(answer[at + 4..at + 8].try_into().unwrap()) as usize;
            answer[place..place + length].to_vec()
        };
        assert_eq!(
            hex(&field(0)),
            "86c35097ac9cec102554764a57cccc19aaaaaaaaaaaaaaaa"
        );
        assert_eq!(hex(&field(1)[..16]), "68cd0ab851e51c96aabc927bebef6a1c");
        assert_eq!(
            (field(2), field(3)),
            (utf16("Domain").to_vec(), utf16("User").to_vec())
        );
        assert_eq!((field(4), field(5)), (Vec::new(), Vec::new()));
    }

    #[test]
    fn begins_with_what_it_can() {
        let mut client = begin("LAB\\ann", "x").unwrap();
        let first = client.initial().unwrap().unwrap();
        assert!(first.starts_with(b"NTLMSSP\0\x01\0\0\0") && first.len() == 32);
        assert!(client.answer(&challenge()).is_ok());
        assert!(
            client.answer(&challenge()).is_err(),
            "one challenge is all there is"
        );
    }

    #[test]
    fn a_challenge_is_read_or_refused() {
        let whole = challenge();
        assert!(
            Challenge::read(&whole[..40]).is_some_and(|challenge| challenge.target_info.is_empty())
        );
        for end in [0, 8, 12, 31, whole.len() - 1] {
            assert!(Challenge::read(&whole[..end]).is_none(), "{end}");
        }
    }

    proptest! {
        #![proptest_config(crate::properties::config())]

        #[test]
        fn no_challenge_makes_it_panic(tail in proptest::collection::vec(any::<u8>(), 0..80)) {
            let _ = client().answer(&[&MAGIC[..], &2_u32.to_le_bytes(), &tail].concat());
        }
    }
}
