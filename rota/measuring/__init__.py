"""How fast it is here: what `rota bench` measures, and the benchmarks of the house with it."""
