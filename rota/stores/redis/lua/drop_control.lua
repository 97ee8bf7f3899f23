local stored = call('HGET', key('controls'), request.name)
if not stored or cmsgpack.unpack(stored).version ~= request.expected_version then
    return 0
end
call('HDEL', key('controls'), request.name)
tell(request.audit)
return 1
