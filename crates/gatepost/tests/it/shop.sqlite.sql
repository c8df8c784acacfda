-- The shop's tables in SQLite. Values that are easily got wrong, the same ones as in `shop.postgres.sql` where both have them.
create table item (
  id     integer primary key,
  name   varchar(40) not null unique,
  price  numeric(9,2) check (price >= 0),
  parent integer references item (id),
  photo  blob
);
insert into item (id, name, price, parent, photo) values
  (1, 'anvil', 120.5, null, x'89504e470d0a1a0a00ff'),
  (2, 'bolt "M8", steel', 0.1, 1, null),
  (3, 'crate <b>&amp;</b>', 99, 1, null),
  (4, 'drill', null, null, null),
  (5, 'écrou ☃', 0.07, 2, null);
create table exact (
  id integer primary key, big integer, ratio real, digits text, flag boolean, day date, at timestamp, doc json, raw blob
);
insert into exact (id, big, ratio, digits, flag, day, at, doc, raw) values
  (1, 9007199254740993, 0.1, '12345678901234567890', true, '2024-02-29', '2024-05-01 09:30:00', '{"a":[1,2.50]}', x'00ff10'),
  (2, -9223372036854775808, 1e300, '0.10000000000000000001', false, null, '2024-05-01 09:30:00.002', 'no json', x''),
  (3, 9223372036854775807, -1.5, '007', null, '1999-12-31', null, null, null);
create table note (id integer primary key, text text);
-- What fails while it runs, on a text that nobody may see.
create view failing as select json_extract('secret value{', '$.a') as a;
