//! The page that a person sees when a browser is refused.

use std::sync::LazyLock;

use aws_lc_rs::digest;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use maud::{DOCTYPE, Markup, PreEscaped, html};

use crate::error::{Code, Failure};

const STYLE: &str = include_str!("error_page.css");

/// The policy of our own pages: nothing is loaded, and the one style sheet is named by its digest.
pub(super) static CONTENT_SECURITY_POLICY: LazyLock<String> = LazyLock::new(|| {
    let hash = STANDARD.encode(digest::digest(&digest::SHA256, STYLE.as_bytes()));
    format!(
        "default-src 'none'; style-src 'sha256-{hash}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
});

/// The error page. `token_url` is told to those who lack a token.
pub(super) fn error_page(failure: &Failure, request_id: &str, token_url: Option<&str>) -> Markup {
    let (code, status, _) = failure.code.facts();
    let title = failure.code.title();
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { (status) " " (title) }
                style { (PreEscaped(STYLE)) }
            }
            body {
                main {
                    p.status { (status) }
                    h1 { (title) }
                    p { (failure.detail) }
                    @if let Some(url) = token_url.filter(|_| matches!(failure.code, Code::Unauthorized | Code::InvalidToken)) {
                        h2 { "How to call it" }
                        p {
                            "This service answers requests that carry an access token. A client that its owner registered \
                             gets one from the token endpoint and sends it in the Authorization header:"
                        }
                        pre { code {
                            "curl -u CLIENT_ID:CLIENT_SECRET -d grant_type=client_credentials \\\n     " (url) "\n"
                            "curl -H 'Authorization: Bearer ACCESS_TOKEN' …"
                        } }
                    }
                    footer { "Reference " code { (request_id) } " · " code { (code) } }
                }
            }
        }
    }
}
