local stored = call('HGET', key('controls'), request.name)
if (stored and cmsgpack.unpack(stored).version or nil) ~= request.expected_version then
    return 0
end
call('HSET', key('controls'), request.name, pack(request.control))
tell(request.audit)
return 1
