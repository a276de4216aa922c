//! The device authorization grant (RFC 8628): the user types a code into a page on any device,
//! while mailferry polls the server.

use super::Guide;
use super::client::{Client, Tokens, Trouble, of_http, unusable, wanted};
use super::http::Http;
use crate::store::{Error, ErrorKind};
use oauth2::http::StatusCode;
use oauth2::{DeviceAuthorizationUrl, HttpResponse, StandardDeviceAuthorizationResponse};
use std::cell::RefCell;
use std::time::Duration;

/// The longest polling interval that a server may demand.
const MAX_INTERVAL: Duration = Duration::from_secs(60);
/// The longest wait for a code to be used.
const MAX_WAIT: Duration = Duration::from_secs(30 * 60);

/// Gets tokens.
///
/// # Errors
/// The user refused or did not respond, or the server can't be used.
pub fn by_device(client: &Client, guide: &dyn Guide) -> Result<Tokens, Error> {
    let http = Http::new();
    let call = |request| http.call(request);
    let endpoint = wanted(client.device.as_ref(), "device")?
        .as_str()
        .to_owned();
    let endpoint = DeviceAuthorizationUrl::new(endpoint).map_err(|_| unusable("device"))?;
    let basic = client.basic()?.set_device_authorization_url(endpoint);
    let asked = basic
        .exchange_device_code()
        .add_scopes(client.scopes())
        .request(&call);
    let details: StandardDeviceAuthorizationResponse =
        asked.map_err(|error| Trouble::of(error, &client.redactor(&[])).error)?;
    if details.interval() > MAX_INTERVAL {
        let text = format!(
            "the OAuth server allows polling only every {} s",
            details.interval().as_secs()
        );
        return Err(Error::new(ErrorKind::Authentication, text));
    }
    let patience = details.expires_in().min(MAX_WAIT);
    let complete = details
        .verification_uri_complete()
        .map(|complete| complete.secret().as_str());
    guide.show_code(
        details.verification_uri().as_str(),
        details.user_code().secret(),
        complete,
        patience,
    );
    let betrayal = RefCell::new(None);
    let poll = |request| match http.call(request) {
        // The library retries after every failed request; after this one nothing is sent any more.
        Err(error) if !error.may_pass() => {
            betrayal.replace(Some(error));
            Ok(empty(StatusCode::BAD_REQUEST))
        }
        answer => answer,
    };
    let granted = basic.exchange_device_access_token(&details).request(
        &poll,
        // As in a login by browser, the first signal ends the program.
        std::thread::sleep,
        Some(patience),
    );
    let redactor = client.redactor(&[details.device_code().secret()]);
    let explained = |error| match betrayal.take() {
        Some(betrayal) => of_http(&betrayal, &redactor),
        None => explain(Trouble::of(error, &redactor)),
    };
    granted
        .map(|response| Tokens::from(&response))
        .map_err(explained)
}

/// Makes an empty response.
fn empty(status: StatusCode) -> HttpResponse {
    let mut answer = HttpResponse::new(Vec::new());
    *answer.status_mut() = status;
    answer
}

/// Explains a refusal.
fn explain(trouble: Trouble) -> Error {
    let text = match trouble.said.as_deref() {
        // The second is Microsoft's.
        Some("access_denied" | "authorization_declined") => "access denied",
        Some("expired_token") => "the code expired",
        _ => return trouble.error,
    };
    Error::new(ErrorKind::Authentication, text).with_hint("run `mailferry login` again")
}
