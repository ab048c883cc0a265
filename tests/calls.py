"""What test workers are told to call: top-level, so that a process can import it."""

from __future__ import annotations

import os
import signal
from typing import Any

_ready: list[object] = []


def prepare(options: object) -> None:
    _ready.append(options)


def prepare_badly(_options: object) -> None:
    os._exit(9)


def call(task: tuple[str, Any]) -> Any:  # noqa: C901  one case a way to fail
    verb, value = task
    match verb:
        case "echo":
            return value
        case "options":
            return _ready[0]
        case "pid":
            return os.getpid()
        case "die":
            os.kill(os.getpid(), signal.Signals[value])
        case "exit":
            os._exit(value)
        case "loop":
            while True:
                pass
        case "wait":
            signal.pause()
        case "hog":
            return len(bytearray(value))
        case "raise":
            raise RuntimeError(value)
        case "unpicklable":
            return lambda: value
    return None
