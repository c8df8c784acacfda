create table access_log (
  id           integer primary key,
  at_ms        bigint not null,
  request_id   text not null,
  address      text not null,
  method       text not null,
  path         text not null,
  route        text,
  client       text,
  status       integer not null,
  outcome      text not null,
  reason       text not null,
  duration_us  bigint not null
);

create table audit_event (
  id          integer primary key,
  at_ms       bigint not null,
  request_id  text,
  address     text,
  event       text not null,
  outcome     text not null,
  reason      text not null,
  schema      text,
  client      text,
  detail      text
);
