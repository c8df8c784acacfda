begin
  if user = 'HR' then
    ords.create_role('a');
end;
/
