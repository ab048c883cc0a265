"""The user's ``extract`` function on its way to the workers; what happens there is in ``extract_worker.py``.

A function of an importable module travels by its name. One of a script or a notebook (``__main__``), which workers
do not import, travels by value, and so do the classes of what it returns.
"""

from __future__ import annotations

import importlib
import inspect
import pickle
from collections.abc import Callable
from typing import Any, TypeAlias

from crawler.config import Parse
from crawler.core.document import Document
from crawler.errors import ConfigError, UsageError
from crawler.extractors import READY_MADE, Together, check_installed

Extract: TypeAlias = Callable[[Document], Any]

_MAIN = b"__main__"
_MEND = (
    "; move it to the top level of a module or script,"
    " and bind what it needs from around it with functools.partial(function, ...)"
)


def chosen(extract: Extract | None, settings: Parse) -> Extract | None:
    """Return what is to be run over each page: the caller's function, those of the settings, or all of them together.

    Raises:
        UsageError, ConfigError: the function cannot be had, or an extra is not installed.
    """
    names = [name for name in READY_MADE if getattr(settings, name)]
    for name in names:
        check_installed(name)
    if settings.extract:
        if extract is not None:
            raise UsageError("extract is given twice: as an argument, and as the setting parse.extract")
        extract = load(settings.extract)
    if not names:
        return extract
    return Together({name: READY_MADE[name] for name in names} | ({"extract": extract} if extract else {}))


def load(name: str) -> Extract:
    """Import ``module:function``.

    Raises:
        ConfigError: there is no such function.
    """
    module, _, function = name.partition(":")
    if not (module and function):
        raise ConfigError(f"parse.extract: {name!r} is not of the form module:function")
    try:
        found: Any = getattr(importlib.import_module(module), function)
    except AttributeError as error:
        raise ConfigError(f"parse.extract: the module {module} has no function {function}") from error
    except Exception as error:  # a module may raise whatever it likes
        raise ConfigError(f"parse.extract: {module} cannot be imported ({type(error).__name__}: {error})") from error
    if not callable(found):
        raise ConfigError(f"parse.extract: {name} is not a function")
    checked: Extract = found
    return checked


def packed(extract: Extract) -> bytes:
    """Pickle a function for its way to the workers.

    Raises:
        UsageError: it cannot be given to another process; the sentence says how to mend that.
    """
    name = getattr(extract, "__qualname__", type(extract).__qualname__)
    if not callable(extract):
        raise UsageError(f"extract: {name} is not a function")
    if inspect.iscoroutinefunction(extract):
        raise UsageError(f"extract: {name} is async, but it runs in a worker process, which has no event loop")
    if "<locals>" in name or "<lambda>" in name:
        raise UsageError(f"extract: {name} is a nested function, which cannot be given to a worker process{_MEND}")
    try:
        data = pickle.dumps(extract)
        if _MAIN in data:
            import cloudpickle  # noqa: PLC0415  only scripts and notebooks need it

            data = cloudpickle.dumps(extract)
    except Exception as error:  # pickling runs the objects' own code
        raise UsageError(f"extract: {name} cannot be given to a worker process ({error}){_MEND}") from error
    return bytes(data)
