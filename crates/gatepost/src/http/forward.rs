//! `:forward_location`: the server answers with a GET of another resource (ORDS Developer's Guide, "Implicit
//! Parameters"). It stays in the schema, passes the whole pipeline as the same principal, and goes one hop; any
//! other location is only told.

use std::sync::Arc;

use axum::body::Body;
use bytes::Bytes;
use gatepost_rest::definition::ReadsFrom;
use gatepost_rest::path::RequestPath;
use gatepost_store::data::{Reply, ReplyBody};
use http::header::{self, HeaderMap, HeaderValue};
use http::request::Parts;
use http::{Method, Request, Response, Uri};

use super::call::Call;
use super::facts::Facts;
use super::rest::Served;
use crate::error::Failure;
use crate::outbound::HOP_HEADER;

/// Answers with what is at `location`, if that can be had; else with the reply itself and the location.
pub(super) async fn answer(
    call: &Call<'_>,
    reply: Reply,
    location: &str,
    facts: &mut Facts,
) -> Result<Response<Body>, Failure> {
    let (served, head, _) = call.context();
    let status = reply.status;
    let Some(target) = Target::resolve(served, head.uri.path(), location) else {
        return Ok(with_location(call.render(reply, &head.headers)?, location));
    };
    let forwarded = match &target.inside {
        Some(path) => fetch(call, path, &target.uri, facts).await.ok(),
        None => None,
    };
    let response = match forwarded {
        Some(mut response) => {
            if let Some(status) = status.and_then(|status| http::StatusCode::from_u16(status).ok()) {
                *response.status_mut() = status;
            }
            response
        }
        None => call.render(
            Reply { body: ReplyBody::Full(Bytes::new()), content_type: None, ..reply },
            &head.headers,
        )?,
    };
    Ok(with_location(response, &target.url))
}

async fn fetch(
    call: &Call<'_>,
    path: &RequestPath,
    uri: &Uri,
    facts: &mut Facts,
) -> Result<Response<Body>, Failure> {
    let (served, first, caller) = call.context();
    let served = Served { path, ..*served };
    let head = get_head(uri, &first.headers);
    let get = Call::forwarded(&served, &head, caller, facts)?;
    // What was just written must be there.
    let reply = get.execute(&Bytes::new(), ReadsFrom::Primary).await?;
    get.render(reply, &HeaderMap::new())
}

/// A GET without the first request's headers: its preconditions and content type are about something else. But it came
/// as far as the first one.
fn get_head(uri: &Uri, first: &HeaderMap) -> Parts {
    let mut request = Request::new(());
    if let Some(hops) = first.get(HOP_HEADER) {
        request.headers_mut().insert(HOP_HEADER, hops.clone());
    }
    *request.method_mut() = Method::GET;
    *request.uri_mut() = uri.clone();
    request.into_parts().0
}

fn with_location(mut response: Response<Body>, location: &str) -> Response<Body> {
    if let Ok(location) = HeaderValue::from_str(location) {
        response.headers_mut().insert(header::LOCATION, location);
    }
    response
}

/// Where a location leads.
struct Target {
    /// The absolute URL.
    url: String,
    uri: Uri,
    /// The path, when it is one of this schema.
    inside: Option<RequestPath>,
}

impl Target {
    /// Resolves a location against the path of the request (RFC 3986 section 5.2, paths only).
    fn resolve(served: &Served<'_>, request_path: &str, location: &str) -> Option<Self> {
        let base_url: &Arc<str> = &served.app.base_url;
        let local = match location.strip_prefix(base_url.as_ref()) {
            Some(rest) if rest.starts_with('/') => rest.to_owned(),
            _ if location.contains("://") || location.starts_with("//") => return None,
            _ => absolute(request_path, location),
        };
        let uri: Uri = local.parse().ok()?;
        let path = RequestPath::parse(uri.path()).ok()?;
        let own = [&served.app.config.server.context[1..], served.schema.schema.alias.as_str()];
        let inside = path.segments().len() > 2 && path.segments()[..2].iter().map(AsRef::as_ref).eq(own);
        Some(Self { url: format!("{base_url}{local}"), uri, inside: inside.then_some(path) })
    }
}

fn absolute(request_path: &str, location: &str) -> String {
    if location.starts_with('/') {
        return location.to_owned();
    }
    let folder = request_path.rsplit_once('/').map_or("", |(folder, _)| folder);
    let mut segments: Vec<&str> = folder.split('/').collect();
    let mut rest = location;
    loop {
        if let Some(after) = rest.strip_prefix("../") {
            segments.pop();
            rest = after;
        } else if let Some(after) = rest.strip_prefix("./") {
            rest = after;
        } else {
            break;
        }
    }
    let folder = segments.join("/");
    format!("{folder}/{rest}")
}

#[cfg(test)]
mod tests {
    use super::absolute;

    #[test]
    fn relative_locations_start_at_the_folder_of_the_request() {
        assert_eq!(absolute("/ords/hr/emp/", "7"), "/ords/hr/emp/7");
        assert_eq!(absolute("/ords/hr/emp", "7"), "/ords/hr/7");
        assert_eq!(absolute("/ords/hr/emp/7", "../dept/1?a=b"), "/ords/hr/dept/1?a=b");
        assert_eq!(absolute("/ords/hr/emp/7", "./8"), "/ords/hr/emp/8");
        assert_eq!(absolute("/ords/hr/emp/7", "/x"), "/x");
        assert_eq!(absolute("/a", "../../../x"), "/x");
    }
}
