-- uses: schedules
local names = call('ZRANGEBYSCORE', DUE, '-inf', request.now, 'LIMIT', 0, request.limit)
return array(values_of('HMGET', SCHEDULES, names))
