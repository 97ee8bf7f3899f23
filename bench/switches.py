"""Have runs of many tenants alternate in threads, coroutines and child processes, with failures, time-outs and cancels,
and count what anybody saw of another one (must be nothing).

python -m bench.switches --runs 100000
"""

import argparse
import sys
import tempfile
from pathlib import Path

from tests.tenants.switching import switch


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=100_000)
    parser.add_argument("--tenants", type=int, default=7)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--minutes", type=float, default=30)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        told = switch(
            Path(directory), args.runs, seed=args.seed, tenants=args.tenants, timeout=60 * args.minutes, wave=5000
        )
    print(f"{told.switches:,} switches over {args.tenants} tenants in {told.seconds:.0f} s, seed {args.seed}")
    for title, counts in (("jobs", told.by_job), ("states", told.states), ("last outcomes", told.outcomes)):
        print(f"{title}: " + ", ".join(f"{number:,} {name or 'not begun'}" for name, number in counts.most_common()))
    print(f"foreign: {len(told.foreign)}")
    for line in told.foreign[:20]:
        print(f"  {line}")
    return 1 if told.foreign else 0


if __name__ == "__main__":
    sys.exit(main())
