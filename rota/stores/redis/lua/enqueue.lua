-- uses: records runs line
local accepted = accept(new_runs(request.runs), tonumber(request.now))
finish()
return packed(accepted)
