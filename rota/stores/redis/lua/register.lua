-- With no memory left a worker must begin nevertheless: it is what takes work away.
begin_small()
call('HSET', key('workers'), request.id, pack(request.beat))
return 0
