-- uses: records runs line
local ids = call('ZRANGEBYSCORE', key('expiring'), '-inf', request.now, 'LIMIT', 0, request.limit)
if #ids == 0 then
    return packed({})
end
begin_small()
local late = named(ids)
for _, run in ipairs(late) do
    change(run, ended('skipped', request.reason, request.now))
end
-- After the last one: a run of the same key that is skipped too must not go on in between.
free(late, request.now)
finish()
return packed(ids_of(late))
