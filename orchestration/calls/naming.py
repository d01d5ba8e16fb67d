"""What a function is called, and of which kind it is, whatever wraps it: partials, methods, objects to be called."""

from collections.abc import Callable
from functools import partial
from types import CodeType
from typing import Any, Final

_COROUTINE: Final = 0x80 | 0x100
"""Flags of a code object: a coroutine, an iterable coroutine."""

_ASYNC_GENERATOR: Final = 0x200


def name_of(function: Callable[..., Any]) -> str:
    """A function as errors name it."""
    name = getattr(function, "__qualname__", None)
    if name is None and isinstance(function, partial):
        return name_of(function.func)
    return f"{getattr(function, '__module__', None) or type(function).__module__}:{name or type(function).__qualname__}"


def is_async(function: Callable[..., Any]) -> bool:
    """Whether calling the function only makes a coroutine or an async generator, and so takes no time by itself."""
    return bool(_flags(function) & (_COROUTINE | _ASYNC_GENERATOR))


def is_async_generator(function: Callable[..., Any]) -> bool:
    """Whether calling the function makes an async generator."""
    return bool(_flags(function) & _ASYNC_GENERATOR)


def _flags(function: Callable[..., Any]) -> int:
    while isinstance(function, partial):
        function = function.func
    for candidate in (function, getattr(type(function), "__call__", None)):  # noqa: B004  # it can be called; but by what?
        code = getattr(candidate, "__code__", None)
        if isinstance(code, CodeType):
            return code.co_flags
    return 0
