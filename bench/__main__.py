"""All figures, one after another: `make bench`. Each is a ratio to plain driver work, or to a bare interpreter, of the
same run: absolute figures drift from machine to machine."""

import subprocess
import sys

STORES = ("sqlite", "postgres", "mariadb")


def main() -> None:
    stores = sys.argv[1:] or list(STORES)
    run("bench.imports")
    run("bench.children")
    for store in stores:
        run("bench.store", "--store", store)
        run("bench.drain", store)
        run("bench.slots", store)
        run("bench.coroutines", store)
        run("bench.schedules", store)
        run("bench.rounds", store)
        run("bench.tenants", store)
        run("bench.fairness", store)


def run(module: str, *words: str) -> None:
    print(f"\n== {module} {' '.join(words)}", flush=True)
    subprocess.run([sys.executable, "-m", module, *words], check=True)


if __name__ == "__main__":
    main()
