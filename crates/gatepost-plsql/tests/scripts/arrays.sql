DECLARE
  l_roles    OWA.VC_ARR;
  l_patterns SYS.OWA.VC_ARR;
  l_modules  owa.vc_arr;
  c_prefix   CONSTANT VARCHAR2(20) := 'shop';
  n          PLS_INTEGER := 0;
BEGIN
  l_roles(1)     := c_prefix || '.reader';
  n := n + 1;
  l_patterns(n)  := '/' || lower('SHOP') || '/*';
  l_patterns(n + 1) := '/till/*';
  ORDS_METADATA.ORDS.define_privilege(
    p_privilege_name => c_prefix || '.read',
    p_roles          => l_roles,
    p_patterns       => l_patterns,
    p_modules        => l_modules,
    p_label          => 'Shop of ' || user || ' ' || sys_context('USERENV', 'CURRENT_USER'),
    p_description    => replace('read it', 'it', 'the shop'),
    p_comments       => '',
  );
  l_roles.DELETE;
  dbms_output.put('roles left: ');
  dbms_output.put_line(l_roles.count);
  dbms_output.put_line('patterns: ' || l_patterns.count || ', last ' || l_patterns(l_patterns.last));
  l_patterns.delete(1);
  ords.define_privilege('other', l_roles, l_patterns, p_label => null);
END;
/
