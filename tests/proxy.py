"""A proxy on loopback, as a play: CONNECT for https (RFC 9110 §9.3.6), absolute URLs for http (RFC 9112 §3.2.2)."""

from __future__ import annotations

import asyncio
import contextlib
from urllib.parse import urlsplit

from crawler.testing.hostile import Play, Talk


def forwards(to: int, *, only_with: str = "") -> Play:
    """Pass everything on to one port of loopback, whatever host is asked for, if the credentials are these."""

    async def play(talk: Talk) -> None:
        while True:
            target = await talk.heard()
            request = talk.stage.requests[-1].head
            if only_with and f"Proxy-Authorization: {only_with}\r\n".encode() not in request:
                await talk.answer(b"no", "407 Proxy Authentication Required")
            elif request.startswith(b"CONNECT "):
                await _tunnel(talk, to)
                return
            else:
                await _pass_on(talk, request, target, to)

    return play


async def _pass_on(talk: Talk, request: bytes, target: str, to: int) -> None:
    where = urlsplit(target)
    lines = [line for line in request.split(b"\r\n")[1:] if not line.lower().startswith(b"proxy-")]
    reader, writer = await asyncio.open_connection("127.0.0.1", to)
    with contextlib.closing(writer):
        writer.write(f"GET {where.path or '/'} HTTP/1.1\r\nConnection: close\r\n".encode() + b"\r\n".join(lines))
        await _pour(reader, talk.writer)


async def _tunnel(talk: Talk, to: int) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", to)
    with contextlib.closing(writer):
        await talk.say(b"HTTP/1.1 200 Connection established\r\n\r\n")
        ways = [asyncio.ensure_future(_pour(*way)) for way in ((talk.reader, writer), (reader, talk.writer))]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)


async def _pour(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    while content := await source.read(1 << 16):
        sink.write(content)
        await sink.drain()
