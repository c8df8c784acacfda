-- The services that most tests call: every source type once. The same text on both databases.
begin
  ords.define_module(p_module_name => 'shop', p_base_path => '/shop/', p_items_per_page => 2);

  ords.define_template('shop', 'items/');
  ords.define_handler('shop', 'items/', 'GET', ords.source_type_collection_feed,
    'select id as "$.id", id, name, price from item order by id');
  ords.define_handler('shop', 'items/', 'POST', ords.source_type_plsql, q'[
    begin
      insert into item (name, price, parent) values (:name, :price, :parent) returning id into :new_id;
      :status_code := 201;
      :forward_location := :new_id;
    end;]', p_mimes_allowed => 'application/json');
  ords.define_template('shop', 'items/:id');
  ords.define_handler('shop', 'items/:id', 'GET', ords.source_type_collection_item,
    'select id, name, price, parent from item where id = :id');
  ords.define_handler('shop', 'items/:id', 'PUT', ords.source_type_plsql,
    'begin update item set name = :name, price = :price where id = :id; end;');
  ords.define_handler('shop', 'items/:id', 'PATCH', ords.source_type_plsql,
    'update item set price = :price where id = :id returning id, price');
  ords.define_handler('shop', 'items/:id', 'DELETE', ords.source_type_plsql, 'delete from item where id = :id');

  ords.define_template('shop', 'all/');
  ords.define_handler('shop', 'all/', 'GET', ords.source_type_collection_feed,
    'select id, name from item order by id', 0);
  ords.define_template('shop', 'exact/');
  ords.define_handler('shop', 'exact/', 'GET', ords.source_type_collection_feed,
    'select id, big, ratio, digits, flag, day, at, doc, raw from exact order by id', 0);
  ords.define_template('shop', 'search/');
  ords.define_handler('shop', 'search/', 'GET', ords.source_type_collection_feed, q'[
    select id, name, :word as word from item
     where (:word is null or name like '%' || :word || '%') and id >= coalesce(:least, 0) order by id]', 25);
  ords.define_parameter('shop', 'search/', 'GET', 'min', 'least', 'URI', 'INT');
  ords.define_template('shop', 'one/:id');
  ords.define_handler('shop', 'one/:id', 'GET', ords.source_type_query_one_row,
    'select id, name, price from item where id = :id');
  ords.define_template('shop', 'query/');
  ords.define_handler('shop', 'query/', 'GET', ords.source_type_query, 'select id, name from item order by id');
  ords.define_template('shop', 'feed/');
  ords.define_handler('shop', 'feed/', 'GET', ords.source_type_feed, 'select id, name from item order by id');
  ords.define_template('shop', 'csv');
  ords.define_handler('shop', 'csv', 'GET', ords.source_type_csv_query,
    'select id, name, price from item order by id');
  ords.define_template('shop', 'photo/:id');
  ords.define_handler('shop', 'photo/:id', 'GET', ords.source_type_media,
    q'[select 'image/png', photo from item where id = :id]');
  ords.define_template('shop', 'page');
  ords.define_handler('shop', 'page', 'GET', ords.source_type_media,
    q'[select 'text/html', '<script>alert(1)</script>']');

  ords.define_template('shop', 'notes');
  ords.define_handler('shop', 'notes', 'GET', ords.source_type_collection_feed, 'select id, text from note order by id', 0);
  ords.define_handler('shop', 'notes', 'POST', ords.source_type_plsql, 'insert into note (text) values (:text)');
  ords.define_handler('shop', 'notes', 'DELETE', ords.source_type_plsql, 'delete from note');
  ords.define_template('shop', 'body');
  ords.define_handler('shop', 'body', 'POST', ords.source_type_plsql, q'[
    begin
      :kind := :content_type;
      :text := :body_text;
      :text := coalesce(:text, '') || '|' || coalesce(:stolen, 'not bound');
    end;]');
  ords.define_parameter('shop', 'body', 'POST', 'kind', 'kind', 'RESPONSE', 'STRING', 'OUT');
  ords.define_parameter('shop', 'body', 'POST', 'text', 'text', 'RESPONSE', 'STRING', 'OUT');
  ords.define_template('shop', 'sum');
  ords.define_handler('shop', 'sum', 'POST', ords.source_type_plsql,
    q'[begin :total := :a + :b; :note := 'of two'; :trace := :trace || '!'; end;]');
  ords.define_parameter('shop', 'sum', 'POST', 'total', 'total', 'RESPONSE', 'LONG', 'OUT');
  ords.define_parameter('shop', 'sum', 'POST', 'note', 'note', 'RESPONSE', 'STRING', 'OUT');
  ords.define_parameter('shop', 'sum', 'POST', 'X-Trace', 'trace', 'HEADER', 'STRING', 'INOUT');
  ords.define_parameter('shop', 'sum', 'POST', 'a', 'a', 'URI', 'LONG');
  ords.define_template('shop', 'status/:code');
  ords.define_handler('shop', 'status/:code', 'POST', ords.source_type_plsql, 'begin :status_code := :code; end;');
  ords.define_template('shop', 'forward');
  ords.define_handler('shop', 'forward', 'POST', ords.source_type_plsql,
    'begin :status_code := 201; :forward_location := :to; end;');
  ords.define_template('shop', 'whoami');
  ords.define_handler('shop', 'whoami', 'GET', ords.source_type_query_one_row,
    'select :current_user as who, :CURRENT_USER as again, :Content_Type as kind');
  ords.define_handler('shop', 'whoami', 'POST', ords.source_type_plsql, 'begin :who := :current_user; end;');
  ords.define_parameter('shop', 'whoami', 'POST', 'who', 'who', 'RESPONSE', 'STRING', 'OUT');
  ords.define_template('shop', 'trace');
  ords.define_handler('shop', 'trace', 'GET', ords.source_type_query_one_row, 'select :trace as trace');
  ords.define_parameter('shop', 'trace', 'GET', 'X-Trace', 'trace', 'HEADER');
  ords.define_template('shop', 'tagged/:id', p_etag_type => 'QUERY', p_etag_query => 'select price from item where id = :id');
  ords.define_handler('shop', 'tagged/:id', 'GET', ords.source_type_query_one_row, 'select name, random() as noise from item where id = :id');
  ords.define_template('shop', 'untagged', p_etag_type => 'NONE');
  ords.define_handler('shop', 'untagged', 'GET', ords.source_type_query_one_row, 'select 1 as one');

  ords.define_template('shop', 'logic');
  ords.define_handler('shop', 'logic', 'POST', ords.source_type_plsql,
    'begin if 1 = 1 then insert into note (text) values (:text); end if; end;');
  ords.define_template('shop', 'sneaky/plsql');
  ords.define_handler('shop', 'sneaky/plsql', 'GET', ords.source_type_plsql, q'[insert into note (text) values ('x')]');
  ords.define_template('shop', 'sneaky/block');
  ords.define_handler('shop', 'sneaky/block', 'GET', ords.source_type_plsql, q'[begin insert into note (text) values ('x'); end;]');
  ords.define_template('shop', 'sneaky/feed');
  ords.define_handler('shop', 'sneaky/feed', 'GET', ords.source_type_collection_feed, q'[insert into note (text) values ('x') returning id]');
  ords.define_template('shop', 'sneaky/one');
  ords.define_handler('shop', 'sneaky/one', 'GET', ords.source_type_query_one_row, q'[with a as (select 'x' as t) insert into note (text) select t from a returning id]');
  ords.define_template('shop', 'broken');
  ords.define_handler('shop', 'broken', 'GET', ords.source_type_collection_feed, 'select secret_column from secret_table');
  ords.define_template('shop', 'fails');
  ords.define_handler('shop', 'fails', 'GET', ords.source_type_query_one_row, 'select a from failing');

  ords.define_template('shop', 'endless');
  ords.define_handler('shop', 'endless', 'GET', ords.source_type_query_one_row,
    'with recursive n (i) as (select 1 union all select i + 1 from n) select count(*) as n from n');
  ords.define_handler('shop', 'endless', 'POST', ords.source_type_plsql,
    'insert into note (text) with recursive n (i) as (select 1 union all select i + 1 from n) select count(*) from n');
  ords.define_template('shop', 'many/:count');
  ords.define_handler('shop', 'many/:count', 'GET', ords.source_type_collection_feed,
    q'[with recursive n (i) as (select 1 union all select i + 1 from n where i < :count) select i as id, 'row number ' || i as text from n]', 0);
  ords.define_template('shop', 'cut');
  ords.define_handler('shop', 'cut', 'GET', ords.source_type_collection_feed,
    q'[with recursive n (i) as (select 1 union all select i + 1 from n where i < 100000)
       select i as id, 'row number ' || i as text, abs(-9223372036854685808 - i) as fails from n]', 0);

  ords.define_module(p_module_name => 'open', p_base_path => '/open/');
  ords.define_template('open', 'names');
  ords.define_handler('open', 'names', 'GET', ords.source_type_collection_feed, 'select name from item order by id', 0);
  ords.define_handler('open', 'names', 'POST', ords.source_type_plsql, q'[insert into note (text) values ('from outside')]');
  ords.set_module_origins_allowed('open', 'https://app.example, http://localhost:3000');
  gatepost.allow_public('/open/*');
  commit;
end;
/
declare
  l_roles owa.vc_arr; l_patterns owa.vc_arr; l_modules owa.vc_arr;
begin
  ords.create_role('shop_user');
  l_roles(1) := 'shop_user';
  l_modules(1) := 'shop';
  ords.define_privilege('shop.use', l_roles, l_patterns, l_modules, 'Shop', 'Use the shop');
  oauth.create_client('shop_app', 'client_credentials', p_owner => 'HR', p_description => 'The shop', p_support_email => 'shop@example.com', p_privilege_names => 'shop.use');
  oauth.grant_client_role('shop_app', 'shop_user');
  oauth.create_client('no_role', 'client_credentials', p_owner => 'HR', p_description => 'Nothing', p_support_email => 'shop@example.com', p_privilege_names => '');
  commit;
end;
/
