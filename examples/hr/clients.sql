BEGIN
OAUTH.create_client (
p_name => 'hr_app'
,p_grant_type => 'client_credentials'
,p_owner => 'HR'
,p_description => 'The intranet reads employees'
,p_support_email => 'hr@example.com'
,p_privilege_names => 'hr.read'
);
OAUTH.grant_client_role (
p_client_name => 'hr_app'
,p_role_name => 'hr_reader'
);
COMMIT;
END;
/

-- A client without the role, to see a 403.
BEGIN
OAUTH.create_client (
p_name => 'limited_app'
,p_grant_type => 'client_credentials'
,p_owner => 'HR'
,p_description => 'Holds no role'
,p_support_email => 'hr@example.com'
,p_privilege_names => ''
);
COMMIT;
END;
/
