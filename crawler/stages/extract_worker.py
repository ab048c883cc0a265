"""PROCESS: Document → whatever the user's ``extract`` function returns, pickled."""

from __future__ import annotations

import pickle
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from crawler.core.text import printable

if TYPE_CHECKING:
    from crawler.core.document import Document

MOST_BYTES = 16 << 20
"""Bytes that the pickled result of one page may have."""
_MOST_DETAIL = 500


class Extracted(NamedTuple):
    """What came of one page: the pickled result, or why there is none, and nanoseconds on the wall and of CPU."""

    pickled: bytes = b""
    failure: str = ""
    ran: int = 0
    cpu: int = 0


def unpacked(pickled: bytes, failure: str) -> tuple[Any, str]:
    """Return the value of an :class:`Extracted`, None without one, and why there is none."""
    try:
        return pickle.loads(pickled) if pickled else None, failure  # noqa: S301  from our own worker, over a pipe
    except Exception as error:  # noqa: BLE001  unpickling runs the objects' own code
        return None, printable(f"its result cannot be unpickled ({type(error).__name__}: {error})", _MOST_DETAIL)


@dataclass(slots=True)
class Extractor:
    """The function, in a worker."""

    extract: Callable[[Document], Any]

    @classmethod
    def of(cls, data: bytes) -> Extractor:
        """Unpack what :func:`crawler.stages.extract.packed` made."""
        return cls(pickle.loads(data))  # noqa: S301  from our own parent, over a pipe

    def __call__(self, document: Document) -> Extracted:
        """Run the function; never raise for what it does."""
        began, cpu = time.perf_counter_ns(), time.process_time_ns()
        pickled, failure = b"", ""
        try:
            pickled = _pickled(self.extract(document))
        except MemoryError:
            failure = "more memory than a worker may take"
        except BaseException as error:  # noqa: BLE001  sys.exit() included: it is one page's affair
            failure = printable(f"{type(error).__name__}: {error}", _MOST_DETAIL)
        if len(pickled) > MOST_BYTES:
            pickled, failure = b"", f"{len(pickled):,} bytes returned, {MOST_BYTES:,} at most are taken"
        return Extracted(pickled, failure, time.perf_counter_ns() - began, time.process_time_ns() - cpu)


def _pickled(value: Any) -> bytes:
    if value is None:
        return b""
    try:
        return pickle.dumps(value, pickle.HIGHEST_PROTOCOL)
    except (pickle.PicklingError, AttributeError):
        import cloudpickle  # noqa: PLC0415  only what has classes of a script needs it

        return bytes(cloudpickle.dumps(value))
