//! `gatepost diff`: what a script would change, while nothing changes.

use crate::process::{Shop, finish};

const SERVICES: &str = "declare
  l_roles owa.vc_arr; l_patterns owa.vc_arr; l_modules owa.vc_arr;
begin
  ords.define_service(p_module_name => 'm', p_base_path => '/m/', p_pattern => 'rows/:id', p_source => 'select :id as n');
  ords.define_service(p_module_name => 'news', p_base_path => '/news/', p_pattern => 'today', p_source => 'select 1 as n');
  ords.create_role('reader');
  l_roles(1) := 'reader'; l_modules(1) := 'm';
  ords.define_privilege('m.read', l_roles, l_patterns, l_modules);
  gatepost.allow_public('/news/*');
  oauth.create_client('app', 'client_credentials');
  oauth.create_client('other', 'client_credentials');
  oauth.grant_client_role('app', 'reader');
end;
/
";

#[test]
fn definitions_and_doors_are_compared_and_nothing_is_kept() {
    let shop = Shop::new("diff");
    let sql = |script: &str| finish(&mut shop.command("sql", &["--schema", "shop"]), script);
    let diff = |script: &str, more: &[&str]| {
        finish(&mut shop.command("diff", &[&["--schema", "shop"], more].concat()), script)
    };
    let export = || shop.run("export", &["--schema", "shop"]).ok();
    sql(&format!("create table t (n int); {SERVICES}")).ok();
    let before = export();

    // What does not run is refused, with the place.
    let refused = diff("begin\n  ords.define_template('nowhere', 'x');\nend;", &[]).refused();
    assert!(refused.contains("nowhere") && refused.contains("line 2"), "{refused}");
    assert_eq!(diff(&before, &["--exit-code"]).ok(), "nothing would change\n");

    let change = "insert into t values (1);
        begin
          ords.define_service(p_module_name => 'later', p_base_path => '/later/', p_pattern => 'x', p_source => 'select 2 as n');
          gatepost.deny_public('/news/*');
          gatepost.allow_public('/later/*');
          oauth.grant_client_role('other', 'reader');
          oauth.revoke_client_role('app', 'reader');
        end;";
    let told = diff(change, &[]).ok();
    for line in [
        "--- schema shop, now",
        "+++ schema shop, then",
        "access:",
        "  - anybody: GET /news/today",
        "  + anybody: GET /later/x",
        "  - client app: GET /m/rows/:id",
        "  + client other: GET /m/rows/:id",
    ] {
        assert!(told.lines().any(|told| told == line), "{line} is not in\n{told}");
    }
    assert!(told.lines().any(|line| line.starts_with('+') && line.contains("'/later/'")), "{told}");
    assert!(told.lines().any(|line| line.starts_with('-') && line.contains("'/news/*'")), "{told}");
    assert!(diff(change, &["--exit-code"]).refused().contains("would change"));

    assert_eq!(export(), before);
    assert_eq!(shop.0.rows("shop", "select count(*) from t")[0][0], 0);

    // What it said is what happens.
    sql(change).ok();
    assert_eq!(shop.0.rows("shop", "select count(*) from t")[0][0], 1);
    let audit = finish(&mut shop.command("audit", &["--json"]), "").stdout;
    assert!(audit.contains("GET /later/x") && !audit.contains("GET /news/today"), "{audit}");

    // Other definitions, the same doors; secrets are in no diff.
    let told = diff("begin oauth.rotate_client_secret('app'); ords.create_role('more'); end;", &[]).ok();
    assert!(told.contains("access: the same") && !told.contains("gp_cs_"), "{told}");
}
