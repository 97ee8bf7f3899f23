"""What `import rota` and `rota --help` cost beside a bare interpreter."""

import subprocess
import sys
from statistics import median
from time import perf_counter

ROUNDS = 9


def took(*words: str) -> float:
    """Return the seconds of one run."""
    started = perf_counter()
    subprocess.run([sys.executable, *words], check=True, stdout=subprocess.DEVNULL)
    return perf_counter() - started


def main() -> None:
    cases = {"bare": ("-c", "pass"), "import rota": ("-c", "import rota"), "rota --help": ("-m", "rota", "--help")}
    # In turn, so that all of them see the same machine.
    times: dict[str, list[float]] = {name: [] for name in cases}
    for _ in range(ROUNDS):
        for name, words in cases.items():
            times[name].append(took(*words))
    bare = median(times["bare"])
    for name, found in times.items():
        print(f"{name}: median {median(found) * 1000:.0f} ms, {median(found) / bare:.1f} x a bare interpreter")


if __name__ == "__main__":
    main()
