"""A script that publishes many handlers and makes many clients."""

TEMPLATES_OF_MODULE = 50


def script(handlers, clients):
    """Definitions and clients as blocks of the ORDS dialect. Every module has a role and a privilege of its own."""
    blocks = [module(number) for number in range(handlers // TEMPLATES_OF_MODULE)]
    for first in range(0, clients, 500):
        blocks.append(block(client(number) for number in range(first, min(first + 500, clients))))
    return "".join(blocks)


def block(lines):
    return "begin\n" + "\n".join(lines) + "\n  commit;\nend;\n/\n"


def module(number):
    name = f"growth_{number}"
    lines = [f"  ords.define_module(p_module_name => '{name}', p_base_path => '/growth/{number}/');"]
    for template in range(TEMPLATES_OF_MODULE):
        pattern = f"things_{template}/:id"
        lines.append(f"  ords.define_template(p_module_name => '{name}', p_pattern => '{pattern}');")
        lines.append(
            f"  ords.define_handler(p_module_name => '{name}', p_pattern => '{pattern}',\n"
            f"    p_source_type => ords.source_type_collection_item,\n"
            f"    p_source => 'select empno, ename, {template} number from emp where empno = :id');"
        )
    privilege = f"""declare
  l_roles owa.vc_arr; l_patterns owa.vc_arr; l_modules owa.vc_arr;
begin
  ords.create_role(p_role_name => '{name}_reader');
  l_roles(1) := '{name}_reader'; l_modules(1) := '{name}';
  ords.define_privilege(p_privilege_name => '{name}.read', p_roles => l_roles, p_patterns => l_patterns,
    p_modules => l_modules, p_label => '{name}', p_description => 'Read');
  commit;
end;
/
"""
    return block(lines) + privilege


def client(number):
    name = f"growth_{number}"
    return (
        f"  oauth.create_client(p_name => '{name}', p_grant_type => 'client_credentials', p_owner => 'HR',\n"
        f"    p_description => 'One of many', p_support_email => 'hr@example.com', p_privilege_names => 'hr.read');\n"
        f"  oauth.grant_client_role(p_client_name => '{name}', p_role_name => 'hr_reader');"
    )
