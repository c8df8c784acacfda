bgin
  ords.create_role('shop.reader');
end;
/
