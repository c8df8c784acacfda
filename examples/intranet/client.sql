-- The client of schema hr that the intranet signs in with.
begin
  oauth.create_client(
    p_name            => 'intranet',
    p_grant_type      => 'client_credentials',
    p_owner           => 'Intranet',
    p_description     => 'Reads employees for the intranet',
    p_support_email   => 'intranet@example.com',
    p_privilege_names => 'hr.read');
  oauth.grant_client_role(p_client_name => 'intranet', p_role_name => 'hr_reader');
  commit;
end;
/
