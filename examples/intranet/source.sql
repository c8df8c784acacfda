-- The remote server, the credential and the REST data source of the tutorial. The demo puts its own address and client
-- in place of the three words in capitals.
begin
  gatepost.define_remote_server(p_name => 'hr_api', p_base_url => 'BASE_URL');
  gatepost.define_remote_server(p_name => 'hr_auth', p_base_url => 'BASE_URL', p_kind => 'authentication');
  gatepost.define_credential(
    p_name      => 'hr_reader',
    p_type      => 'oauth2_client_credentials',
    p_client_id => 'CLIENT_ID',
    p_secret    => 'CLIENT_SECRET',
    p_valid_for => 'BASE_URL');
  gatepost.define_rest_source(
    p_name       => 'hr_employees',
    p_definition => '
server = "hr_api"
path = "hr/employees/"
auth = { credential = "hr_reader", server = "hr_auth", token_path = "oauth/token" }

[pagination]
type = "ords"
page_size = 100

[[param]]
name = "deptno"
in = "query"
type = "integer"
omit_when_null = true

[rows]
select = "/items"
primary_key = ["empno"]
columns = [
  { name = "empno", at = "/empno", type = "integer" },
  { name = "ename", at = "/ename", type = "text" },
  { name = "job", at = "/job", type = "text" },
  { name = "hiredate", at = "/hiredate", type = "date" },
  { name = "sal", at = "/sal", type = "decimal" },
  { name = "deptno", at = "/deptno", type = "integer" },
]
');
  commit;
end;
/
