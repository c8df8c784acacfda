-- from Windows
begin
  ords.define_handler(p_source => 'select 1
 from dual');
	ords.create_role('é', 'a');
end;
/
commit;
