prompt the construct is named, and nothing has run
declare
  procedure define(p_name varchar2) is
  begin
    ords.create_role(p_name);
  end define;
begin
  define('a');
end;
/
begin
  execute immediate 'drop table items';
end;
/
begin
  open c;
end;
/
declare type t is table of varchar2(10); begin null; end;
/
begin
  create table t (id number);
end;
/
