//! `gatepost user`: who may sign in to the console.

use crate::hidden::Hidden;
use crate::process::{Shop, finish};

const PASSWORD: &str = "correct horse battery";

impl Shop {
    /// `gatepost user` with a password on standard input.
    fn user(&self, action: &str, arguments: &[&str], stdin: &str) -> crate::process::Outcome {
        finish(&mut self.command_of_user(action, arguments), stdin)
    }

    fn command_of_user(&self, action: &str, arguments: &[&str]) -> std::process::Command {
        let mut command = crate::server::gatepost(&["user", action, "--data", self.dir()]);
        command.args(arguments);
        command
    }

    /// Lines of `gatepost user list`, each as its first four cells.
    fn users(&self) -> Vec<String> {
        let listed = self.user("list", &[], "").ok();
        let rows = listed.lines().skip(2).filter(|line| line.contains('|'));
        rows.map(|row| row.split('|').map(str::trim).take(4).collect::<Vec<_>>().join(" ")).collect()
    }
}

#[test]
fn bad_names_passwords_and_schemas_are_refused_and_nobody_is_made() {
    let shop = Shop::new("user-refused");
    let refused = |arguments: &[&str], stdin: &str| shop.user("add", arguments, stdin).refused();
    for name in ["Ada", "ada lovelace", "ada/b", ""] {
        assert!(refused(&[name], PASSWORD).contains("a user's name has"), "{name}");
    }
    assert!(refused(&["ada"], "").contains("no password on standard input"));
    assert!(refused(&["ada"], "elevenchars").contains("at least 12 characters"));
    assert!(refused(&["ada"], &"x".repeat(513)).contains("at most 512 bytes"));
    assert!(refused(&["ada.lovelace"], "Ada.Lovelace").contains("is not the user's name"));
    let developer = ["ada", "--kind", "developer", "--schema", "nowhere"];
    assert!(refused(&developer, PASSWORD).contains("there is no schema nowhere"));
    let auditor = ["ada", "--kind", "auditor", "--schema", "shop"];
    assert!(refused(&auditor, PASSWORD).contains("sees all schemas"));
    assert!(shop.user("password", &["ada"], PASSWORD).refused().contains("there is no user ada"));
    assert!(shop.user("change", &["ada", "--disable"], "").refused().contains("there is no user ada"));
    assert!(shop.user("remove", &["ada"], "").refused().contains("there is no user ada"));
    assert!(shop.user("sign-ins", &["ada"], "").refused().contains("there is no user ada"));
    assert_eq!(shop.users(), [""; 0]);
}

#[test]
fn the_last_administrator_stays_one() {
    let shop = Shop::new("user-last");
    shop.user("add", &["ada"], PASSWORD).ok();
    shop.user("add", &["ben", "--kind", "auditor"], PASSWORD).ok();
    let last = "the last administrator";
    assert!(shop.user("remove", &["ada"], "").refused().contains(last));
    assert!(shop.user("change", &["ada", "--kind", "viewer"], "").refused().contains(last));
    assert!(shop.user("change", &["ada", "--disable"], "").refused().contains(last));
    shop.user("add", &["eve"], PASSWORD).ok();
    shop.user("change", &["eve", "--disable"], "").ok();
    assert!(shop.user("remove", &["ada"], "").refused().contains(last), "a disabled one does not count");
    shop.user("change", &["eve", "--enable"], "").ok();
    shop.user("remove", &["ada"], "").ok();
    assert_eq!(shop.users(), ["ben auditor all enabled", "eve administrator all enabled"]);
}

#[test]
fn users_are_made_changed_and_listed_and_their_passwords_are_nowhere() {
    let shop = Shop::new("user-walk");
    shop.user("add", &["ada"], &format!("{PASSWORD}\nsecond line")).ok();
    assert!(shop.user("add", &["ada"], PASSWORD).refused().contains("there is a user ada already"));
    let made = shop.user("add", &["dev", "--kind", "developer", "--schema", "SHOP", "--generate"], "").ok();
    let generated =
        made.lines().find_map(|line| line.strip_prefix("password: ")).expect("it is printed once");
    assert_eq!(generated.len(), 24, "{generated}");
    assert_eq!(shop.users(), ["ada administrator all enabled", "dev developer shop enabled"]);
    shop.user("change", &["dev", "--no-schema"], "").ok();
    assert_eq!(shop.users()[1], "dev developer none enabled");
    shop.user("change", &["dev", "--kind", "auditor", "--disable"], "").ok();
    assert_eq!(shop.users()[1], "dev auditor all disabled");
    assert_eq!(shop.user("change", &["dev"], "").code, Some(1), "nothing to change is told");
    shop.user("password", &["ada"], "another long password").ok();
    let changes = shop.run("log", &["--changes"]).ok();
    assert!(changes.contains("| create | user") && changes.contains("| change | user"), "{changes}");

    let mut hidden = Hidden::default();
    hidden.add("a password", PASSWORD);
    hidden.add("a generated password", generated);
    hidden.add("a new password", "another long password");
    hidden.assert_absent_from_stores(&shop.0);
    let history = shop.0.catalog_rows("select coalesce(body, '') as body from history where kind = 'user'");
    assert!(history.len() >= 5);
    assert!(!serde_json::to_string(&history).unwrap().contains("argon2"));
}
