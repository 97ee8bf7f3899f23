-- What became of attempts.

-- Whether an earlier try of the same call has applied this settlement. If not, it comes too late.
local function was_applied(run, settlement)
    local own = run.claimed_at and run.token == settlement.token and run
    local name = key('attempts', run.id)
    local recorded, at = own, nil
    for i, text in ipairs(call('LRANGE', name, 0, -1)) do
        local attempt = cmsgpack.unpack(text)
        if attempt.token == settlement.token then
            recorded, at = attempt, i - 1
            break
        end
    end
    if not recorded then
        return false
    end
    if recorded.outcome == settlement.outcome and recorded.ended_at == settlement.ended_at then
        return true
    end
    if recorded.outcome == 'lost' and settlement.outcome ~= 'lost' then
        recorded.outcome = 'superseded'
        if at then
            call('LSET', name, at, pack(recorded))
        else
            change(run, {outcome = 'superseded'})
        end
    end
    return false
end

-- Apply one settlement, and say whether it is applied now.
local function settle(settlement, now)
    local run = get(settlement.id)
    if not run then
        return false
    end
    local lease_moved = settlement.lease_until and settlement.lease_until ~= run.lease_until
    if run.state ~= 'running' or run.token ~= settlement.token or lease_moved then
        return was_applied(run, settlement)
    end
    local is_final = FINAL[settlement.state]
    local fields = {
        state = settlement.state,
        due_at = is_final and run.due_at or settlement.due_at,
        attempt = settlement.attempt or NONE,
        lost_count = settlement.lost_count or NONE,
        reason = settlement.reason,
        lease_until = NONE,
    }
    local attempt = {
        started_at = settlement.started_at, ended_at = settlement.ended_at, outcome = settlement.outcome,
        error = settlement.error,
    }
    if is_final then
        for _, name in ipairs({'started_at', 'ended_at', 'outcome', 'error'}) do
            fields[name] = attempt[name] or NONE
        end
        fields.result = settlement.result or NONE
        change(run, fields)
        move_progress(run)
        free({run}, now)
    else
        run.started_at, run.error = nil, nil
        append_attempt(run, attempt)
        change(run, without_attempt(fields))
    end
    if settlement.is_expanded then
        expand_round(run.round_id, settlement.expanded)
    end
    if settlement.met then
        count_error(run, settlement)
    end
    return true
end
