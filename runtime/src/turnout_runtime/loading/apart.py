"""Runs what blocks, such as an import of foreign code, where the end of the process does not wait for it."""

import asyncio
import contextvars
import threading
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import ParamSpec, TypeVar

_P = ParamSpec("_P")
_T = TypeVar("_T")


async def apart(function: Callable[_P, _T], *args: _P.args, **options: _P.kwargs) -> _T:
    """`asyncio.to_thread`, but for a caller that gives up: then nobody waits until the function returns, if ever."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[_T] = loop.create_future()
    context = contextvars.copy_context()

    def work() -> None:
        try:
            result = context.run(function, *args, **options)
        except BaseException as error:  # a bundle's code may raise anything
            failure = error if not isinstance(error, StopIteration) else RuntimeError(repr(error))  # no future takes it
            tell(partial(done.set_exception, failure))
        else:
            tell(partial(done.set_result, result))

    def unless_given_up(settle: Callable[[], None]) -> None:
        if not done.done():
            settle()

    def tell(settle: Callable[[], None]) -> None:
        with suppress(RuntimeError):  # the loop is closed
            loop.call_soon_threadsafe(unless_given_up, settle)

    threading.Thread(target=work, name="turnout-load", daemon=True).start()
    return await done
