"""Read models: what pages, commands and the API show of an app, as plain values."""
