//! What a certificate says about itself, for users who must find out why it isn't trusted. Trust
//! itself is up to the TLS library.

use super::Fingerprint;
use jiff::Timestamp;
use sha2::{Digest as _, Sha256};
use std::net::{Ipv4Addr, Ipv6Addr};
use x509_parser::prelude::{FromDer as _, GeneralName, X509Certificate, X509Name};

/// The most names that are kept from a certificate: some are issued for hundreds of hosts.
const MAX_NAMES: usize = 20;

/// A server's certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateFacts {
    /// The hosts that it was issued for: its subjectAltName, otherwise its common name (RFC 9525
    /// accepts only the first).
    pub names: Vec<String>,
    /// Who signed it, in readable form.
    pub issuer: String,
    /// When its validity begins.
    pub not_before: Timestamp,
    /// When its validity ends.
    pub not_after: Timestamp,
    /// Whether it names itself as its issuer.
    pub is_self_signed: bool,
    /// The SHA-256 of the whole certificate.
    pub fingerprint: Fingerprint,
}

impl CertificateFacts {
    /// Parses a certificate in DER; `None` if it can't be parsed.
    pub(super) fn read(der: &[u8]) -> Option<Self> {
        let (_, certificate) = X509Certificate::from_der(der).ok()?;
        let validity = certificate.validity();
        let time = |time: i64| Timestamp::from_second(time).ok();
        Some(Self {
            names: names(&certificate),
            issuer: words(certificate.issuer()),
            not_before: time(validity.not_before.timestamp())?,
            not_after: time(validity.not_after.timestamp())?,
            is_self_signed: certificate.issuer() == certificate.subject(),
            fingerprint: Fingerprint(Sha256::digest(der).into()),
        })
    }
}

fn names(certificate: &X509Certificate<'_>) -> Vec<String> {
    let alternatives = certificate.subject_alternative_name().ok().flatten();
    let alternatives = alternatives
        .iter()
        .flat_map(|extension| &extension.value.general_names);
    let names: Vec<String> = alternatives.filter_map(host).take(MAX_NAMES).collect();
    if names.is_empty() {
        common_name(certificate.subject()).into_iter().collect()
    } else {
        names
    }
}

fn host(name: &GeneralName<'_>) -> Option<String> {
    match name {
        GeneralName::DNSName(name) => Some((*name).to_owned()),
        GeneralName::IPAddress(bytes) => match bytes.len() {
            4 => <[u8; 4]>::try_from(*bytes)
                .ok()
                .map(|bytes| Ipv4Addr::from(bytes).to_string()),
            16 => <[u8; 16]>::try_from(*bytes)
                .ok()
                .map(|bytes| Ipv6Addr::from(bytes).to_string()),
            _ => None,
        },
        _ => None,
    }
}

/// Returns the common name, otherwise the organisation, otherwise the whole name.
fn words(name: &X509Name<'_>) -> String {
    let organisation = || Some(name.iter_organization().next()?.as_str().ok()?.to_owned());
    common_name(name)
        .or_else(organisation)
        .unwrap_or_else(|| name.to_string())
}

fn common_name(name: &X509Name<'_>) -> Option<String> {
    Some(name.iter_common_name().next()?.as_str().ok()?.to_owned())
}
