//! Certificates made for tests.

use openssl::asn1::Asn1Time;
use openssl::bn::BigNum;
use openssl::ec::{EcGroup, EcKey};
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkey::{PKey, Private};
use openssl::x509::extension::{BasicConstraints, SubjectAlternativeName};
use openssl::x509::{X509, X509Builder, X509Name};
use std::io::Write as _;
use tempfile::NamedTempFile;

/// A certificate with its key.
pub(super) struct Certified {
    pub(super) certificate: X509,
    pub(super) key: PKey<Private>,
}

/// Seconds since 1970: an hour ago, and in a day.
pub(super) const VALID: (i64, i64) = (-3600, 86_400);

impl Certified {
    /// Makes a certification authority.
    pub(super) fn authority(name: &str) -> Self {
        build(name, VALID, None, |builder| {
            builder
                .append_extension(BasicConstraints::new().critical().ca().build().unwrap())
                .unwrap();
        })
    }

    /// Makes a server's certificate for a DNS name or an IP address, signed by an authority or
    /// itself, valid for this many seconds around now.
    pub(super) fn server(host: &str, valid: (i64, i64), issuer: Option<&Self>) -> Self {
        build("server", valid, issuer, |builder| {
            let mut names = SubjectAlternativeName::new();
            match host.parse::<std::net::IpAddr>() {
                Ok(_) => names.ip(host),
                Err(_) => names.dns(host),
            };
            let issuer = issuer.map(|issuer| &*issuer.certificate);
            let extension = names.build(&builder.x509v3_context(issuer, None)).unwrap();
            builder.append_extension(extension).unwrap();
        })
    }

    /// Writes it as PEM to a file.
    pub(super) fn file(&self) -> NamedTempFile {
        file(&self.certificate.to_pem().unwrap())
    }
}

/// Makes a file with these bytes.
pub(super) fn file(bytes: &[u8]) -> NamedTempFile {
    let mut file = NamedTempFile::new().unwrap();
    file.write_all(bytes).unwrap();
    file
}

fn build(
    name: &str,
    (from, to): (i64, i64),
    issuer: Option<&Certified>,
    extend: impl FnOnce(&mut X509Builder),
) -> Certified {
    let group = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1).unwrap();
    let key = PKey::from_ec_key(EcKey::generate(&group).unwrap()).unwrap();
    let mut subject = X509Name::builder().unwrap();
    subject.append_entry_by_text("CN", name).unwrap();
    let subject = subject.build();
    let now = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap()
        .as_secs() as i64;
    let mut builder = X509::builder().unwrap();
    builder.set_version(2).unwrap();
    builder
        .set_serial_number(&BigNum::from_u32(1).unwrap().to_asn1_integer().unwrap())
        .unwrap();
    builder.set_subject_name(&subject).unwrap();
    builder
        .set_issuer_name(issuer.map_or(&subject, |issuer| issuer.certificate.subject_name()))
        .unwrap();
    builder
        .set_not_before(&Asn1Time::from_unix(now + from).unwrap())
        .unwrap();
    builder
        .set_not_after(&Asn1Time::from_unix(now + to).unwrap())
        .unwrap();
    builder.set_pubkey(&key).unwrap();
    extend(&mut builder);
    builder
        .sign(
            issuer.map_or(&key, |issuer| &issuer.key),
            MessageDigest::sha256(),
        )
        .unwrap();
    Certified {
        certificate: builder.build(),
        key,
    }
}
