begin
  ords.create_role('a');
end;
begin
  ords.create_role('b');
end;
/
begin ords.create_role('c'); end;
