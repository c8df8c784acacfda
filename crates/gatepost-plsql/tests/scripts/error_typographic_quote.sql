begin
  ords.create_role(‘shop.reader’);
end;
/
