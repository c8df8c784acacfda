//! The walk that must always work: a service, a lock, a client with the role, as the post writes it.

use super::host::{Host, notes, output};
use crate::script::Event;

const SERVICE: &str = r"
create table emp (empno integer primary key, ename text);
insert into emp values (7839, 'KING'), (7788, 'SCOTT');
BEGIN
  ORDS.ENABLE_SCHEMA(p_enabled => TRUE, p_schema => 'HR', p_url_mapping_type => 'BASE_PATH',
    p_url_mapping_pattern => 'people', p_auto_rest_auth => FALSE);
  ORDS.DEFINE_MODULE(p_module_name => 'hr.v1', p_base_path => 'hr', p_items_per_page => 0);
  ORDS.DEFINE_TEMPLATE(p_module_name => 'hr.v1', p_pattern => 'employees/');
  ORDS.DEFINE_HANDLER(p_module_name => 'hr.v1', p_pattern => 'employees/', p_method => 'GET',
    p_source_type => ords.source_type_collection_feed, p_source => 'select * from emp');
  ORDS.DEFINE_HANDLER(p_module_name => 'hr.v1', p_pattern => 'employees/', p_method => 'POST',
    p_source_type => ORDS_METADATA.ORDS.source_type_plsql, p_source => 'begin htp.p(''x''); end;');
  ORDS.DEFINE_TEMPLATE(p_module_name => 'hr.v1', p_pattern => 'missing/');
  ORDS.DEFINE_HANDLER(p_module_name => 'hr.v1', p_pattern => 'missing/', p_source => 'select * from nowhere');
  COMMIT;
END;
/
";

const LOCK: &str = "
DECLARE
  l_roles OWA.VC_ARR; l_patterns OWA.VC_ARR; l_modules OWA.VC_ARR;
BEGIN
  ORDS.CREATE_ROLE(p_role_name => 'hr_role');
  l_roles(1) := 'hr_role';
  l_modules(1) := 'hr.v1';
  ORDS.DEFINE_PRIVILEGE(p_privilege_name => 'hr_privilege', p_roles => l_roles, p_patterns => l_patterns,
    p_modules => l_modules, p_label => 'HR', p_description => 'employees');
  COMMIT;
END;
/
";

const CLIENT: &str = "BEGIN
OAUTH.create_client (
p_name => 'payroll'
,p_grant_type => 'client_credentials'
,p_owner => 'HR'
,p_description => 'Payroll runs'
,p_support_email => 'it@hr.example'
,p_privilege_names => 'hr_privilege'
);
OAUTH.grant_client_role (
p_client_name => 'payroll'
,p_role_name => 'hr_role'
);
COMMIT;
END;";

#[test]
fn walk_of_the_post() {
    let host = Host::hr();
    let (report, events) = host.script(SERVICE);
    let report = report.unwrap();
    assert_eq!((report.modules, report.templates, report.handlers, report.runnable()), (1, 2, 3, 2));
    assert_eq!(report.refused[0].place.to_string(), "module `hr.v1`, template `employees/`, POST");
    assert!(report.to_string().contains("defined, not runnable"), "{report}");
    assert_eq!(report.waiting[0].place.pattern, "missing/");
    assert!(report.waiting[0].message.contains("nowhere"), "{report}");
    let verbs: Vec<_> = events
        .iter()
        .filter_map(|event| match event {
            Event::Affected { verb, rows } => Some((verb.as_str(), *rows)),
            _ => None,
        })
        .collect();
    assert_eq!(verbs, [("CREATE TABLE", None), ("INSERT", Some(2))]);
    assert!(events.iter().any(|event| matches!(event, Event::BlockDone { changes, .. }
        if changes == &["schema hr: changed", "module hr.v1: created"])));

    host.ok(LOCK);
    host.ok(CLIENT);
    let rows = host.rows("SELECT * FROM user_ords_clients");
    let client = host.client("payroll");
    assert_eq!(rows.len(), 1);
    assert_eq!(rows[0][1..6], ["payroll", "Payroll runs", "CLIENT_CRED", "NULL", &client.client_id]);
    assert!(rows[0][6].starts_with("gp_cs_"), "{:?}", rows[0]);
    assert_eq!(
        host.rows("select client_name, role_name from user_ords_client_roles"),
        [["payroll", "hr_role"]]
    );
    assert_eq!(host.rows("select name from user_ords_client_privileges"), [["hr_privilege"]]);
    assert_eq!(host.privilege("hr_privilege").modules, [host.module("hr.v1").id]);
    assert_eq!(host.schema().alias, "people");
}

#[test]
fn each_client_can_have_a_role_and_a_privilege_of_its_own_on_one_module() {
    let host = Host::hr();
    host.block("ords.define_module('m', '/m/');");
    for name in ["one", "two", "three"] {
        host.ok(&format!(
            "declare r owa.vc_arr; p owa.vc_arr; m owa.vc_arr; begin
               ords.create_role('{name}.role'); r(1) := '{name}.role'; m(1) := 'm';
               ords.define_privilege('{name}.read', r, p, m);
               oauth.create_client('{name}', 'client_credentials', p_privilege_names => '{name}.read');
               oauth.grant_client_role('{name}', '{name}.role');
             end;"
        ));
    }
    let module = host.module("m").id;
    for name in ["one", "two", "three"] {
        let privilege = host.privilege(&format!("{name}.read"));
        assert_eq!(privilege.modules, [module]);
        assert_eq!(host.client(name).privileges, [privilege.id]);
        assert_eq!(host.client(name).roles, privilege.roles);
    }
}

#[test]
fn script_as_they_are_written() {
    let host = Host::hr();
    let script = "set define off\r\nprompt -- orders service\r\nREM a remark\r\n\
        declare\r\n  l_roles owa.vc_arr;\r\n  l_patterns owa.vc_arr;\r\n  l_modules owa.vc_arr;\r\n  n number;\r\n\
        begin\r\n\
          l_roles(1) := 'shop.reader';\r\n  l_patterns(1) := '/shop/*';\r\n\
          begin\r\n    ords.delete_role('shop.reader');\r\n  exception when others then null;\r\n  end;\r\n\
          ords.create_role(p_role_name => 'shop.reader');\r\n\
          ords.define_privilege(p_privilege_name => 'shop.read', p_roles => l_roles, p_patterns => l_patterns,\r\n\
            p_modules => l_modules, p_label => 'Shop', p_description => 'read the shop');\r\n\
          select count(*) into n from user_ords_clients where name = 'till';\r\n\
          if n = 0 then\r\n\
            oauth.create_client(p_name => 'till', p_grant_type => 'client_credentials', p_owner => 'Shop',\r\n\
              p_description => 'till', p_support_email => 'it@shop.example', p_privilege_names => 'shop.read');\r\n\
          end if;\r\n\
          oauth.grant_client_role('till', 'shop.reader');\r\n\
          select count(*) into n from user_ords_client_roles where client_name = 'till';\r\n\
          dbms_output.put_line('roles: ' || n);\r\n\
          commit;\r\nend;\r\n/\r\nshow errors\r\n\
        select name from user_ords_privileges;\r\n";
    for _ in 0..2 {
        let events = host.ok(script);
        assert_eq!(output(&events), ["-- orders service", "roles: 1"]);
        let text = notes(&events);
        assert!(text.contains("1: SET is ignored") && text.contains("SHOW is ignored"), "{text}");
    }
    assert_eq!(host.current().clients.len(), 1);
}
