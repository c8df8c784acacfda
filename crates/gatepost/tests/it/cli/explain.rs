//! `gatepost explain`.

use crate::folder::Folder;
use crate::process::{Outcome, call};
use crate::server::{TestServer, sql};

struct Demo(Folder);

impl Demo {
    fn new(name: &str) -> Self {
        let folder = Folder::new(name);
        drop(TestServer::demo(&folder));
        Self(folder)
    }

    fn explain(&self, arguments: &[&str]) -> Outcome {
        let dir = self.0.path().to_str().unwrap();
        call(&[&["explain", "--data", dir], arguments].concat())
    }
}

#[test]
fn an_allowed_request_exits_with_0_and_names_every_reason() {
    let demo = Demo::new("explain-allowed");
    let printed = demo.explain(&["--as", "hr_app", "GET", "/ords/hr/hr/employees/7839"]).ok();
    for wanted in ["schema hr", "hr_app", "module hr, template employees/:id", "hr.read", "hr_reader"] {
        assert!(printed.contains(wanted), "{wanted}: {printed}");
    }
    let public = demo.explain(&["GET", "/ords/hr/demo/departments/?x=1"]).ok();
    assert!(public.contains("a caller without a token") && public.contains("/demo/*"), "{public}");
    // The method counts in any case, HEAD as GET, and a URL as its path.
    demo.explain(&["--as", "hr_app", "head", "http://127.0.0.1:8080/ords/hr/hr/employees/"]).ok();
}

#[test]
fn a_refused_request_exits_with_1_and_says_what_is_missing() {
    let demo = Demo::new("explain-refused");
    for (arguments, wanted) in [
        (&["--as", "limited_app", "GET", "/ords/hr/hr/employees/"][..], "hr_reader"),
        (&["GET", "/ords/hr/hr/employees/"], "refused: "),
        (&["POST", "/ords/hr/demo/departments/"], "refused: "),
        (&["--as", "hr_app", "GET", "/ords/hr/nowhere/"], "refused: "),
    ] {
        let outcome = demo.explain(arguments);
        let whole = format!("{}{}", outcome.stdout, outcome.stderr);
        assert!(outcome.stdout.contains("  1. "), "no reasons: {arguments:?}: {whole}");
        assert!(outcome.refused().contains("refused: ") && whole.contains(wanted), "{whole}");
    }
    sql(demo.0.path(), "hr", "begin gatepost.set_client_status('hr_app', 'DISABLED'); end;");
    let message = demo.explain(&["--as", "hr_app", "GET", "/ords/hr/hr/employees/"]).refused();
    assert!(message.contains("the client is disabled"), "{message}");
}

#[test]
fn what_cannot_be_a_request_is_named() {
    let demo = Demo::new("explain-wrong");
    for (arguments, wanted) in [
        (&["--as", "nobody", "GET", "/ords/hr/hr/employees/"][..], "no client `nobody`"),
        (&["GET", "/ords/none/x"], "no enabled schema has the alias `none`"),
        (&["GET", "/api/hr/x"], "does not begin with /ords"),
        (&["GET", "/ords"], "no schema alias"),
        (&["GET", "/ords/hr/../x"], "the path"),
        (&["GE T", "/ords/hr/x"], "the method"),
    ] {
        let message = demo.explain(arguments).refused();
        assert!(message.contains(wanted), "{arguments:?}: {message}");
    }
}
