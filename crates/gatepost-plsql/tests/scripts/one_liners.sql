EXEC ords.delete_module('shop.v1')
exec ords.create_role(p_role_name => 'shop.reader');
EXECUTE ords.define_module( -
  p_module_name => 'shop.v1', -
  p_base_path => '/shop/')
exec oauth.grant_client_role('till',
  'shop.reader')
commit
