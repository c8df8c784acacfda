begin
  ords.create_role('shop.reader')   -- no semicolon
  commit;
end;
/
