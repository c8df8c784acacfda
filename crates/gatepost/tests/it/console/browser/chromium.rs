//! Chromium, driven by `WebDriver`: a driver for the test process, a browser with an empty profile for each test.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use fantoccini::wd::WebDriverCompatibleCommand;
use fantoccini::{Client, ClientBuilder, Locator};
use http::Method;
use serde_json::{Value, json};

use crate::folder::Folder;
use crate::server::TestServer;
use crate::sources::foreign::{cached, need, run_installer, works};

/// How long a page may take to show something. Generous: nothing here measures speed.
const PATIENCE: Duration = Duration::from_secs(30);

/// The port of the driver, started with the first browser and ended with this process.
fn driver() -> u16 {
    static PORT: OnceLock<u16> = OnceLock::new();
    *PORT.get_or_init(|| {
        need("Chromium and its driver", &["chromium", "chromium-driver"], || {
            works("chromium", &["--version"]) && works("chromedriver", &["--version"])
        });
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        // The shell waits for this process to go away, however it does, and ends the driver and its browsers.
        let script = "parent=$1; shift; \"$@\" & pid=$!
            while kill -0 \"$parent\" && kill -0 $pid; do sleep 0.3; done; kill $pid; sleep 1; kill -KILL $pid";
        let mut shell = Command::new("setsid");
        shell.args(["sh", "-c", script, "sh"]).arg(std::process::id().to_string());
        shell.args(["chromedriver".to_owned(), format!("--port={port}")]);
        shell.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let mut shell = shell.spawn().unwrap();
        // It ends after this process at the latest; whoever waits takes it off the list of processes.
        std::thread::spawn(move || shell.wait());
        let until = Instant::now() + PATIENCE;
        while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(Instant::now() < until, "chromedriver does not start");
            std::thread::sleep(Duration::from_millis(50));
        }
        port
    })
}

/// A browser with the console of a server.
pub(super) struct Chromium {
    pub(super) client: Client,
    origin: String,
    /// Its profile; gone with it.
    _profile: Folder,
}

/// What a test wants of its browser.
#[derive(Clone, Copy)]
pub(super) struct Wish {
    pub(super) scripts: bool,
    pub(super) width: u32,
}

impl Default for Wish {
    fn default() -> Self {
        Self { scripts: true, width: 1440 }
    }
}

impl Chromium {
    pub(super) async fn open(server: &TestServer, wish: Wish) -> Self {
        let profile = Folder::on(crate::backend::Backend::Sqlite, "chromium");
        let mut arguments: Vec<String> = [
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-quic",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--disable-dev-shm-usage",
        ]
        .map(str::to_owned)
        .into();
        arguments.push(format!("--user-data-dir={}", profile.path().display()));
        arguments.push(format!("--window-size={},900", wish.width));
        let mut options = json!({ "args": arguments });
        if !wish.scripts {
            options["prefs"] = json!({ "profile.managed_default_content_settings.javascript": 2 });
        }
        let Value::Object(wanted) =
            json!({ "goog:chromeOptions": options, "goog:loggingPrefs": { "browser": "ALL" } })
        else {
            unreachable!("it is an object")
        };
        let mut builder = ClientBuilder::new(hyper_util::client::legacy::connect::HttpConnector::new());
        let client =
            builder.capabilities(wanted).connect(&format!("http://127.0.0.1:{}", driver())).await.unwrap();
        Self { client, origin: format!("http://{}", server.address()), _profile: profile }
    }

    /// A browser in which the demo's administrator is signed in, by the page for it.
    pub(super) async fn of_demo(server: &TestServer, wish: Wish) -> Self {
        let browser = Self::open(server, wish).await;
        browser.go("/console/sign-in?next=%2Fconsole%2Fme").await;
        browser.fill("#name", &server.known("admin_user")).await;
        browser.fill("#password", &server.known("admin_password")).await;
        browser.click("main form button[type=submit]").await;
        browser.see("aside.side").await;
        browser
    }

    pub(super) async fn go(&self, path: &str) {
        self.client.goto(&format!("{}{path}", self.origin)).await.unwrap();
    }

    /// Waits for something on the page.
    pub(super) async fn see(&self, css: &str) -> fantoccini::elements::Element {
        self.find(Locator::Css(css)).await
    }

    /// Waits for an element. While a page changes, the driver answers with errors of many kinds.
    async fn find(&self, locator: Locator<'_>) -> fantoccini::elements::Element {
        let until = Instant::now() + PATIENCE;
        loop {
            match self.client.find(locator).await {
                Ok(element) => return element,
                Err(error) if Instant::now() > until => {
                    panic!("no {locator:?} at {}: {error}\n{}", self.path().await, self.text("body").await)
                }
                Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
            }
        }
    }

    /// Waits until what `css` finds says this.
    pub(super) async fn read(&self, css: &str, wanted: &str) {
        let until = Instant::now() + PATIENCE;
        loop {
            let said = self.text(css).await;
            if said.contains(wanted) {
                return;
            }
            assert!(Instant::now() < until, "{css} at {} never says `{wanted}`: {said}", self.path().await);
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// The text of everything that `css` finds.
    pub(super) async fn text(&self, css: &str) -> String {
        let script = "return [...document.querySelectorAll(arguments[0])].map(e => e.innerText).join('\\n')";
        // While a page changes there is no document to ask.
        let said = self.client.execute(script, vec![json!(css)]).await.unwrap_or_default();
        said.as_str().unwrap_or_default().to_owned()
    }

    pub(super) async fn click(&self, css: &str) {
        self.see(css).await.click().await.unwrap_or_else(|error| panic!("{css} cannot be clicked: {error}"));
    }

    /// Clicks a link or button by its words.
    pub(super) async fn press(&self, words: &str) {
        let path = format!("//main//*[self::a or self::button][contains(normalize-space(.), '{words}')]");
        let found = self.find(Locator::XPath(&path)).await;
        found.click().await.unwrap_or_else(|error| panic!("`{words}` cannot be pressed: {error}"));
    }

    pub(super) async fn fill(&self, css: &str, value: &str) {
        let field = self.see(css).await;
        field.clear().await.unwrap();
        field.send_keys(value).await.unwrap();
    }

    /// Writes into an editor, or into its text area where there are no scripts.
    pub(super) async fn write(&self, css: &str, text: &str) {
        self.see(css).await;
        let script = "const area = document.querySelector(arguments[0]);
            if (area.editor) area.editor.setValue(arguments[1]); else area.value = arguments[1];";
        self.client.execute(script, vec![json!(css), json!(text)]).await.unwrap();
    }

    pub(super) async fn keys(&self, keys: &str) {
        // While a page changes, nothing is active.
        let until = Instant::now() + PATIENCE;
        loop {
            let sent = match self.client.active_element().await {
                Ok(active) => active.send_keys(keys).await,
                Err(error) => Err(error),
            };
            match sent {
                Ok(()) => return,
                Err(error) => assert!(Instant::now() < until, "no key can be sent: {error}"),
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    pub(super) async fn path(&self) -> String {
        self.client.current_url().await.map(|url| url.path().to_owned()).unwrap_or_default()
    }

    pub(super) async fn script(&self, script: &str) -> Value {
        self.client.execute(script, Vec::new()).await.unwrap()
    }

    /// Sees that neither this page nor one before had anything to complain about: policy, missing files, scripts.
    pub(super) async fn is_silent(&self) {
        self.is_silent_but(&[]).await;
    }

    /// The same, but for messages that hold one of these: a form that is refused with 422 is one.
    pub(super) async fn is_silent_but(&self, expected: &[&str]) {
        let log = self.client.issue_cmd(BrowserLog).await.unwrap();
        let messages = log.as_array().unwrap().iter().map(|entry| entry["message"].as_str().unwrap());
        let surprises: Vec<&str> =
            messages.filter(|message| !expected.iter().any(|known| message.contains(known))).collect();
        assert!(surprises.is_empty(), "at {}: {surprises:?}", self.path().await);
    }

    /// What axe finds on the page that is open.
    pub(super) async fn violations(&self) -> Value {
        static AXE: OnceLock<String> = OnceLock::new();
        let axe = AXE.get_or_init(|| std::fs::read_to_string(axe_file()).unwrap());
        self.client.execute(axe, Vec::new()).await.unwrap();
        let run = "const [done] = arguments;
            axe.run({ resultTypes: ['violations'] }).then(
              found => done(found.violations.map(v => v.id + ': ' + v.nodes.slice(0, 3).map(n => n.html).join(' | '))),
              error => done(['axe failed: ' + error]));";
        self.client.execute_async(run, Vec::new()).await.unwrap()
    }

    pub(super) async fn close(self) {
        self.client.close().await.unwrap();
    }
}

fn axe_file() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/console/browser");
    let lock = std::fs::read_to_string(here.join("package-lock.json")).unwrap();
    need("npm", &["npm"], || works("npm", &["--version"]));
    let folder = cached("axe", &lock, |folder| {
        for name in ["package.json", "package-lock.json"] {
            std::fs::copy(here.join(name), folder.join(name)).unwrap();
        }
        run_installer(
            Command::new("npm").args(["ci", "--ignore-scripts", "--no-audit", "--no-fund"]),
            folder,
        );
    });
    folder.join("node_modules/axe-core/axe.min.js")
}

/// What the browser wrote to its console since it was asked last (`ChromeDriver`'s own command).
#[derive(Debug)]
struct BrowserLog;

impl WebDriverCompatibleCommand for BrowserLog {
    fn endpoint(&self, base: &url::Url, session: Option<&str>) -> Result<url::Url, url::ParseError> {
        base.join(&format!("session/{}/se/log", session.unwrap_or_default()))
    }

    fn method_and_body(&self, _: &url::Url) -> (Method, Option<String>) {
        (Method::POST, Some(json!({ "type": "browser" }).to_string()))
    }
}
