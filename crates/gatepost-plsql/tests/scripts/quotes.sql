begin
  ords.define_handler(
    p_module_name => q'[it's]',
    p_pattern     => Q'{a}b}',
    p_method      => nq'!GET!',
    p_source_type => ords.source_type_collection_feed,
    p_source      => q'~select name, '/' as slash
/* ; */ from items where id = :id and note = 'it''s' -- end;
~',
    p_items_per_page => 25,
    p_comments    => N'one' || chr(10) || 'two' || 'it''s' || '' || null || 1.50);
end;
/
