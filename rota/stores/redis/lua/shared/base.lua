-- What every script begins with: the request, the keys, and writes that are collected and sent in bulk.
--
-- KEYS[1] is the prefix of all keys, `{rota}:`; its hash tag keeps them on one node of a cluster, so that a script may
-- put the others together from it. ARGV[1] is the request as msgpack; the answer is msgpack too.
--
-- Numbers are doubles here. Instants are microseconds and exact until the year 2255; one beyond comes as text, goes
-- back as it came, and is compared as a number near enough. Ids are text.

local PREFIX = KEYS[1]
local request = cmsgpack.unpack(ARGV[1])
local call, pack = redis.call, cmsgpack.pack

-- unpack() takes 8,000 values at most, and a command takes two for each member.
local CHUNK = 3000

-- In `change`: take this field away.
local NONE = {}

local function key(name, of)
    return of and PREFIX .. name .. ':' .. of or PREFIX .. name
end

-- Return two texts as one that no two others give: names may hold any character.
local function pair(first, second)
    return struct.pack('>I4', #first) .. first .. second
end

-- Redis refuses the first write of a script that could take memory when there is none, and none after it: a script
-- is whole or not at all. What workers need to end their work begins with a write that takes none (C17).
local function begin_small()
    call('ZREM', key('leases'), '')
end

-- Call a command with a key and any number of values, in parts. `per` values belong together.
local function in_parts(command, name, values, per)
    local step = CHUNK * per
    for first = 1, #values, step do
        call(command, name, unpack(values, first, math.min(first + step - 1, #values)))
    end
end

-- Return an instant as the score of a member. As text: to write a number as text costs the server more than all else
-- that it does with it, and a batch has one.
local function score_of(instant)
    return type(instant) == 'string' and instant or string.format('%.17g', instant)
end

local function values_of(command, name, fields)
    local answer = {}
    for first = 1, #fields, CHUNK do
        for _, value in ipairs(call(command, name, unpack(fields, first, math.min(first + CHUNK - 1, #fields)))) do
            answer[#answer + 1] = value
        end
    end
    return answer
end

-- Return what is written next to the wire as an array, its parts packed already.
local function array(parts)
    local n = #parts
    local head = n < 16 and string.char(0x90 + n) or n < 65536 and '\220' .. struct.pack('>I2', n)
        or '\221' .. struct.pack('>I4', n)
    return head .. table.concat(parts)
end

local function packed(values)
    local parts = {}
    for i, value in ipairs(values) do
        parts[i] = pack(value)
    end
    return array(parts)
end

local function as_set(values)
    local set = {}
    for _, value in ipairs(values or {}) do
        set[value] = true
    end
    return set
end

-- Writes that wait: per key the members to add and to take away, or the counters to move.
local waiting_writes = {}

local function writes(name, kind)
    local found = waiting_writes[name]
    if not found then
        found = {kind = kind, set = {}, gone = {}}
        waiting_writes[name] = found
    end
    return found
end

local function add_to(name, kind, member, value)
    local found = writes(name, kind)
    found.set[member], found.gone[member] = value, nil
end

local function take_from(name, kind, member)
    local found = writes(name, kind)
    found.set[member], found.gone[member] = nil, true
end

local function zadd(name, score, member) add_to(name, 'Z', member, score) end
local function zrem(name, _, member) take_from(name, 'Z', member) end
local function sadd(name, member) add_to(name, 'S', member, true) end
local function srem(name, member) take_from(name, 'S', member) end
local function hset(name, field, value) add_to(name, 'H', field, value) end
local function hdel(name, field) take_from(name, 'H', field) end

local function count(name, field, by)
    local found = writes(name, 'C')
    found.set[field] = (found.set[field] or 0) + by
end

local ADD = {Z = 'ZADD', S = 'SADD', H = 'HSET'}
local TAKE = {Z = 'ZREM', S = 'SREM', H = 'HDEL'}

-- The same where nothing is said twice of a member: lists, which cost a third.
local listed = {}

local function list_of(name, command)
    local of_name = listed[name]
    if not of_name then
        of_name = {}
        listed[name] = of_name
    end
    local list = of_name[command]
    if not list then
        list = {}
        of_name[command] = list
    end
    return list
end

local PER = {ZADD = 2, HSET = 2, ZREM = 1, HDEL = 1}

local function flush_lists(name)
    local of_name = listed[name]
    if of_name then
        listed[name] = nil
        for command, list in pairs(of_name) do
            in_parts(command, name, list, PER[command])
        end
    end
end

-- Send what waits for a key. Whoever reads a key that may have writes waiting flushes it first.
local function flush(name)
    flush_lists(name)
    local found = waiting_writes[name]
    if not found then
        return name
    end
    waiting_writes[name] = nil
    if found.kind == 'C' then
        for field, by in pairs(found.set) do
            -- A counter at nothing goes, and the key with its last counter.
            if by ~= 0 and call('HINCRBY', name, field, by) == 0 then
                call('HDEL', name, field)
            end
        end
        return name
    end
    local gone, set = {}, {}
    for member in pairs(found.gone) do
        gone[#gone + 1] = member
    end
    for member, value in pairs(found.set) do
        if found.kind == 'Z' then
            set[#set + 1], set[#set + 2] = value, member
        elseif found.kind == 'H' then
            set[#set + 1], set[#set + 2] = member, value
        else
            set[#set + 1] = member
        end
    end
    in_parts(TAKE[found.kind], name, gone, 1)
    in_parts(ADD[found.kind], name, set, found.kind == 'S' and 1 or 2)
    return name
end

local function flush_all()
    local names = {}
    for name in pairs(waiting_writes) do
        names[name] = true
    end
    for name in pairs(listed) do
        names[name] = true
    end
    for name in pairs(names) do
        flush(name)
    end
end

-- Keep an entry of the audit, once: the call may be repeated.
local function tell(entry)
    if entry and call('HSETNX', key('audit'), entry.id, entry.text) == 1 then
        call('ZADD', key('audit-ids'), 0, entry.id)
        call('ZADD', key('audit-at'), tonumber(entry.at), entry.id)
    end
end
