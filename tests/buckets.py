"""An S3-compatible store on loopback, in a thread of the test's own."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from http.client import HTTPConnection

import pytest
from moto.server import ThreadedMotoServer

BUCKET = "crawls"
SECRET = "this-is-not-to-be-shown"

ENVIRONMENT = {"AWS_ACCESS_KEY_ID": f"ID-{SECRET}", "AWS_SECRET_ACCESS_KEY": SECRET, "AWS_REGION": "us-east-1"}
"""Without it, the store's library would ask the machine's cloud for credentials."""


class Buckets:
    """A running server with one bucket; the environment says how to log in."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        for name, value in ENVIRONMENT.items():
            monkeypatch.setenv(name, value)
        self._server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
        self._server.start()
        host, port = self._server.get_host_and_port()
        self.endpoint = f"http://{host}:{port}"
        connection = HTTPConnection(host, port, timeout=10)
        connection.request("PUT", f"/{BUCKET}")
        connection.getresponse().read()
        connection.close()

    def url(self, prefix: str) -> str:
        return f"s3://{BUCKET}/{prefix}"

    def stop(self) -> None:
        """End the server, as if it were no longer reachable; a second call does nothing."""
        server, self._server = self._server, None  # type: ignore[assignment]
        if server is not None:
            server.stop()


@contextlib.contextmanager
def buckets(monkeypatch: pytest.MonkeyPatch) -> Iterator[Buckets]:
    opened = Buckets(monkeypatch)
    try:
        yield opened
    finally:
        opened.stop()
