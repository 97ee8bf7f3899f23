"""Files for the hosts that Rota runs on."""
