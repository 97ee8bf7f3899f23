-- Forget whole periods, oldest first, until about `limit` sums are gone; and sources that brought nothing for long.
local deleted = 0
for _, grain in ipairs(request.grains) do
    local name, before = key('rollup-starts', grain[1]), string.format('(%.17g', grain[2])
    while deleted < request.limit do
        local start = call('ZRANGEBYSCORE', name, '-inf', before, 'LIMIT', 0, 1)[1]
        if not start then
            break
        end
        local rollups, measures = key('rollups', grain[1] .. ':' .. start), key('measures', grain[1] .. ':' .. start)
        deleted = deleted + call('HLEN', rollups) + call('HLEN', measures)
        call('ZREM', name, start)
        call('DEL', rollups, measures)
    end
end
local dead = call('ZRANGEBYSCORE', key('rollup-sources-at'), '-inf', string.format('(%.17g', request.sources_before))
in_parts('HDEL', key('rollup-sources'), dead, 1)
in_parts('ZREM', key('rollup-sources-at'), dead, 1)
return deleted
