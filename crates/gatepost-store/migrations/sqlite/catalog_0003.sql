-- What people do in the console. A sign-in is the digest of a cookie's token, and counts while the user's generation is the
-- one that it was made under. Items are a user's own: what was run and tried, what was saved, which findings are accepted.
create table console_sign_in (
  id               text primary key not null,
  user_id          bigint not null,
  generation       bigint not null,
  made_at_ms       bigint not null,
  seen_at_ms       bigint not null,
  expires_at_ms    bigint not null,
  confirmed_at_ms  bigint not null,
  address          text not null,
  user_agent       text not null
);
create index console_sign_in_by_user on console_sign_in (user_id);
create index console_sign_in_by_expiry on console_sign_in (expires_at_ms);

create table console_item (
  id         bigint primary key not null,
  user_id    bigint not null,
  schema_id  bigint not null,
  kind       text not null,
  name       text not null,
  at_ms      bigint not null,
  body       text not null
);
create index console_item_by_user on console_item (user_id, kind, at_ms);
