create table sync_run (
  id           integer primary key,
  at_ms        bigint not null,
  schema       text not null,
  source       text not null,
  target       text not null,
  trigger_kind text not null,
  holder       text not null,
  outcome      text not null,
  code         text,
  message      text,
  duration_ms  bigint,
  resumed_at   bigint,
  fetched      bigint not null,
  inserted     bigint not null,
  updated      bigint not null,
  deleted      bigint not null,
  mismatches   bigint not null,
  requests     bigint not null,
  bytes        bigint not null
);

create index sync_run_source on sync_run (schema, source, id);
