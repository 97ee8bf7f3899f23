-- uses: records runs line rounds schedules
local fired, now = {}, request.now
for _, firing in ipairs(request.firings) do
    local given = new_runs(firing.runs)
    local schedule = get_schedule(firing.schedule)
    if schedule and schedule.version == firing.version and schedule.cursor == firing.after then
        schedule.cursor, schedule.next_at = firing.cursor, firing.next_at
        if #given > 0 then
            schedule.last_run_at = now
        end
        put_schedule(firing.schedule, schedule)
        for _, round in ipairs(firing.rounds) do
            add_round(round)
        end
        accept(given, now)
        fired[#fired + 1] = firing.schedule
    end
end
finish()
return packed(fired)
