"""The text that stands under each field in the code: what is said of it in documents."""

import ast
import inspect
import sys
from collections.abc import Mapping
from functools import cache
from itertools import pairwise
from types import MappingProxyType


@cache
def field_texts(kind: type) -> Mapping[str, str]:
    """Return the text under each field of a class and of those that it is made from; the nearest one counts."""
    texts: dict[str, str] = {}
    for one in reversed(kind.__mro__):
        module = sys.modules[one.__module__]
        if one.__module__.partition(".")[0] == __name__.partition(".")[0]:
            texts |= _of_module(module.__name__).get(one.__name__, {})
    return MappingProxyType(texts)


@cache
def _of_module(name: str) -> Mapping[str, Mapping[str, str]]:
    tree = ast.parse(inspect.getsource(sys.modules[name]))
    return {node.name: _of_body(node.body) for node in tree.body if isinstance(node, ast.ClassDef)}


def _of_body(body: list[ast.stmt]) -> dict[str, str]:
    texts = {}
    for field, below in pairwise(body):
        match field, below:
            case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=str(text))):
                texts[name] = inspect.cleandoc(text)
    return texts
