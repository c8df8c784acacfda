-- The catalog. Objects are kept as whole documents, one row each: a module with its templates, handlers and
-- parameters is one row, because scripts replace it as one. A deleted object keeps its row without name and body,
-- so that its id is never used again. The tables are those of SQLite, with the types of PostgreSQL.
create table catalog_state (
  id               bigint primary key check (id = 1),
  revision         bigint not null,
  revocations      bigint not null,
  next_id          bigint not null,
  key_fingerprint  text not null,
  created_at_ms    bigint not null
);

create table catalog_object (
  id         bigint primary key not null,
  schema_id  bigint not null,
  kind       text not null,
  name       text,
  revision   bigint not null,
  body       text,
  unique (schema_id, kind, name)
);
create index catalog_object_by_revision on catalog_object (revision);

create table revoked_token (
  token_id       text primary key not null,
  client_id      bigint not null,
  expires_at_ms  bigint not null,
  revision       bigint not null
);
create index revoked_token_by_revision on revoked_token (revision);
create index revoked_token_by_expiry on revoked_token (expires_at_ms);

create table history (
  revision       bigint not null,
  object_id      bigint not null,
  schema_id      bigint not null,
  kind           text not null,
  name           text not null,
  action         text not null,
  author         text not null,
  source         text not null,
  changed_at_ms  bigint not null,
  body           text,
  primary key (revision, object_id)
);
create index history_by_object on history (object_id, revision);
