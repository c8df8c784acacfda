--liquibase formatted sql
--changeset shop:1
set define off
set serveroutput on size unlimited
prompt -- it's the orders service
rem nothing "here
REMARK don't
whenever sqlerror exit failure rollback
column name -
  format a30
spool load.log
@other.sql
begin null; end;
/
show errors
select name from user_ords_clients;
create or replace procedure shop_p as
begin
  null;
end;
/
create trigger stamp after insert on items begin
  update items set at = case when at is null then 1 else at end where id = new.id;
end;
insert into items values ('a;b');
ROLLBACK;
exit
