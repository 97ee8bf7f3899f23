"""The image. No engine is at hand: each step of its Dockerfile is done here as an engine would, in a folder that is its
root, with the packages of this environment in place of a registry."""

import json
import os
import shlex
import shutil
import signal
import subprocess
import sysconfig
from collections.abc import Mapping
from pathlib import Path

import pytest
from dockerfile_parse import DockerfileParser

from tests.house.source import ROOT
from tests.system.processes import end, kill_tree, wait_until

APP = """
from rota import Rota
rota = Rota()
@rota.job(schedule="every 1 second")
def beat() -> None: ...
"""


class Image:
    """What comes of the steps so far. Both stages have one root, since what is installed knows its own place."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.folder = root
        self.environment: dict[str, str] = {}
        self.said: dict[str, str] = {}

    def place(self, path: str) -> Path:
        return self.root / path.lstrip("/") if path.startswith("/") else self.folder / path

    def inside(self, text: str) -> str:
        """Return a text with the folders of the image where they are here."""
        return text.replace("/opt/", f"{self.root}/opt/")

    def do(self, instruction: str, value: str) -> None:
        match instruction:
            case "FROM":
                self.environment = {}
            case "WORKDIR":
                self.folder = self.place(value)
                self.folder.mkdir(parents=True, exist_ok=True)
            case "COPY":
                self._copy(shlex.split(value))
            case "ARG" | "ENV":
                for word in shlex.split(value):
                    name, _, said = word.partition("=")
                    self.environment[name] = self.inside(said).replace("$PATH", os.environ["PATH"])
            case "RUN":
                subprocess.run(
                    ["sh", "-euc", self.inside(value)], cwd=self.folder, env=self.here(), check=True, timeout=100
                )
            case _:
                self.said[instruction] = value

    def _copy(self, words: list[str]) -> None:
        *sources, target = words
        if sources[0].startswith("--from="):
            # It is there; nothing else of the stage before is.
            assert self.place(sources[1]) == self.place(target) and self.place(target).is_dir()
            for left in self.root.iterdir():
                if left.name not in Path(target).parts:
                    shutil.rmtree(left)
            return
        for source in sources:
            place = self.place(target) / source if target.endswith("/") else self.place(target)
            if (ROOT / source).is_dir():
                shutil.copytree(ROOT / source, place, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copy(ROOT / source, place)

    def here(self) -> Mapping[str, str]:
        # No registry, and no environment to build in: what both would have is beside this test.
        offline = {
            "PYTHONPATH": sysconfig.get_paths()["purelib"], "PIP_NO_DEPS": "1", "PIP_NO_INDEX": "1",
            "PIP_NO_BUILD_ISOLATION": "0", "PIP_QUIET": "1", "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        }  # fmt: skip
        return {**os.environ, **offline, **self.environment}

    def run(self, words: list[str], **more: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            words, cwd=self.folder, env={**self.here(), **more}, capture_output=True, text=True, timeout=60, check=False
        )


@pytest.fixture
def dockerfile(tmp_path):
    read = DockerfileParser(path=str(tmp_path))
    read.content = (ROOT / "Dockerfile").read_text()
    return [(line["instruction"], line["value"]) for line in read.structure if line["instruction"] != "COMMENT"]


def test_the_image_works_is_well_while_its_workers_are_and_ends_when_it_is_told(dockerfile, tmp_path):  # R45
    image = Image(tmp_path / "root")
    image.root.mkdir()
    for instruction, value in dockerfile:
        image.do(instruction, value)
    entrypoint, command = json.loads(image.said["ENTRYPOINT"]), json.loads(image.said["CMD"])
    health = json.loads(image.said["HEALTHCHECK"].partition(" CMD ")[2])
    (image.folder / "app.py").write_text(APP)
    store = {"ROTA_STORE": f"sqlite:///{tmp_path}/store.db"}

    assert sorted(path.name for path in image.root.iterdir()) == ["app", "opt"]
    # It is what was installed, and not this working copy.
    where = image.run(["python", "-c", "import rota; print(rota.__file__)"]).stdout
    assert where.startswith(f"{image.root}/opt/rota/lib")
    assert image.run(health, **store).returncode == 1
    process = subprocess.Popen([*entrypoint, *command], cwd=image.folder, env={**image.here(), **store})
    try:
        wait_until(lambda: image.run(health, **store).returncode == 0, what="it is well")
        assert end(process, getattr(signal, image.said["STOPSIGNAL"])) == 0
    finally:
        kill_tree(process)
    assert image.run(health, **store).returncode == 1
    # Another command takes the place of its own, and what is written from templates came along.
    assert "daily at" in image.run([*entrypoint, "explain", "daily at 02:00"], **store).stdout
    assert "worker: rota start" in image.run([*entrypoint, "generate", "procfile"], **store).stdout


def test_the_image_needs_no_root_and_nothing_else_of_this_folder(dockerfile):
    said = dict(dockerfile)

    assert said["USER"] == "1000:1000"
    copied = {
        word for name, value in dockerfile if name == "COPY" and "--from" not in value for word in value.split()[:-1]
    }
    ignored = (ROOT / ".dockerignore").read_text().splitlines()
    assert ignored[0] == "*"
    assert copied == {line.removeprefix("!") for line in ignored if line.startswith("!")}
