"""Where in the application an exception comes from."""

import sysconfig
from functools import lru_cache
from pathlib import Path
from types import FrameType

from rota.core.fingerprint import LINE

LIBRARIES = tuple(
    str(Path(path)) + "/"
    for name, path in sysconfig.get_paths().items()
    if name in ("stdlib", "platstdlib", "purelib", "platlib")
)
INSTALLED = ("/site-packages/", "/dist-packages/")


def place_of(error: BaseException) -> str:
    """Return the innermost frame of an exception that is the application's own: `app.mail.send, line 42`.

    Not one of the standard library, of an installed package or of Rota; where there is none, the innermost that is at
    least not Rota's; "" where there is none of these either.
    """
    own, any_other = None, None
    step = error.__traceback__
    while step is not None:
        frame = step.tb_frame
        if not _is_ours(frame):
            any_other = frame, step.tb_lineno
            if not _is_library(frame.f_code.co_filename):
                own = any_other
        step = step.tb_next
    found = own or any_other
    return "" if found is None else _text(*found)


def _is_ours(frame: FrameType) -> bool:
    return f"{frame.f_globals.get('__name__')}.".startswith("rota.")


@lru_cache(maxsize=1024)
def _is_library(file: str) -> bool:
    # What has no file, such as "<frozen importlib._bootstrap>", is nobody's to mend.
    return file.startswith(("<", *LIBRARIES)) or any(folder in file for folder in INSTALLED)


def _text(frame: FrameType, line: int) -> str:
    module = frame.f_globals.get("__name__")
    # A program that is run by its path is not called by it everywhere.
    named = Path(frame.f_code.co_filename).stem if module in (None, "__main__") else module
    return f"{named}.{frame.f_code.co_qualname}{LINE}{line}"
