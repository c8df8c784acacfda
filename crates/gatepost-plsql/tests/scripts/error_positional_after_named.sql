begin
  oauth.grant_client_role(p_client_name => 'till', 'shop.reader');
end;
/
