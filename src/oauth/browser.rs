//! The authorization code with PKCE (RFC 7636, S256), delivered by a browser on this machine (RFC
//! 8252 section 7.3).

use super::Guide;
use super::client::{Client, Tokens, Trouble, unusable, wanted};
use super::http::Http;
use super::loopback::Loopback;
use crate::store::{Error, ErrorKind};
use oauth2::{AuthUrl, AuthorizationCode, CsrfToken, PkceCodeChallenge, RedirectUrl};

/// Gets tokens. `port` is where the browser is redirected to, 0 for any free one; `user` is who
/// should log in.
///
/// # Errors
/// The user refused or did not respond, the port is taken, or the server can't be used.
pub fn by_browser(
    client: &Client,
    port: u16,
    user: &str,
    guide: &dyn Guide,
) -> Result<Tokens, Error> {
    let authorization = wanted(client.authorization.as_ref(), "authorization")?
        .as_str()
        .to_owned();
    let authorization = AuthUrl::new(authorization).map_err(|_| unusable("authorization"))?;
    let loopback = Loopback::open(port)?;
    let redirect = format!(
        "http://{}:{}/",
        client.profile.redirect_host,
        loopback.port()
    );
    let redirect = RedirectUrl::new(redirect).map_err(|_| unusable("redirect"))?;
    let basic = client
        .basic()?
        .set_auth_uri(authorization)
        .set_redirect_uri(redirect);

    let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
    let mut asking = basic
        .authorize_url(CsrfToken::new_random)
        .set_pkce_challenge(challenge)
        .add_scopes(client.scopes())
        .add_extra_param("login_hint", user);
    for (name, value) in client.profile.parameters {
        asking = asking.add_extra_param(*name, *value);
    }
    let (address, state) = asking.url();
    guide.show_address(address.as_str());
    let code = loopback.wait(state.secret(), guide)?;

    let redactor = client.redactor(&[verifier.secret(), &code]);
    let http = Http::new();
    let call = |request| http.call(request);
    let granted = basic
        .exchange_code(AuthorizationCode::new(code.to_string()))
        .set_pkce_verifier(verifier)
        .request(&call);
    let tokens = granted.map_err(|error| Trouble::of(error, &redactor).error)?;
    Ok(Tokens::from(&tokens))
}

/// Makes the error for a refusal by the user, or their server.
pub(super) fn refused(code: &str) -> Error {
    let is_word = code.len() <= 40
        && code
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte == b'_');
    let text = match code {
        "access_denied" => "access denied".to_owned(),
        code if is_word => format!("the OAuth server refused: {code}"),
        _ => "the OAuth server refused".to_owned(),
    };
    Error::new(ErrorKind::Authentication, text).with_hint("run `mailferry login` again")
}
