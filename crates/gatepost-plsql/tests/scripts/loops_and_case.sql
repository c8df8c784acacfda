declare
  l_list varchar2(100);
  l_kind varchar2(10);
  i      integer := 0;
begin
  for r in (select name, c.client_id id, count(*) from user_ords_clients c where x > i) loop
    dbms_output.put_line(r.name || '=' || r.id);
    update t set a = r.id where b = r.name and c = i;
  end loop;
  <<outer_loop>>
  for a in reverse 1 .. 3 loop
    for b in a .. 3 loop
      continue outer_loop when b = 3 and a = 2;
      l_list := l_list || a || b || ' ';
      exit outer_loop when a = 1;
    end loop;
  end loop outer_loop;
  dbms_output.put_line(l_list);
  while i < 3 loop
    i := i + 1;
    l_kind := case i when 1 then 'one' when 2 then 'two' else 'many' end;
    case
      when l_kind like 'o%' then dbms_output.put_line('o');
      when l_kind in ('two', 'three') then dbms_output.put_line('t');
      else dbms_output.put_line(case when i between 3 and 4 then 'between' end);
    end case;
  end loop;
  loop
    i := i - 1;
    exit when i <= 0;
  end loop;
  begin
    case i when 5 then null; end case;
  exception when case_not_found then dbms_output.put_line(sqlerrm);
  end;
  if null = null or (null and false) is null then dbms_output.put_line('wrong'); end if;
  if 1 = 1 or 1 / 0 = 1 then dbms_output.put_line('short circuit'); end if;
  dbms_output.put_line(2 + 3 * 4 - 10 / 4 || ' ' || (2 + 3) * 4 || ' ' || -(-1.50));
end loops;
/
