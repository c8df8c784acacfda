-- The key ring, sealed under a wrapping key that is not in the catalog. key_revision counts its changes, and is 0 while the
-- keys are in a key file.
alter table catalog_state add column key_revision bigint not null default 0;

create table key_ring (
  id               bigint primary key check (id = 1),
  revision         bigint not null,
  wrapping_key_id  bigint not null,
  sealed           text not null
);
