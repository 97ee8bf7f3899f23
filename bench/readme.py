"""The figures of the table in the README, in about ten minutes on a machine that does nothing else.

python -m bench.readme
"""

import subprocess
import sys
import time
from collections.abc import Iterator

SQL = ("sqlite", "postgres", "mariadb")
STORES = (*SQL, "redis")
ROUNDS = 2
"""Of what others on the machine disturb most: each store in turn, so that a slow minute is everybody's."""


def measures() -> Iterator[list[str]]:
    """Yield modules with their words, the most wanted first."""
    for _ in range(ROUNDS):
        for store in STORES:
            yield ["bench.drain", store, "--processes", "2"]
    for store in STORES:
        yield ["bench.pickup", store, "--runs", "150", "--idle", "15"]
    for store in SQL:
        yield ["bench.slots", store]
    for store in SQL:
        yield ["bench.fairness", store, "--seconds", "6"]
    for store in SQL:
        yield ["bench.store", "--store", store, "--future", "1000000"]


def main() -> None:
    began = time.monotonic()
    for measure in measures():
        print(f"\n== {' '.join(measure)} (after {time.monotonic() - began:.0f} s)", flush=True)
        # One that fails does not take the others with it.
        if subprocess.run([sys.executable, "-m", *measure], check=False).returncode:
            print(f"{measure[0]} came to no figure", flush=True)


if __name__ == "__main__":
    main()
