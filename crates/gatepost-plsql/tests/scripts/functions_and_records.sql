declare
  l_client ords_types.t_client_credentials;
  l_secret varchar2(4000);
  l_own    shop_types.t_thing;
begin
  l_client := ords_security.register_client(
    p_name          => 'till',
    p_client_secret => ords_types.oauth_client_secret(p_stored => true),
    p_kind          => ords_constants.oauth_client_secret_skip);
  dbms_output.put_line(l_client.client_key.client_id);
  l_secret := ords_security.register_client('b').client_key.client_id;
  dbms_output.put_line(nvl(l_secret, '?') || ' ' || length(l_secret) || substr(l_secret, -2) || instr(l_secret, 'd'));
  l_own.part.name := 'x';
  ords.create_role(p_role_name => l_own.part.name, p_flag => 1 < 2, p_none => l_own.part);
end;
/
begin dbms_output.put_line(l_client.client_id); end;
/
