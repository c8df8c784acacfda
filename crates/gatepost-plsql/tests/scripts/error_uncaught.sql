begin
  raise_application_error(-20001, 'the shop is ' || 'closed');
end;
/
