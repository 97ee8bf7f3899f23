"""Applications that use Rota, small enough to be read."""
