//! What a failed request means, as one of the stable codes. The client's own words could hold the URL with a secret in
//! it, so that they are taken without it.

use std::error::Error;

use gatepost_sources::error::{Code, SourceError, quote};
use rustls::{CertificateError, Error as TlsError};

use super::resolver::NotResolved;

/// How much of the words of others is kept.
const DETAIL_MAX: usize = 300;

/// Reads an error of the client.
pub(super) fn classify(error: &reqwest::Error) -> SourceError {
    let causes = || causes_of(error);
    if let Some(cause) = causes().find_map(|cause| cause.downcast_ref::<NotResolved>()) {
        return unresolved(cause);
    }
    if let Some(cause) = causes().find_map(tls_error) {
        return SourceError::new(tls_code(cause)).with_detail(quote(&cause.to_string(), DETAIL_MAX));
    }
    let code = match (error.is_connect(), error.is_timeout()) {
        (true, true) => Code::ConnectTimeout,
        (true, false) => Code::ConnectFailed,
        (false, true) => Code::ApiTimeout,
        (false, false) => Code::ApiAborted,
    };
    let words: Vec<String> = causes().map(ToString::to_string).collect();
    SourceError::new(code).with_detail(quote(&words.join(": "), DETAIL_MAX))
}

/// Reads a failure of the resolver.
pub(super) fn unresolved(cause: &NotResolved) -> SourceError {
    match cause {
        NotResolved::Denied(denied) => denied.clone().into(),
        NotResolved::Unknown(error) => SourceError::new(Code::DnsFailed).with_detail(error.to_string()),
    }
}

/// An error's causes, the nearest first.
pub(super) fn causes_of(error: &reqwest::Error) -> impl Iterator<Item = &(dyn Error + 'static)> {
    let mut next = error.source();
    std::iter::from_fn(move || {
        let cause = next?;
        next = cause.source();
        Some(cause)
    })
}

/// I/O errors carry the error of TLS within them, where `source` does not lead.
fn tls_error<'e>(cause: &'e (dyn Error + 'static)) -> Option<&'e TlsError> {
    let mut cause = cause;
    while let Some(within) = cause.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref) {
        cause = within;
    }
    cause.downcast_ref()
}

fn tls_code(error: &TlsError) -> Code {
    use CertificateError::{
        Expired, ExpiredContext, NotValidForName, NotValidForNameContext, NotValidYet, NotValidYetContext,
    };
    match error {
        TlsError::InvalidCertificate(reason) => match reason {
            Expired | ExpiredContext { .. } | NotValidYet | NotValidYetContext { .. } => Code::TlsExpired,
            NotValidForName | NotValidForNameContext { .. } => Code::TlsNameMismatch,
            _ => Code::TlsUntrusted,
        },
        _ => Code::TlsFailed,
    }
}
