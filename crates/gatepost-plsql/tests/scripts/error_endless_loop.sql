begin
  begin
    loop
      null;
    end loop;
  exception when others then null;
  end;
end;
/
