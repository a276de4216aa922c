//! What is known about providers: their endpoints and the parameters that their servers expect. No
//! client IDs: each user registers one, or gets one from their administrator.

use super::client::Client;
use super::endpoint::Endpoint;
use crate::provider::Provider;

/// The authorization flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flow {
    /// With a code that is typed in on any device (RFC 8628).
    Device,
    /// In a browser on this machine, which is redirected back to it (RFC 8252).
    Browser,
}

/// A provider's OAuth 2.0 service.
#[derive(Debug)]
pub struct Profile {
    authorization: &'static str,
    token: &'static str,
    device: Option<&'static str>,
    scopes: &'static [&'static str],
    /// Additional parameters of the authorization request.
    pub(super) parameters: &'static [(&'static str, &'static str)],
    /// The default flow.
    pub flow: Flow,
    /// The host name for this machine in the redirect: Microsoft's registration allows any port
    /// only for this one.
    pub(super) redirect_host: &'static str,
}

const GOOGLE: Profile = Profile {
    authorization: "https://accounts.google.com/o/oauth2/v2/auth",
    token: "https://oauth2.googleapis.com/token",
    // It has one, which doesn't give access to mail.
    device: None,
    scopes: &["https://mail.google.com/"],
    parameters: &[("access_type", "offline"), ("prompt", "consent")],
    flow: Flow::Browser,
    redirect_host: "127.0.0.1",
};

const MICROSOFT: Profile = Profile {
    authorization: "https://login.microsoftonline.com/common/oauth2/v2.0/authorize",
    token: "https://login.microsoftonline.com/common/oauth2/v2.0/token",
    device: Some("https://login.microsoftonline.com/common/oauth2/v2.0/devicecode"),
    scopes: &[
        "https://outlook.office.com/IMAP.AccessAsUser.All",
        "offline_access",
    ],
    parameters: &[],
    flow: Flow::Device,
    redirect_host: "localhost",
};

/// The profile of any other provider, about which nothing is known.
pub(super) const OTHER: Profile = Profile {
    authorization: "",
    token: "",
    device: None,
    scopes: &[],
    parameters: &[],
    flow: Flow::Browser,
    redirect_host: "127.0.0.1",
};

impl Profile {
    /// Returns a provider's profile, if its endpoints are known.
    pub fn of(provider: &Provider) -> Option<&'static Self> {
        match provider.key() {
            "google" => Some(&GOOGLE),
            "microsoft" => Some(&MICROSOFT),
            _ => None,
        }
    }

    /// Fills in what the user has not set.
    pub(super) fn complete(&'static self, client: &mut Client) {
        let known = |text: &str| Endpoint::parse(text).ok();
        client.authorization = client
            .authorization
            .take()
            .or_else(|| known(self.authorization));
        client.token = client.token.take().or_else(|| known(self.token));
        client.device = client.device.take().or_else(|| known(self.device?));
        if client.scopes.is_empty() {
            client.scopes = self
                .scopes
                .iter()
                .map(|scope| (*scope).to_owned())
                .collect();
        }
        client.profile = self;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_endpoint_is_one() {
        for name in ["google", "microsoft"] {
            let profile = Provider::named(name).and_then(Profile::of).unwrap();
            for text in [profile.authorization, profile.token]
                .into_iter()
                .chain(profile.device)
            {
                assert!(Endpoint::parse(text).is_ok(), "{text}");
            }
            assert!(!profile.scopes.is_empty());
            assert!(profile.flow == Flow::Browser || profile.device.is_some());
        }
    }

    #[test]
    fn what_the_user_says_comes_first() {
        let token =
            Endpoint::parse("https://login.microsoftonline.com/contoso/oauth2/v2.0/token").unwrap();
        let mut client = Client {
            token: Some(token.clone()),
            ..Client::new("id".to_owned(), None)
        };
        MICROSOFT.complete(&mut client);
        assert_eq!(client.token, Some(token));
        assert!(client.device.is_some() && client.scopes.len() == 2);
    }
}
