-- The sample API: one module that is locked, one that is public.
begin
  ords.enable_schema(p_url_mapping_pattern => 'hr');

  ords.define_module(
    p_module_name    => 'hr',
    p_base_path      => '/hr/',
    p_items_per_page => 25,
    p_comments       => 'Employees and departments');

  ords.define_template(p_module_name => 'hr', p_pattern => 'employees/');
  ords.define_handler(
    p_module_name => 'hr',
    p_pattern     => 'employees/',
    p_method      => 'GET',
    p_source_type => ords.source_type_collection_feed,
    p_source      => 'select empno as "$.id", empno, ename, job, mgr, hiredate, sal, comm, deptno
                        from emp
                       where (:deptno is null or deptno = :deptno)
                       order by empno');
  ords.define_handler(
    p_module_name   => 'hr',
    p_pattern       => 'employees/',
    p_method        => 'POST',
    p_source_type   => ords.source_type_plsql,
    p_mimes_allowed => 'application/json',
    p_source        => 'begin
                          insert into emp (ename, job, mgr, hiredate, sal, comm, deptno)
                          values (:ename, :job, :mgr, :hiredate, :sal, :comm, :deptno)
                          returning empno into :empno;
                          :status_code := 201;
                          :forward_location := :empno;
                        end;');

  ords.define_template(p_module_name => 'hr', p_pattern => 'employees/:id');
  ords.define_handler(
    p_module_name => 'hr',
    p_pattern     => 'employees/:id',
    p_method      => 'GET',
    p_source_type => ords.source_type_collection_item,
    p_source      => 'select empno, ename, job, mgr, hiredate, sal, comm, deptno from emp where empno = :id');
  ords.define_handler(
    p_module_name   => 'hr',
    p_pattern       => 'employees/:id',
    p_method        => 'PUT',
    p_source_type   => ords.source_type_plsql,
    p_mimes_allowed => 'application/json',
    p_source        => 'update emp
                           set ename = :ename, job = :job, mgr = :mgr, sal = :sal, comm = :comm, deptno = :deptno
                         where empno = :id');
  ords.define_handler(
    p_module_name => 'hr',
    p_pattern     => 'employees/:id',
    p_method      => 'DELETE',
    p_source_type => ords.source_type_plsql,
    p_source      => 'delete from emp where empno = :id');

  ords.define_template(p_module_name => 'hr', p_pattern => 'departments/');
  ords.define_handler(
    p_module_name => 'hr',
    p_pattern     => 'departments/',
    p_source      => 'select deptno, dname, loc from dept order by deptno');

  ords.define_module(p_module_name => 'demo', p_base_path => '/demo/', p_comments => 'Open to everybody');
  ords.define_template(p_module_name => 'demo', p_pattern => 'departments/');
  ords.define_handler(
    p_module_name => 'demo',
    p_pattern     => 'departments/',
    p_source      => 'select dname, loc from dept order by dname');
  gatepost.allow_public(p_pattern => '/demo/*');
  commit;
end;
/

declare
  l_roles    owa.vc_arr;
  l_patterns owa.vc_arr;
  l_modules  owa.vc_arr;
begin
  ords.create_role(p_role_name => 'hr_reader');
  l_roles(1)   := 'hr_reader';
  l_modules(1) := 'hr';
  ords.define_privilege(
    p_privilege_name => 'hr.read',
    p_roles          => l_roles,
    p_patterns       => l_patterns,
    p_modules        => l_modules,
    p_label          => 'HR',
    p_description    => 'Read and change employees');
  commit;
end;
/
