-- uses: records runs line
begin_small()
local stopped = stop(named(request.ids), request.reason, request.now)
-- After the last one: a run of the same key that is cancelled too must not go on in between.
free(stopped, request.now)
if #stopped > 0 then
    tell(request.audit)
end
finish()
return packed(ids_of(stopped))
