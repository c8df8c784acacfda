declare
  e_taken exception;
  pragma exception_init(e_taken, -20049);
  e_own exception;
  l_text varchar2(5);
begin
  begin
    ords.fail('-20049', 'already used');
  exception
    when no_data_found then dbms_output.put_line('wrong');
    when e_taken or too_many_rows then dbms_output.put_line(sqlcode || ' ' || sqlerrm);
  end;
  begin
    begin
      raise e_own;
    exception when e_taken then null;
    end;
  exception when e_own then dbms_output.put_line('own');
  end;
  begin
    begin
      ords.fail(-20001, 'inner');
    exception when others then
      dbms_output.put_line('log ' || sqlerrm);
      raise;
    end;
  exception when others then
    dbms_output.put_line('outer ' || sqlerrm);
  end;
  begin
    l_text := 'far too long';
  exception when value_error then dbms_output.put_line(sqlerrm);
  end;
  begin
    l_text := 1 / 0;
  exception when zero_divide then dbms_output.put_line(sqlerrm);
  end;
  for i in 1 .. 3 loop
    begin
      if i = 2 then raise no_data_found; end if;
      dbms_output.put_line('round ' || i);
    exception when others then continue;
    end;
  end loop;
  dbms_output.put_line(sqlcode || sqlerrm);
  return;
  ords.never();
end;
/
