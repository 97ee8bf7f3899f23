"""An environment of its own for each peer: never a dependency of Rota."""

import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

from bench.peers.contenders import PACKAGES

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / ".bench-venvs"


def programs(peer: str) -> Path:
    """Return where the programs of a peer are, installing it if need be."""
    if peer == "rota":
        return Path(sys.executable).parent
    folder = FOLDER / peer
    done = folder / "installed"
    wanted = " ".join(PACKAGES[peer])
    if not done.exists() or done.read_text() != wanted:
        print(f"installing {peer} into {folder.relative_to(ROOT)}", file=sys.stderr, flush=True)
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(folder)], check=True)
        subprocess.run([str(folder / "bin" / "pip"), "install", "--quiet", "--quiet", *PACKAGES[peer]], check=True)
        done.write_text(wanted)
    return folder / "bin"


def versions(peers: Iterable[str]) -> dict[str, str]:
    """Return the version of each peer that was measured."""
    found = {}
    for peer in peers:
        code = f"from importlib.metadata import version; print(version({peer!r}))"
        done = subprocess.run(
            [str(programs(peer) / "python"), "-c", code], capture_output=True, text=True, check=True, cwd=FOLDER.parent
        )
        found[peer] = done.stdout.strip()
    return found
