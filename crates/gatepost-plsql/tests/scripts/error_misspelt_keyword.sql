begin
  ords.delete_role('shop.reader');
exeption when others then
  null;
end;
/
