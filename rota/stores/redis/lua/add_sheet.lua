-- Add a sheet to the sums, once. A sum is a text of numbers: those that are added up, and at its end two of which the
-- larger counts.
local MOSTS = 2

local known = tonumber(call('HGET', key('rollup-sources'), request.source) or 0)
if request.number <= known then
    return 0
end
call('HSET', key('rollup-sources'), request.source, request.number)
call('ZADD', key('rollup-sources-at'), request.now, request.source)

local function whole(numbers)
    for i, number in ipairs(numbers) do
        numbers[i] = string.format('%.0f', number)
    end
    return table.concat(numbers, ' ')
end

local function add_rollup(name, field, numbers)
    local stored = call('HGET', name, field)
    if stored then
        local i = 0
        for number in string.gmatch(stored, '%S+') do
            i = i + 1
            local is_most = i > #numbers - MOSTS
            numbers[i] = is_most and math.max(numbers[i], tonumber(number)) or numbers[i] + tonumber(number)
        end
    end
    call('HSET', name, field, whole(numbers))
end

-- A measure: how often, the total, the least, the most.
local function add_measure(name, field, told)
    local stored = call('HGET', name, field)
    if stored then
        local number, total, least, most = string.match(stored, '(%S+) (%S+) (%S+) (%S+)')
        told[1], told[2] = told[1] + tonumber(number), told[2] + tonumber(total)
        told[3], told[4] = math.min(told[3], tonumber(least)), math.max(told[4], tonumber(most))
    end
    call('HSET', name, field, string.format('%.0f %.17g %.17g %.17g', told[1], told[2], told[3], told[4]))
end

for _, period in ipairs(request.periods) do
    local suffix = period.grain .. ':' .. period.start
    call('ZADD', key('rollup-starts', period.grain), tonumber(period.start), period.start)
    for _, rollup in ipairs(period.rollups) do
        add_rollup(key('rollups', suffix), rollup[1], rollup[2])
    end
    for _, measure in ipairs(period.measures) do
        add_measure(key('measures', suffix), measure[1], measure[2])
    end
end
return 1
