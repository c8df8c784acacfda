begin
  ords.define_module(
    p_module_name => 'shop.v1'
    p_base_path   => '/shop/');
end;
/
