//! What a server has told of itself on a connection: capabilities, namespaces, its ID, and a
//! goodbye.

use super::Capabilities;
use super::response::{Code, Condition, Namespace, Response};

/// What a server has told of itself.
#[derive(Default)]
pub(super) struct ServerFacts {
    pub(super) capabilities: Option<Capabilities>,
    /// The answer to NAMESPACE (RFC 2342).
    pub(super) namespace: Option<Namespace>,
    /// The fields of its ID (RFC 2971).
    pub(super) id: Vec<(String, Option<String>)>,
    /// Its goodbye, and the code with it. A reply may still come before it closes (RFC 3501 section
    /// 7.1.5).
    pub(super) bye: Option<(String, Option<Code>)>,
}

impl ServerFacts {
    /// Keeps what an untagged response tells of the server. Gives back one that tells of something
    /// else.
    pub(super) fn learn<'r>(&mut self, response: Response<'r>) -> Option<Response<'r>> {
        match response {
            Response::Capability(names) => self.capabilities = Some(Capabilities::new(names)),
            Response::Namespace(namespace) => self.namespace = Some(namespace),
            Response::Id(fields) => self.id = fields,
            Response::Status {
                condition: Condition::Bye,
                code,
                text,
            } => self.bye = Some((text.into_owned(), code)),
            response => {
                if let Response::Status { code, .. } = &response {
                    self.learn_code(code.as_ref());
                }
                return Some(response);
            }
        }
        None
    }

    /// Keeps the capabilities that come in the code of a status response.
    pub(super) fn learn_code(&mut self, code: Option<&Code>) {
        if let Some(Code::Capability(names)) = code {
            self.capabilities = Some(Capabilities::new(names.iter().cloned()));
        }
    }
}
