declare
  l_name  varchar2(30) := 'till';
  n       number;
  l_first user_ords_clients.name%type;
  l_ids   owa.vc_arr;
begin
  select count(*) into n from user_ords_clients where name = l_name and note <> 'l_name' and c.l_name is null;
  if n = 0 then
    ords.create_role('none');
  elsif n > 100 or n is null then
    ords.create_role('many');
  else
    ords.create_role('some ' || n);
  end if;
  select name, client_id
    into l_first, l_ids(1) -- two of them
    from user_ords_clients
   where id in (n, n + 1) and q = q'[it's]';
  dbms_output.put_line(l_first || '/' || l_ids(1));
  begin
    select name into l_first from nowhere;
  exception when no_data_found then dbms_output.put_line('none: ' || sqlerrm);
  end;
  insert into log (n, l_name) values (n, upper(l_name));
  update log set n = n + 1, l_name = l_name where n = 3;
  dbms_output.put_line(sql%rowcount || ' rows');
  if sql%found and not (n = 7) then null; end if;
end;
/
