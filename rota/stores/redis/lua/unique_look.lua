-- uses: records runs
-- Of each name: to what it was given last, and how that run stands now. And which of these runs are known.
local parts, known = {}, {}
for i, text in ipairs(values_of('HMGET', key('uniques'), request.names)) do
    local given = text and cmsgpack.unpack(text)
    local run = given and get(given.run_id)
    parts[i] = given and array({text, pack(run and run.state or false), pack(run and run.attempt or 0)}) or pack(nil)
end
for _, run in ipairs(named(request.ids)) do
    known[#known + 1] = run.id
end
return array({array(parts), packed(known)})
