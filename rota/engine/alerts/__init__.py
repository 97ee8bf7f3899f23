"""From what goes wrong to whoever has to know: incidents, kept true to the store, and their deliveries."""
