declare l ords_types.t_client_credentials;
begin
  l := ords_security.register_client('x');
  dbms_output.put_line(l.client_kye.client_id);
end;
/
