BEGIN
OAUTH.create_client (
p_name => 'TILL_CLIENT'
,p_grant_type => 'client_credentials'
,p_owner => 'Shop'
,p_description => 'reads the orders'
,p_support_email => 'it@shop.example'
,p_privilege_names => 'shop.read'
);

OAUTH.grant_client_role(
p_client_name => 'TILL_CLIENT'
,p_role_name => 'shop_reader'
);

COMMIT;

END;SELECT * FROM user_ords_clients
