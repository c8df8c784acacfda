//! Remote servers, credentials and REST sources in scripts: what is refused, where secrets may go, what is shown.

use std::sync::Arc;

use gatepost_oauth::VaultSecret;
use gatepost_sources::definition::Credential;
use secrecy::ExposeSecret as _;

use super::host::Host;
use crate::script::{Event, ScriptHost as _, export};

const SECRET: &str = "a-secret-of-theirs-0815";

/// The objects of the tutorial's second half, the secret set.
const DEFINITIONS: &str = "
    gatepost.define_remote_server(p_name => 'hr_api', p_base_url => 'https://hr.example.com/ords/hr/');
    gatepost.define_remote_server(p_name => 'hr_auth', p_base_url => 'https://hr.example.com/ords/hr', p_kind => 'authentication');
    gatepost.define_credential(p_name => 'hr_reader', p_type => 'oauth2_client_credentials', p_client_id => 'LfXJ..',
      p_secret => 'a-secret-of-theirs-0815', p_valid_for => 'https://hr.example.com/ords/hr', p_scope => 'hr.read');
    gatepost.define_rest_source(p_name => 'employees', p_definition => '
server = \"hr_api\"
path = \"employees/\"
auth = { credential = \"hr_reader\", server = \"hr_auth\", token_path = \"oauth/token\" }
[pagination]
type = \"ords\"
page_size = 100
[rows]
select = \"/items\"
primary_key = [\"empno\"]
columns = [ { name = \"empno\", at = \"/empno\", type = \"integer\" }, { name = \"ename\", at = \"/ename\", type = \"text\" } ]
');";

/// A schema that consumes another one's services.
pub(super) fn intranet() -> Host {
    let host = Host::hr();
    host.block(DEFINITIONS);
    host
}

fn credential(host: &Host) -> Arc<Credential> {
    Arc::clone(host.current().credentials.values().next().unwrap())
}

fn secret(host: &Host) -> Option<Arc<VaultSecret>> {
    host.current().vault_secret_of(credential(host).id).cloned()
}

/// The value that would be sent.
fn opened(host: &Host) -> Option<String> {
    Some(secret(host)?.open(&host.key_ring())?.expose_secret().to_owned())
}

fn notes(events: Vec<Event>) -> String {
    let notes = events.into_iter().filter_map(|event| match event {
        Event::Note { text, .. } => Some(text),
        _ => None,
    });
    notes.collect::<Vec<_>>().join("\n")
}

#[test]
fn broken_definitions_are_refused_with_argument_and_line() {
    let host = intranet();
    for (call, words) in [
        ("gatepost.define_remote_server('a', 'ftp://x.example')", "p_base_url"),
        ("gatepost.define_remote_server('a', 'https://user@x.example')", "p_base_url"),
        ("gatepost.define_remote_server('Not a name', 'https://x.example')", "p_name"),
        ("gatepost.define_remote_server('a', 'https://x.example', 'print')", "rest, authentication"),
        ("gatepost.define_credential('c', 'jwt')", "oauth2_client_credentials"),
        ("gatepost.define_credential('c', 'basic')", "p_username"),
        ("gatepost.define_credential('c', 'bearer', p_client_id => 'x')", "p_client_id"),
        ("gatepost.define_credential('c', 'header', p_parameter_name => 'Host')", "p_parameter_name"),
        ("gatepost.define_credential('c', 'bearer', p_secret => 'no idea where it may go')", "p_valid_for"),
        (
            "gatepost.define_credential('c', 'bearer', p_valid_for => 'https://x.example', p_secret_env => 'A', p_secret => 'x')",
            "p_secret",
        ),
        ("gatepost.set_credential_secret('hr_raeder', 'x')", "hr_reader"),
        ("gatepost.define_rest_source('s', 'server = \"nowhere\"' || chr(10) || 'path = \"x\"')", "nowhere"),
        (
            "gatepost.define_rest_source('s', 'server = \"hr_auth\"' || chr(10) || 'path = \"x\"')",
            "authentication",
        ),
        ("gatepost.define_rest_source('s', 'server = \"hr_api\"' || chr(10) || 'pth = \"x\"')", "line 2"),
        ("gatepost.define_rest_source('s', 'client_secret = \"x\"')", "client_secret"),
    ] {
        let shown = host.refused_block(&format!("{call};"));
        assert!(shown.contains(words), "{call}: {shown}");
    }
}

#[test]
fn sql_of_a_source_is_looked_at_when_it_is_defined() {
    let host = intranet();
    for (part, words) in [
        ("columns = [ { name = \"n\", type = \"integer\" } ]\nquery = \"select m from rows\"", "rows.query"),
        ("columns = [ { name = \"n\" }, { name = \"m\", sql = \"n *\" } ]", "rows.columns"),
    ] {
        let definition = format!("server = \"hr_api\"\npath = \"x\"\n[rows]\n{part}");
        let shown = host.refused_block(&format!("gatepost.define_rest_source('s', '{definition}');"));
        assert!(shown.contains("p_definition") && shown.contains(words), "{shown}");
    }
    host.block(
        "gatepost.define_rest_source('s', 'server = \"hr_api\"\npath = \"x\"\n[rows]
columns = [ { name = \"n\" }, { name = \"m\", sql = \"n * 2\", type = \"integer\" }, { name = \"o\", sql = \"1\" } ]');",
    );
    let shown = host.refused("select m from rest.s");
    assert!(shown.contains("column `o`") && shown.contains("no type"), "{shown}");
    let columns = host.rows("select name, type, expression from user_gatepost_source_columns where source_name = 's' and expression is not null");
    assert_eq!(columns[0], ["m", "integer", "n * 2"]);
    assert!(export(&host.current(), &host.schema()).contains("sql = \"n * 2\""));
}

#[test]
fn synchronizations_are_made_when_the_block_has_taken_effect() {
    let host = intranet();
    let define = "gatepost.define_rest_source('s', 'server = \"hr_api\"
[rows]
columns = [ { name = \"n\", type = \"integer\" } ]
[sync]
table = \"t\"
mode = \"append\"');";
    assert!(host.refused_block("gatepost.synchronize_rest_source('employees');").contains("sync"));
    host.refused_block(&format!(
        "{define} gatepost.synchronize_rest_source('s'); gatepost.drop_rest_source('x');"
    ));
    assert!(host.synchronized.borrow().is_empty());
    host.block(&format!("{define} gatepost.synchronize_rest_source('s'); rollback;"));
    assert!(host.synchronized.borrow().is_empty());
    host.block(&format!("{define} gatepost.synchronize_rest_source('s', p_full => true);"));
    assert_eq!(*host.synchronized.borrow(), [("s".to_owned(), true)]);
}

#[test]
fn what_sources_use_is_not_dropped() {
    let host = intranet();
    for call in
        ["drop_remote_server('hr_api')", "drop_remote_server('hr_auth')", "drop_credential('hr_reader')"]
    {
        let shown = host.refused_block(&format!("gatepost.{call};"));
        assert!(shown.contains("employees"), "{shown}");
    }
    host.block(
        "gatepost.drop_rest_source('employees'); gatepost.drop_credential('hr_reader');
         gatepost.drop_remote_server('hr_api'); gatepost.drop_remote_server('hr_auth');",
    );
    let catalog = host.current();
    assert!(
        catalog.credentials.is_empty()
            && catalog.vault_secrets.is_empty()
            && catalog.remote_servers.is_empty()
    );
}

#[test]
fn secret_goes_with_every_change_of_where_it_may_go() {
    let credential =
        "gatepost.define_credential(p_name => 'hr_reader', p_type => 'oauth2_client_credentials',
        p_client_id => 'LfXJ..', p_valid_for => 'https://hr.example.com/ords/hr', p_scope => 'hr.read'";
    for change in [
        &format!("{credential}, p_client_auth => 'post');") as &str,
        &format!("{});", credential.replace("hr.example.com", "evil.example")),
        "gatepost.define_rest_source(p_name => 'employees', p_definition => 'server = \"hr_api\"' || chr(10) || 'path = \"x\"');
         gatepost.define_credential(p_name => 'hr_reader', p_type => 'bearer', p_valid_for => 'https://hr.example.com/ords/hr');",
        "gatepost.define_remote_server('hr_api', 'https://hr.example.com/ords/hr', p_tls_ca =>
           '-----BEGIN CERTIFICATE-----' || chr(10) || 'MIIB' || chr(10) || '-----END CERTIFICATE-----');",
    ] {
        let host = intranet();
        let generation = self::credential(&host).generation;
        let shown = notes(host.block(change));
        assert_eq!(opened(&host), None, "{change}");
        assert!(shown.contains("SET_CREDENTIAL_SECRET"), "{change}: {shown}");
        assert_ne!(self::credential(&host).generation, generation, "cached tokens stay good: {change}");
        host.block("gatepost.set_credential_secret('hr_reader', 'another one');");
        assert_eq!(opened(&host).as_deref(), Some("another one"));
    }
}

#[test]
fn secret_without_a_list_stays_with_the_servers_of_its_sources() {
    let host = intranet();
    host.block(
        "gatepost.define_credential(p_name => 'hr_reader', p_type => 'oauth2_client_credentials', p_client_id => 'LfXJ..',
           p_secret => 'a-secret-of-theirs-0815');",
    );
    assert_eq!(opened(&host).as_deref(), Some(SECRET));
    // A harmless change keeps it, a new base URL of the server does not.
    host.block(
        "gatepost.define_remote_server('hr_api', 'https://hr.example.com/ords/hr', p_comments => 'x');",
    );
    assert_eq!(opened(&host).as_deref(), Some(SECRET));
    let shown = notes(host.block("gatepost.define_remote_server('hr_api', 'https://evil.example');"));
    assert_eq!(opened(&host), None);
    assert!(shown.contains("evil.example"), "{shown}");
}

#[test]
fn harmless_edits_keep_the_secret_and_forget_the_tokens() {
    let host = intranet();
    let generation = credential(&host).generation;
    host.block(
        "gatepost.define_credential(p_name => 'hr_reader', p_type => 'oauth2_client_credentials', p_client_id => 'LfXJ..',
           p_valid_for => 'https://hr.example.com/ords/hr', p_scope => 'hr.read hr.write', p_comments => 'reads');",
    );
    assert_eq!(opened(&host).as_deref(), Some(SECRET));
    assert_ne!(credential(&host).generation, generation);
    host.block("gatepost.set_credential_secret('hr_reader', null);");
    assert_eq!(opened(&host), None);
}

#[test]
fn no_secret_is_shown_exported_or_kept_by_history() {
    let host = intranet();
    let shown = host.rows("select * from user_gatepost_credentials").concat().join(" ");
    assert!(shown.contains("YES") && shown.contains("LfXJ..") && !shown.contains(SECRET), "{shown}");
    let sealed = &secret(&host).unwrap().sealed;
    let script = export(&host.current(), &host.schema());
    assert!(!script.contains(SECRET) && !script.contains(sealed.as_str()), "{script}");
    assert!(!format!("{:?}", host.current()).contains(SECRET));
    assert_eq!(
        host.rows("select name, remote_server, credential, pagination from user_gatepost_rest_sources"),
        [["employees", "hr_api", "hr_reader", "ords"]]
    );
    assert_eq!(
        host.rows("select name, type, primary_key from user_gatepost_source_columns order by position"),
        [["empno", "integer", "YES"], ["ename", "text", "NO"]]
    );
}

#[test]
fn statements_read_rest_sources_and_blocks_do_not() {
    let host = intranet();
    let rows = host.rows("select e.ename from rest.employees e where e.empno = 7839 and e.ename like 'K%'");
    assert_eq!(rows, [["KING"]]);
    let asked = host.remotes.borrow().clone();
    assert_eq!((asked.len(), asked[0].name.as_str(), asked[0].equals.len()), (1, "employees", 1));
    let place = host.refused("select 1,\n  x from rest.employees");
    assert!(place.contains("line 2, column 3"), "{place}");
    for (script, words) in [
        ("select * from rest.employes", "rest.employes"),
        ("begin for r in (select * from rest.employees) loop null; end loop; end;", "a block holds"),
        ("create view v as select * from rest.employees", "run at once"),
        ("delete from rest.employees", "not written"),
    ] {
        let refused = host.refused(script);
        assert!(refused.contains(words), "{script}: {refused}");
    }
    assert_eq!(host.remotes.borrow().len(), 2);
}

#[test]
fn report_names_handlers_that_wait_for_a_source() {
    let host = intranet();
    let define =
        |query: &str| format!("begin ords.define_service('m', '/m/', 'p', p_source => '{query}'); end;\n/\n");
    for (query, waiting) in [
        ("select empno from rest.employees", 0),
        ("select x from rest.employees", 1),
        ("select 1 from rest.x", 1),
    ] {
        let report = host.script(&define(query)).0.unwrap();
        assert_eq!((report.waiting.len(), report.refused.len()), (waiting, 0), "{query}: {report}");
    }
    let report = host.script(&define("select 1 from rest.employees(x => y)")).0.unwrap();
    assert_eq!(report.refused.len(), 1);
}

#[test]
fn report_of_a_changed_source_names_the_handlers_that_it_stops() {
    let host = intranet();
    for (name, query) in
        [("reads", "select ename from rest.employees"), ("reads_not", "select 1 as interest")]
    {
        host.block(&format!("ords.define_service('{name}', '/{name}/', 'p', p_source => '{query}');"));
    }
    let report = host.script("begin gatepost.drop_rest_source('employees'); end;").0.unwrap();
    assert_eq!((report.modules, report.waiting.len()), (0, 1), "{report}");
    assert!(
        report.to_string().contains("reads") && report.to_string().contains("rest.employees"),
        "{report}"
    );
    assert!(!report.is_empty());
}
