-- The sample's second half: a schema that calls the first one's API, and the lock on what it shows.
begin
  ords.enable_schema(p_schema => 'intranet', p_url_mapping_pattern => 'intranet');
  commit;
end;
/

declare
  l_roles    owa.vc_arr;
  l_patterns owa.vc_arr;
  l_modules  owa.vc_arr;
begin
  ords.create_role(p_role_name => 'intranet_reader');
  l_roles(1)    := 'intranet_reader';
  l_patterns(1) := '/sources/*';
  ords.define_privilege(
    p_privilege_name => 'intranet.read',
    p_roles          => l_roles,
    p_patterns       => l_patterns,
    p_modules        => l_modules,
    p_label          => 'Intranet',
    p_description    => 'Read what comes from other APIs');
  oauth.create_client(
    p_name            => 'intranet_app',
    p_grant_type      => 'client_credentials',
    p_owner           => 'Intranet',
    p_description     => 'Shows rows of other APIs',
    p_support_email   => 'intranet@example.com',
    p_privilege_names => 'intranet.read');
  oauth.grant_client_role(p_client_name => 'intranet_app', p_role_name => 'intranet_reader');
  commit;
end;
/
