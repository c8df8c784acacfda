declare
  l_roles owa.vc_arr;
begin
  l_rols(1) := 'shop.reader';
end;
/
