-- Whose requests they are, and what they add up to. Totals are written in the transaction of the requests they count, so
-- that figures over a long range need no look at the requests themselves. '' stands for no schema, client or route.
alter table access_log add column schema text;
create index access_log_reference on access_log (request_id) where status >= 400;

create table client_total (
  quarter      bigint not null,
  schema       text not null,
  client       text not null,
  status       integer not null,
  requests     bigint not null,
  duration_us  bigint not null,
  last_ms      bigint not null,
  tokens       bigint not null,
  durations    text not null,
  primary key (quarter, schema, client, status)
) without rowid;

create table route_total (
  schema       text not null,
  route        text not null,
  day          bigint not null,
  status       integer not null,
  requests     bigint not null,
  duration_us  bigint not null,
  last_ms      bigint not null,
  durations    text not null,
  primary key (schema, route, day, status)
) without rowid;
create index route_total_by_day on route_total (day);

-- When a client last got in and last got a token. Not pruned by age: it answers since when a client is not in use.
create table client_seen (
  schema         text not null,
  client         text not null,
  last_call_ms   bigint not null,
  last_token_ms  bigint not null,
  primary key (schema, client)
) without rowid;

create table log_state (
  id        integer primary key check (id = 1),
  since_ms  bigint not null
);

insert into client_total
  select at_ms / 900000, '', coalesce(client, ''), status, count(*), sum(duration_us), max(at_ms), 0, ''
  from access_log group by 1, 3, 4;
insert into route_total
  select '', coalesce(route, ''), at_ms / 86400000, status, count(*), sum(duration_us), max(at_ms), ''
  from access_log group by 2, 3, 4;
