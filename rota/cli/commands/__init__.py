"""One file per command: it parses and prints; what it shows comes from `rota.views` or the app."""
