begin
  begin
    ords.fail_mistake('a');
  exception when others then
    dbms_output.put_line('never here');
  end;
end;
/
