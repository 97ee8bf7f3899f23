"""No models: Rota's tables are its own. Django tells only an app that has this module when a migration is over."""
