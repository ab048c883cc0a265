from __future__ import annotations

import asyncio
import contextlib
import socket
import sys
import time
from collections.abc import AsyncIterator

import pytest

from crawler.testing.wire import HEAD_LIMIT, Wire, listen


@pytest.fixture
async def ends() -> AsyncIterator[tuple[socket.socket, Wire]]:
    with contextlib.ExitStack() as opened:
        listener = opened.enter_context(listen("127.0.0.1", 0))
        client = opened.enter_context(socket.create_connection(listener.getsockname()))
        yield (
            client,
            opened.enter_context(contextlib.closing(Wire(*await asyncio.get_running_loop().sock_accept(listener)))),
        )


async def test_heads_come_one_by_one_however_they_are_cut(ends: tuple[socket.socket, Wire]) -> None:
    client, wire = ends
    client.sendall(b"GET /a HTTP/1.1\r\n\r\nGET /b HT")

    first, _ = await wire.head()
    client.sendall(b"TP/1.1\r\n\r\n")
    second, _ = await wire.head()

    assert (first, second) == (b"GET /a HTTP/1.1\r\n\r\n", b"GET /b HTTP/1.1\r\n\r\n")


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells when a packet came")
async def test_the_time_is_that_of_arrival_however_late_it_is_read(ends: tuple[socket.socket, Wire]) -> None:
    client, wire = ends
    before = time.monotonic()
    client.sendall(b"GET / HTTP/1.1\r\n\r\n")
    after = time.monotonic()
    await asyncio.sleep(0.02)  # lateness is what is tested

    _, at = await wire.head()

    assert before - 0.001 < at < after + 0.001


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells when a packet came")
async def test_a_server_of_asyncios_own_is_told_the_time_of_arrival_too() -> None:
    heard: asyncio.Future[tuple[float, float]] = asyncio.get_running_loop().create_future()

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readexactly(3)
        heard.set_result((listener.came(writer.get_extra_info("socket").fileno()), time.monotonic()))
        writer.close()

    listener = listen("127.0.0.1", 0)
    async with await asyncio.start_server(talk, sock=listener):
        with socket.create_connection(listener.getsockname()) as client:
            before = time.monotonic()
            client.sendall(b"abc")
            after = time.monotonic()
            time.sleep(0.02)  # noqa: ASYNC251  the loop is late, as on a busy machine

            came, read = await heard

    assert before - 0.001 < came < after + 0.001
    assert read > after + 0.01


async def test_a_client_that_leaves_is_an_end_of_file(ends: tuple[socket.socket, Wire]) -> None:
    client, wire = ends
    client.sendall(b"GET / HTTP")
    client.close()

    with pytest.raises(EOFError):
        await wire.head()


async def test_a_head_without_end_is_refused(ends: tuple[socket.socket, Wire]) -> None:
    client, wire = ends
    client.setblocking(False)
    sending = asyncio.create_task(asyncio.get_running_loop().sock_sendall(client, b"x" * 4 * HEAD_LIMIT))

    with pytest.raises(ValueError, match="bytes of header"):
        await wire.head()

    sending.cancel()
    await asyncio.wait([sending])
