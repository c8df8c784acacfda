//! Signing in to the console, without the console: what ends a sign-in, what is refused, and that nobody is first twice.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use gatepost::app::clock::Clock;
use gatepost::app::key_file::KeySource;
use gatepost::app::people::{By, NewUser, PeopleError, UserChange};
use gatepost::app::sign_ins::{Attempt, NewSignIn, SignInRefused};
use gatepost::app::{App, Open};
use gatepost::config::Config;
use gatepost_oauth::UserKind;
use gatepost_store::catalog::ConsoleItemKind;
use secrecy::SecretString;
use tokio::runtime::Runtime;

use crate::process::Shop;

const PASSWORD: &str = "correct horse battery";
const BY: By<'_> = By { author: "tester", source: "test" };
const MINUTE_MS: i64 = 60_000;

/// An installation that is opened within the test, with a clock that the test turns.
struct Home {
    app: Arc<App>,
    ahead_ms: Arc<AtomicI64>,
    runtime: Runtime,
    shop: Shop,
}

impl Home {
    fn new(name: &str) -> Self {
        let shop = Shop::new(name);
        let ahead_ms = Arc::new(AtomicI64::new(0));
        let app = open(&shop, Clock::Shifted(Arc::clone(&ahead_ms)));
        let runtime = Runtime::new().unwrap();
        Self { app, ahead_ms, runtime, shop }
    }

    fn with_ada(name: &str) -> Self {
        let home = Self::new(name);
        home.app.first_user("ada", PASSWORD.into(), BY).unwrap();
        home
    }

    fn sign_in(&self, name: &str, password: &str) -> Result<NewSignIn, SignInRefused> {
        self.sign_in_from(Ipv4Addr::LOCALHOST, name, password)
    }

    fn sign_in_from(&self, from: Ipv4Addr, name: &str, password: &str) -> Result<NewSignIn, SignInRefused> {
        let attempt = Attempt {
            name: name.into(),
            password: password.into(),
            address: IpAddr::V4(from),
            user_agent: format!("a browser\n{}", "x".repeat(1_000)),
            keep: false,
        };
        self.runtime.block_on(self.app.sign_in(attempt))
    }

    fn is_signed_in(&self, token: &SecretString) -> bool {
        self.app.find_sign_in(token).unwrap().is_some()
    }

    fn pass(&self, ms: i64) {
        self.ahead_ms.fetch_add(ms, Ordering::Relaxed);
    }

    fn audit_trail(&self) -> Vec<String> {
        self.app.logs.flush();
        let rows = crate::folder::rows_of_sqlite(
            &self.shop.0.path().join("logs.db"),
            "select event || ': ' || reason || ': ' || coalesce(detail, '-') from audit_event order by id",
        );
        rows.iter().map(|row| row[0].as_str().unwrap().to_owned()).collect()
    }
}

fn open(shop: &Shop, clock: Clock) -> Arc<App> {
    let config = Config::load(shop.0.path(), None, Vec::new()).unwrap();
    let keys = KeySource::File(shop.0.path().join("keys.toml"));
    Arc::new(App::open(config, keys, clock, Open::Existing).unwrap())
}

fn is_wrong(refused: &Result<NewSignIn, SignInRefused>) -> bool {
    matches!(refused, Err(SignInRefused::Wrong))
}

#[test]
fn strangers_wrong_passwords_and_disabled_users_are_refused_alike_and_noted() {
    let home = Home::with_ada("sign-in-refused");
    let new = NewUser {
        name: "ben".into(),
        kind: UserKind::Auditor,
        schemas: Vec::new(),
        password: PASSWORD.into(),
    };
    home.app.create_user(&new, BY).unwrap();
    let disable = UserChange { enabled: Some(false), ..UserChange::default() };
    home.app.change_user("ben", &disable, BY).unwrap();
    assert!(is_wrong(&home.sign_in("my secret typed as a name", PASSWORD)));
    assert!(is_wrong(&home.sign_in("ada", "correct horse batterz")));
    assert!(is_wrong(&home.sign_in("ada", "")));
    assert!(is_wrong(&home.sign_in("ada", &PASSWORD.repeat(1_000))));
    assert!(is_wrong(&home.sign_in("ben", PASSWORD)));
    for token in ["", "x", &"A".repeat(43), &"ü".repeat(43)] {
        assert!(!home.is_signed_in(&token.into()), "{token}");
    }
    home.sign_in(" Ada ", PASSWORD).expect("names are typed in any case");
    let trail = home.audit_trail();
    assert_eq!(
        trail,
        [
            "sign-in refused: unknown user: -",
            "sign-in refused: wrong password: user ada, administrator",
            "sign-in refused: wrong password: user ada, administrator",
            "sign-in refused: wrong password: user ada, administrator",
            "sign-in refused: user disabled: user ben, auditor",
            "sign-in: ok: user ada, administrator",
        ]
    );
}

#[test]
fn who_guesses_waits_whether_the_name_exists_or_not_and_nobody_else_does() {
    let home = Home::with_ada("sign-in-throttle");
    for name in ["ada", "nobody"] {
        for _ in 0..5 {
            assert!(is_wrong(&home.sign_in(name, "a wrong password")), "{name}");
        }
        let refused = home.sign_in(name, PASSWORD);
        assert!(matches!(refused, Err(SignInRefused::Throttled(1..=60))), "{name}: {refused:?}");
    }
    let elsewhere = Ipv4Addr::new(192, 0, 2, 7);
    home.sign_in_from(elsewhere, "ada", PASSWORD).expect("ada is not locked out elsewhere");
}

#[test]
fn a_sign_in_ends_with_its_time_and_with_what_changes_its_user() {
    let home = Home::with_ada("sign-in-ends");
    let new = NewUser {
        name: "ben".into(),
        kind: UserKind::Administrator,
        schemas: Vec::new(),
        password: PASSWORD.into(),
    };
    home.app.create_user(&new, BY).unwrap();
    let token = || home.sign_in("ben", PASSWORD).unwrap().token;
    let (first, second) = (token(), token());
    let (user, sign_in) = home.app.find_sign_in(&first).unwrap().unwrap();
    assert_eq!((user.name.as_str(), sign_in.address.as_str()), ("ben", "127.0.0.1"));
    assert_eq!(sign_in.user_agent.len(), 200, "cut, without control characters");
    assert!(!sign_in.user_agent.contains('\n'));
    assert_eq!(home.app.list_sign_ins(&user).unwrap().len(), 2);
    home.app.end_sign_in(&user, &sign_in.id).unwrap();
    assert!(!home.is_signed_in(&first) && home.is_signed_in(&second));

    home.app.set_password("ben", &"another long password".into(), BY).unwrap();
    assert!(!home.is_signed_in(&second), "a new password ends them all");
    home.app.set_password("ben", &PASSWORD.into(), BY).unwrap();
    let set = |change: UserChange| home.app.change_user("ben", &change, BY).unwrap();
    let third = token();
    set(UserChange { enabled: Some(false), ..UserChange::default() });
    set(UserChange { enabled: Some(true), ..UserChange::default() });
    assert!(!home.is_signed_in(&third), "it does not come back");
    let fourth = token();
    set(UserChange { kind: Some(UserKind::Viewer), ..UserChange::default() });
    assert!(!home.is_signed_in(&fourth), "another kind signs in anew");
    let fifth = token();
    set(UserChange { schemas: Some(vec!["shop".into()]), ..UserChange::default() });
    let (user, _) = home.app.find_sign_in(&fifth).unwrap().expect("it goes on");
    assert_eq!(user.schemas.len(), 1);
    home.pass(12 * 60 * MINUTE_MS);
    assert!(!home.is_signed_in(&fifth), "after twelve hours");
    let sixth = token();
    // Of another process, without a refresh of this one: an ended sign-in is gone for all.
    open(&home.shop, Clock::System).end_sign_ins(&user).unwrap();
    assert!(!home.is_signed_in(&sixth));
    let seventh = token();
    home.app.delete_user("ben", BY).unwrap();
    assert!(!home.is_signed_in(&seventh));
}

#[test]
fn the_password_counts_as_just_given_for_ten_minutes() {
    let home = Home::with_ada("sign-in-confirm");
    let token = home.sign_in("ada", PASSWORD).unwrap().token;
    let found = || home.app.find_sign_in(&token).unwrap().unwrap();
    assert!(home.app.is_confirmed(&found().1));
    home.pass(10 * MINUTE_MS);
    let (user, sign_in) = found();
    assert!(!home.app.is_confirmed(&sign_in));
    assert!(sign_in.seen_on_ms - sign_in.made_on_ms >= 10 * MINUTE_MS, "the last use is noted");
    let confirm = |password: &str| {
        let address = IpAddr::V4(Ipv4Addr::LOCALHOST);
        home.runtime.block_on(home.app.confirm_password(&user, &sign_in, &password.into(), address))
    };
    assert!(matches!(confirm("a wrong password"), Err(SignInRefused::Wrong)));
    assert!(!home.app.is_confirmed(&found().1));
    confirm(PASSWORD).unwrap();
    assert!(home.app.is_confirmed(&found().1));
}

#[test]
fn of_those_who_want_to_be_first_at_once_one_is() {
    let home = Home::new("first-user");
    let outcomes: Vec<_> = std::thread::scope(|scope| {
        let tries = ["ada", "ben", "eve"].map(|name| {
            let app = open(&home.shop, Clock::System);
            scope.spawn(move || app.first_user(name, PASSWORD.into(), BY))
        });
        tries.into_iter().map(|attempt| attempt.join().unwrap()).collect()
    });
    assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 1, "{outcomes:?}");
    for refused in outcomes.iter().filter_map(|outcome| outcome.as_ref().err()) {
        assert!(matches!(refused, PeopleError::SetUp), "{refused}");
    }
    home.app.refresh().unwrap();
    assert_eq!(home.app.snapshot().catalog.users.len(), 1);
}

#[test]
fn what_a_user_keeps_has_limits_and_is_the_users_own() {
    let home = Home::with_ada("console-items");
    let kind = ConsoleItemKind::SavedSql;
    let put = |name: &str, body: &str| home.app.put_console_item(7, 0, (kind, name), body);
    for (name, body) in [("a\nb", "select 1"), (&*"x".repeat(201), "select 1"), ("a", "nul \0")] {
        assert!(matches!(put(name, body), Err(PeopleError::Item(_))), "{name}");
    }
    assert!(matches!(put("a", &"x".repeat(65_537)), Err(PeopleError::Item(_))));
    put("a", "select 1").unwrap();
    put("a", "select 2 -- 'quoted'").unwrap();
    let kept = home.app.console_items(kind, Some(7), None).unwrap();
    assert_eq!(kept.iter().map(|item| item.body.as_str()).collect::<Vec<_>>(), ["select 2 -- 'quoted'"]);
    assert!(home.app.console_items(kind, Some(8), None).unwrap().is_empty());
    assert!(!home.app.delete_console_item(8, kept[0].id).unwrap());
    assert!(home.app.delete_console_item(7, kept[0].id).unwrap());
}
