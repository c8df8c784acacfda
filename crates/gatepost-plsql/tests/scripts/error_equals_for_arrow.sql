begin
  ords.create_role(p_role_name = 'shop.reader');
end;
/
