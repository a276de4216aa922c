//! Certificates as no honest authority signs them, made on the spot.

use openssl::asn1::Asn1Time;
use openssl::bn::BigNum;
use openssl::hash::MessageDigest;
use openssl::pkey::{PKey, Private};
use openssl::rsa::Rsa;
use openssl::ssl::{SslAcceptor, SslMethod, SslVersion};
use openssl::x509::extension::{BasicConstraints, SubjectAlternativeName};
use openssl::x509::{X509, X509Name};
use std::path::{Path, PathBuf};

/// An authority, which signs what it is asked to.
pub struct Authority {
    certificate: X509,
    key: PKey<Private>,
}

/// What a certificate is made of.
#[derive(Clone)]
pub struct Wish {
    /// The subject's common name.
    pub common_name: &'static str,
    /// DNS names and IP addresses of the extension; `None`: it has no such extension.
    pub names: Option<&'static str>,
    /// The key's length.
    pub bits: u32,
    pub digest: MessageDigest,
}

impl Default for Wish {
    fn default() -> Self {
        Self {
            common_name: "localhost",
            names: Some("localhost"),
            bits: 2048,
            digest: MessageDigest::sha256(),
        }
    }
}

impl Authority {
    /// One of its own.
    pub fn new() -> Self {
        let key = key(2048);
        let certificate = build("lab authority", &key, None, MessageDigest::sha256(), None);
        Self { certificate, key }
    }

    /// Its certificate in a file of this directory.
    pub fn file(&self, directory: &Path) -> PathBuf {
        let path = directory.join("authority.pem");
        std::fs::write(&path, self.certificate.to_pem().unwrap()).unwrap();
        path
    }

    /// A server's TLS with a certificate of this authority's, up to this version.
    pub fn acceptor(&self, wish: &Wish, newest: SslVersion) -> SslAcceptor {
        let key = key(wish.bits);
        let certificate = build(wish.common_name, &key, wish.names, wish.digest, Some(self));
        let mut builder = SslAcceptor::mozilla_intermediate(SslMethod::tls_server()).unwrap();
        // What no honest server takes any more has to be allowed by name.
        builder.set_security_level(0);
        builder.set_cipher_list("ALL:@SECLEVEL=0").unwrap();
        builder
            .set_min_proto_version(Some(SslVersion::TLS1))
            .unwrap();
        builder.set_max_proto_version(Some(newest)).unwrap();
        builder.set_certificate(&certificate).unwrap();
        builder.set_private_key(&key).unwrap();
        builder.build()
    }
}

fn key(bits: u32) -> PKey<Private> {
    PKey::from_rsa(Rsa::generate(bits).unwrap()).unwrap()
}

fn build(
    common_name: &str,
    key: &PKey<Private>,
    names: Option<&str>,
    digest: MessageDigest,
    issuer: Option<&Authority>,
) -> X509 {
    let mut subject = X509Name::builder().unwrap();
    subject.append_entry_by_text("CN", common_name).unwrap();
    let subject = subject.build();
    let mut builder = X509::builder().unwrap();
    builder.set_version(2).unwrap();
    builder
        .set_serial_number(&BigNum::from_u32(7).unwrap().to_asn1_integer().unwrap())
        .unwrap();
    builder.set_subject_name(&subject).unwrap();
    builder
        .set_issuer_name(issuer.map_or(&subject, |issuer| issuer.certificate.subject_name()))
        .unwrap();
    builder
        .set_not_before(&Asn1Time::days_from_now(0).unwrap())
        .unwrap();
    builder
        .set_not_after(&Asn1Time::days_from_now(2).unwrap())
        .unwrap();
    builder.set_pubkey(key).unwrap();
    if issuer.is_none() {
        builder
            .append_extension(BasicConstraints::new().critical().ca().build().unwrap())
            .unwrap();
    }
    if let Some(name) = names {
        let mut extension = SubjectAlternativeName::new();
        match name.parse::<std::net::IpAddr>() {
            Ok(_) => extension.ip(name),
            Err(_) => extension.dns(name),
        };
        let extension = extension
            .build(&builder.x509v3_context(issuer.map(|issuer| &*issuer.certificate), None));
        builder.append_extension(extension.unwrap()).unwrap();
    }
    builder
        .sign(issuer.map_or(key, |issuer| &issuer.key), digest)
        .unwrap();
    builder.build()
}
