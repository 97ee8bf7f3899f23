"""The job that a command line stands for: the name of the script in it."""

import re
import shlex

from msgspec import Struct

# What is put in front of a command, with those of its options that take a word after them.
_WRAPPERS = {
    "chronic": "",
    "command": "",
    "env": "uCS",
    "exec": "",
    "flock": "wEF",
    "ionice": "cnp",
    "nice": "n",
    "nohup": "",
    "setsid": "",
    "stdbuf": "ioe",
    "sudo": "ugUhpC",
    "time": "fo",
    "timeout": "ks",
    "uv": "p",
    "poetry": "C",
    "pipenv": "",
    "run": "",
}
# Of these the first word that is no option is not the command: a lock file, a duration.
_TAKES_A_WORD = {"flock", "timeout"}
_INTERPRETER = re.compile(r"(?:python|php|perl|ruby|node|bash|dash|sh|zsh)[0-9.]*")
_DJANGO = {"manage.py", "django-admin", "django-admin.py"}
_ASSIGNMENT = re.compile(r"[A-Za-z_][A-Za-z0-9_]*=.*", re.DOTALL)
_STEP = re.compile(r"&&|\|\||;")
_AFTERWARDS = re.compile(r"\d?>|\d?<|(?<!\|)\|(?!\|)|(?<!&)&(?!&|\d)|$")
_SUFFIX = re.compile(r"\.(?:py|sh|bash|php|pl|rb|js)$")


class Command(Struct, frozen=True, kw_only=True):
    """A command line, taken apart."""

    text: str
    """As it stands there, up to the first `%`."""
    name: str = ""
    """The name of the job; empty when there is none."""
    rest: tuple[str, ...] = ()
    """What the script was given, and no job is."""
    stdin: bool = False
    """Whether text for its standard input stands behind a `%`."""


def command_in(line: str) -> Command:
    r"""Return the command of a crontab line.

    The name is that of the script in its last step (after `&&`, `;`), without folder and suffix, `-` as `_`; what
    pipes and redirects is left away, and what only wraps it (`cd`, `env`, `flock`, `python`, ...) is passed over.
    Of `manage.py NAME` it is NAME, of `python -m package.module` it is `module`. `\%` is a percent sign.
    """
    text, *more = re.split(r"(?<!\\)%", line, maxsplit=1)
    text = text.replace("\\%", "%").strip()
    step = next((step for step in reversed(_STEP.split(text)) if step.strip()), "")
    end = _AFTERWARDS.search(step)
    words = _words(step[: end.start()] if end else step)
    name, rest = _script(words)
    return Command(text=text, name=name, rest=tuple(rest), stdin=bool(more and more[0].strip()))


def _words(step: str) -> list[str]:
    try:
        return shlex.split(step)
    except ValueError:
        # A quote that is open: in Debian's cron the shell finds out, once a night.
        return step.split()


def _script(words: list[str]) -> tuple[str, list[str]]:
    words = list(words)
    while words:
        word = words.pop(0)
        last = word.rpartition("/")[2]
        if _ASSIGNMENT.fullmatch(word):
            continue
        if last in _WRAPPERS and words:
            _pass_over(words, _WRAPPERS[last])
            if last in _TAKES_A_WORD and words:
                words.pop(0)
        elif _INTERPRETER.fullmatch(last) and words:
            module = _module(words)
            if module:
                return _named(module.rpartition(".")[2]), words
            if "c" in words[0].lstrip("-") and words[0].startswith("-") and len(words) > 1:
                return _script(_words(words[1])) if "python" not in last else ("", words)
            _pass_over(words, "WX")
        elif last in _DJANGO:
            _pass_over(words, "")
            return (_named(words[0]), words[1:]) if words else ("", [])
        else:
            return _named(last), words
    return "", []


def _module(words: list[str]) -> str:
    """Take `-m NAME` off the front of what an interpreter is given, options before it included."""
    options = [word for word in words if word.startswith("-")]
    if "-m" in options and all(word.startswith("-") for word in words[: words.index("-m")]):
        at = words.index("-m")
        module = words[at + 1] if len(words) > at + 1 else ""
        del words[: at + 2]
        return module
    return ""


def _pass_over(words: list[str], with_word: str) -> None:
    """Take the options off the front, and the words that belong to them."""
    while words and words[0].startswith("-"):
        option = words.pop(0)
        if len(option) == 2 and option[1] in with_word and words:
            words.pop(0)


def _named(script: str) -> str:
    return re.sub(r"[^\w.]+", "_", _SUFFIX.sub("", script.rpartition("/")[2])).strip("_.")
