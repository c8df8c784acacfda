//! The console as a browser without scripts sees it: pages and forms over the wire.

mod audit;
mod browser;
mod explain;
mod gate;
mod history;
mod log;
mod once;
mod overview;
mod reference;
mod secure;
mod sources;
mod sql;
mod try_it;
mod usage;

use reqwest::header::{CONTENT_TYPE, COOKIE, LOCATION, ORIGIN, SET_COOKIE};
use reqwest::{Response, StatusCode};
use scraper::{Html, Selector};

use crate::client::http;
use crate::server::TestServer;

/// A browser in which somebody is signed in.
pub(crate) struct Browser {
    client: reqwest::Client,
    origin: String,
    cookie: String,
    csrf: String,
}

/// An answer, read.
#[derive(Debug)]
pub(crate) struct Page {
    pub(crate) status: StatusCode,
    pub(crate) location: Option<String>,
    pub(crate) headers: reqwest::header::HeaderMap,
    pub(crate) text: String,
}

impl Browser {
    /// The administrator of a demo.
    pub(crate) async fn of_demo(server: &TestServer) -> Self {
        Self::sign_in(server, &server.known("admin_user"), &server.known("admin_password")).await
    }

    /// Signs in.
    pub(crate) async fn sign_in(server: &TestServer, name: &str, password: &str) -> Self {
        let mut browser = Self::nobody(server);
        let page = browser.post("/console/sign-in", &[("name", name), ("password", password)]).await;
        assert_eq!(page.status, StatusCode::SEE_OTHER, "{}", page.text);
        let cookies = page.headers.get_all(SET_COOKIE).iter().filter_map(|cookie| cookie.to_str().ok());
        browser.cookie = cookies.filter_map(|cookie| cookie.split(';').next()).collect::<Vec<_>>().join("; ");
        let me = browser.get("/console/me").await;
        browser.csrf = me.attribute("input[name=csrf]", "value");
        browser
    }

    /// Nobody is signed in.
    pub(crate) fn nobody(server: &TestServer) -> Self {
        let origin = format!("http://{}", server.address());
        Self { client: http(), origin, cookie: String::new(), csrf: String::new() }
    }

    /// Opens a page.
    pub(crate) async fn get(&self, path: &str) -> Page {
        let request = self.client.get(format!("{}{path}", self.origin)).header(COOKIE, &self.cookie);
        Page::read(request.send().await.unwrap()).await
    }

    /// Opens a page that must be there.
    pub(crate) async fn open(&self, path: &str) -> Page {
        let page = self.get(path).await;
        assert_eq!(page.status, StatusCode::OK, "{path}: {:?} {}", page.location, page.text);
        page
    }

    /// Sends a form as a page of ours does.
    pub(crate) async fn post(&self, path: &str, fields: &[(&str, &str)]) -> Page {
        let mut fields = fields.to_vec();
        fields.push(("csrf", &self.csrf));
        self.post_from(&self.origin, path, &fields).await
    }

    /// Sends a form from some page.
    pub(crate) async fn post_from(&self, origin: &str, path: &str, fields: &[(&str, &str)]) -> Page {
        let mut form = url::form_urlencoded::Serializer::new(String::new());
        form.extend_pairs(fields);
        let request = self
            .client
            .post(format!("{}{path}", self.origin))
            .header(COOKIE, &self.cookie)
            .header(ORIGIN, origin)
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(form.finish());
        Page::read(request.send().await.unwrap()).await
    }

    /// Sends the form of a page that `selector` finds, with what is filled in and these fields instead or besides.
    pub(crate) async fn submit(&self, page: &Page, selector: &str, fields: &[(&str, &str)]) -> Page {
        let (action, mut filled) = page.form(selector);
        filled.retain(|(name, _)| !fields.iter().any(|(other, _)| other == name));
        filled.extend(fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        let filled: Vec<(&str, &str)> =
            filled.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        self.post_from(&self.origin, &action, &filled).await
    }

    /// Applies what a review shows; the page that it leads to.
    pub(crate) async fn apply(&self, review: &Page) -> Page {
        assert_eq!(review.status, StatusCode::OK, "{}", review.text);
        let done = self.submit(review, "form.review", &[]).await;
        match &done.location {
            Some(path) => self.open(path).await,
            None => done,
        }
    }
}

impl Page {
    async fn read(response: Response) -> Self {
        let (status, headers) = (response.status(), response.headers().clone());
        let location = headers.get(LOCATION).map(|path| path.to_str().unwrap().to_owned());
        Self { status, location, headers, text: response.text().await.unwrap() }
    }

    pub(crate) fn html(&self) -> Html {
        Html::parse_document(&self.text)
    }

    /// The texts of what `selector` finds.
    pub(crate) fn texts(&self, selector: &str) -> Vec<String> {
        let selector = Selector::parse(selector).unwrap();
        let words = |text: String| text.split_whitespace().collect::<Vec<_>>().join(" ");
        self.html().select(&selector).map(|element| words(element.text().collect())).collect()
    }

    /// An attribute of the first element that `selector` finds.
    pub(crate) fn attribute(&self, selector: &str, name: &str) -> String {
        let html = self.html();
        let found = html.select(&Selector::parse(selector).unwrap()).next();
        let found = found.unwrap_or_else(|| panic!("no {selector} in {}", self.text));
        found.value().attr(name).unwrap_or_default().to_owned()
    }

    /// Where a form is sent, and what is filled in.
    fn form(&self, selector: &str) -> (String, Vec<(String, String)>) {
        let html = self.html();
        let form = html.select(&Selector::parse(selector).unwrap()).next();
        let form = form.unwrap_or_else(|| panic!("no {selector} in {}", self.text));
        let mut filled = Vec::new();
        for input in form.select(&Selector::parse("input, textarea, select").unwrap()) {
            let (element, Some(name)) = (input.value(), input.value().attr("name")) else { continue };
            let value = match element.name() {
                "textarea" => Some(input.text().collect::<String>()),
                "select" => {
                    let options: Vec<_> = input.select(&Selector::parse("option").unwrap()).collect();
                    let chosen = options.iter().find(|option| option.value().attr("selected").is_some());
                    chosen
                        .or(options.first())
                        .and_then(|option| option.value().attr("value"))
                        .map(str::to_owned)
                }
                _ => {
                    let boxed = matches!(element.attr("type"), Some("checkbox" | "radio"));
                    let counts = !boxed || element.attr("checked").is_some();
                    counts.then(|| element.attr("value").unwrap_or_default().to_owned())
                }
            };
            filled.extend(value.map(|value| (name.to_owned(), value)));
        }
        (form.value().attr("action").unwrap_or_default().to_owned(), filled)
    }
}

/// Calls the demo's locked collection as three callers do, and waits until the log has it: 401, 403, 200.
async fn call_the_demo(server: &TestServer, browser: &Browser) {
    use crate::client::{Credentials, get};
    let url = server.known("protected_url");
    let allowed = Credentials::of_demo(server).token(server, "hr").await;
    let limited = Credentials::limited(server).token(server, "hr").await;
    get(&url, None).await;
    get(&url, Some(&limited)).await;
    let last = get(&url, Some(&allowed)).await;
    let id = last.headers()["request-id"].to_str().unwrap().to_owned();
    for _ in 0..200 {
        if browser.open("/console/log").await.text.contains("hr_app")
            && !browser.open(&format!("/console/log?reference={id}")).await.texts("tbody tr").is_empty()
        {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    panic!("the log does not have request {id}");
}
