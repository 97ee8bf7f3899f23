"""Rota beside its peers, on the same stores, in one interleaved run."""
