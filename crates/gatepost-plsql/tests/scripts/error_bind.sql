begin
  ords.create_role(:role);
end;
/
