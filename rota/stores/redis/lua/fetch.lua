-- Return the runs with these ids as they are written, those left out that are not there, and not open if only open
-- ones are asked for.
local parts, missing = {}, {}
for i, text in ipairs(values_of('HMGET', key('open'), request.ids)) do
    if text then
        parts[#parts + 1] = text
    else
        missing[#missing + 1] = request.ids[i]
    end
end
if not request.is_open then
    for _, text in ipairs(values_of('HMGET', key('ended'), missing)) do
        if text then
            parts[#parts + 1] = text
        end
    end
end
return array(parts)
