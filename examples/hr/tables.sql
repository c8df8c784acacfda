-- The sample tables: departments and employees.
create table if not exists dept (
  deptno integer primary key,
  dname  varchar(14) not null,
  loc    varchar(13)
);

create table if not exists emp (
  empno    integer primary key,
  ename    varchar(10) not null,
  job      varchar(9),
  mgr      integer references emp (empno),
  hiredate date,
  sal      numeric(7,2) check (sal >= 0),
  comm     numeric(7,2),
  deptno   integer references dept (deptno)
);
