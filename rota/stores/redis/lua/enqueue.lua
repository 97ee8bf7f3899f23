-- uses: runs line
local accepted = accept(request.runs, tonumber(request.now))
finish()
return packed(accepted)
