-- A second source of the same API, called in other ways: the client signs in within the body of the token request, its
-- token opens one privilege only, and pages are asked for by the number of their first row. The demo puts its own
-- address and client in place of the words in capitals.
begin
  gatepost.define_credential(
    p_name        => 'hr_departments_reader',
    p_type        => 'oauth2_client_credentials',
    p_client_id   => 'CLIENT_ID',
    p_secret      => 'CLIENT_SECRET',
    p_client_auth => 'post',
    p_scope       => 'hr.read',
    p_valid_for   => 'BASE_URL');
  gatepost.define_rest_source(
    p_name       => 'hr_departments',
    p_definition => '
server = "hr_api"
path = "hr/departments/"
auth = { credential = "hr_departments_reader", server = "hr_auth", token_path = "oauth/token" }

[pagination]
type = "offset"
offset_param = "offset"
limit_param = "limit"
page_size = 2
has_more = "/hasMore"

[rows]
select = "/items"
primary_key = ["deptno"]
columns = [
  { name = "deptno", at = "/deptno", type = "integer" },
  { name = "dname", at = "/dname", type = "text" },
  { name = "loc", at = "/loc", type = "text" },
]
');
  commit;
end;
/
