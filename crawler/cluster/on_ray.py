"""The shards as actors on Ray: the thin layer, and the only place that knows Ray.

Ray places the actors, starts them again when they die, and carries calls. Its calls are at-most-once and a restarted
actor has lost its memory, so each call here may be made again, and all state that matters is in the shard's folder.

What Ray does to a program that uses it: it starts processes (a control store, one supervisor per machine, one process
per actor), keeps threads in this one, and sets a handler for SIGTERM if it is started in the main thread, which it is
not here. What it reads from the environment is written there before it is imported (:func:`crawler.cluster.settle`).
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import os
import secrets
import shutil
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any

import ray
import ray.exceptions

from crawler.cluster.crawl import Post
from crawler.cluster.link import Batch, Bounds, Look, Part, Sown, Unreachable
from crawler.cluster.member import Member
from crawler.core.exchange import Receipt
from crawler.errors import CrawlerError, UsageError
from crawler.executors import Threads
from crawler.report.report import Report

_STORE = 80 << 20
"""Bytes of Ray's object store, of which we need next to nothing; less than this it does not take."""
_YOUNG = 50_000
"""As in the command line: pages in flight are some thousand objects, not worth looking through again and again."""
_UNBORN = "error raised in its creation task"
"""What Ray says of an actor that it will not start again: the code, or what it needs, is not there."""
_log = logging.getLogger(__name__)


class Station:
    """One shard in an actor of its own: a Member whose answers are values, errors too, so that they travel as written.

    Args:
        post: what it is to do.
        names: the actors of all shards, by their numbers.
        space: the namespace of these names.
    """

    def __init__(self, post: Post, names: Sequence[str], space: str) -> None:
        gc.set_threshold(_YOUNG)
        peers = {number: RayPeer(name, space) for number, name in enumerate(names)}
        self._member = Member(post.config, post.folder, post.seams, peers, begin=post.begin)

    async def call(self, name: str, *arguments: Any, **named: Any) -> Any:
        """Call a method of the member; what went wrong is returned."""
        try:
            return await getattr(self._member, name)(*arguments, **named)
        except (CrawlerError, Unreachable) as error:
            return error

    async def process(self) -> int:
        """Return the number of the process, for tests that kill it."""
        return os.getpid()


class RayPeer:
    """A shard in another actor, by its name: there may be none yet, and it may be starting again."""

    def __init__(self, name: str, space: str) -> None:
        self._name = name
        self._space = space
        self._actor: Any = None

    async def _call(self, name: str, *arguments: Any, **named: Any) -> Any:
        try:
            if self._actor is None:
                self._actor = ray.get_actor(self._name, namespace=self._space)
            answer = await self._actor.call.remote(name, *arguments, **named)
        except ValueError as error:
            raise Unreachable from error  # no actor of this name yet
        except ray.exceptions.RayTaskError:
            raise
        except ray.exceptions.RayError as error:
            if _UNBORN in str(error):
                raise CrawlerError(f"a shard could not be started: {str(error).strip().splitlines()[-1]}") from error
            raise Unreachable from error
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def receive(self, sender: int, run: int, batch: Batch) -> Receipt:
        """See :class:`~crawler.cluster.link.Peer`, as for what follows."""
        receipt: Receipt = await self._call("receive", sender, run, batch)
        return receipt

    async def told(self, owner: int, run: int, life: int, receipt: Receipt) -> None:
        """Tell how much a shard has."""
        await self._call("told", owner, run, life, receipt)


class RayPart(RayPeer):
    """A shard in an actor, as the driver sees it."""

    async def run(self, bounds: Bounds, *, sown: bool, again: bool) -> Report:
        """See :class:`~crawler.cluster.link.Part`, as for all that follows."""
        report: Report = await self._call("run", bounds, sown=sown, again=again)
        return report

    async def sow(self, urls: Sequence[str]) -> Sown:
        """Make seeds known."""
        sown: Sown = await self._call("sow", urls)
        return sown

    async def all_sown(self) -> None:
        """Tell that no more seeds will come."""
        await self._call("all_sown")

    async def look(self) -> Look:
        """Ask how it stands."""
        look: Look = await self._call("look")
        return look

    async def allow(self, bounds: Bounds) -> Bounds:
        """Set new bounds."""
        now: Bounds = await self._call("allow", bounds)
        return now

    async def so_far(self) -> Report | None:
        """Ask for its run as a report."""
        report: Report | None = await self._call("so_far")
        return report

    async def keep(self) -> None:
        """Ask it to make durable for good what is durable."""
        await self._call("keep")

    async def finish(self) -> None:
        """Tell that the whole crawl has ended."""
        await self._call("finish")

    async def stop(self, reason: str) -> None:
        """Ask it to end soon."""
        await self._call("stop", reason)


class OnRay:
    """Shards on Ray.

    Args:
        where: ``local`` for a Ray of our own on this machine, ``auto`` for the one that runs here,
            or the ``ray://HOST:PORT`` of a cluster.

    Raises:
        UsageError: there is no such place.
    """

    def __init__(self, where: str) -> None:
        if where not in ("local", "auto") and not where.startswith("ray://"):
            raise UsageError(f"{where!r} is no cluster: local, auto, or ray://HOST:PORT")
        self._where = where

    async def suits(self) -> int:
        """Return half the cores: a shard keeps two busy, with its parse worker."""
        if self._where == "local":
            return max(2, (os.cpu_count() or 2) // 2)
        async with self._connected():
            cores: float = ray.cluster_resources().get("CPU", 2.0)  # type: ignore[no-untyped-call]
        return max(2, int(cores) // 2)

    @asynccontextmanager
    async def put(self, posts: Sequence[Post]) -> AsyncIterator[Sequence[Part]]:
        """Start an actor for each shard; they are gone when the context is left."""
        async with self._connected() as thread:
            space = f"crawl-{secrets.token_hex(8)}"
            names = [f"shard-{number}" for number in range(len(posts))]
            actors = await thread(self._start, posts, names, space)
            try:
                yield [RayPart(name, space) for name in names]
            finally:
                await thread(_end, actors)

    def _start(self, posts: Sequence[Post], names: Sequence[str], space: str) -> list[Any]:
        # One that runs here shares the machine's cores with all others; in a cluster each has a core to itself.
        options: dict[str, Any] = {
            "num_cpus": 0 if self._where == "local" else 1,
            "max_restarts": -1,
            "max_task_retries": 0,
            "scheduling_strategy": "SPREAD",
            "namespace": space,
        }
        kind = ray.remote(Station)
        return [
            kind.options(name=name, **options).remote(post, names, space)
            for name, post in zip(names, posts, strict=True)
        ]

    @asynccontextmanager
    async def _connected(self) -> AsyncIterator[Threads]:
        """Be connected to Ray; one that was so before stays so."""
        thread = Threads("ray", 1)  # it outlives Ray's processes, which end with the thread that started them
        try:
            if ray.is_initialized():
                yield thread
                return
            with tempfile.TemporaryDirectory(prefix="crawl-") as scratch, _quiet():
                await thread(self._connect, scratch)
                try:
                    yield thread
                finally:
                    await asyncio.shield(thread(ray.shutdown))
                shutil.rmtree(scratch, ignore_errors=True)
        finally:
            thread.close()

    def _connect(self, scratch: str) -> None:
        quiet: dict[str, Any] = {"log_to_driver": False, "configure_logging": False, "logging_level": logging.ERROR}
        try:
            if self._where != "local":
                ray.init(address=self._where, **quiet)
                return
            ray.init(
                address="local",
                num_cpus=os.cpu_count(),
                include_dashboard=False,
                object_store_memory=_STORE,
                _node_ip_address="127.0.0.1",
                _temp_dir=scratch,
                **quiet,
            )
        except (ConnectionError, RuntimeError, TimeoutError, ValueError) as error:
            words = str(error).strip().partition("\n")[0]
            raise UsageError(f"no Ray could be reached at {self._where}: {words}") from error


def _end(actors: Sequence[Any]) -> None:
    for actor in actors:
        with suppress(ray.exceptions.RayError):
            ray.kill(actor, no_restart=True)


@contextlib.contextmanager
def _quiet() -> Any:
    """Have Ray's words about its workers logged: it would print them on standard output, where our report goes."""
    import ray._private.worker as inside  # noqa: PLC0415  there is no public way

    said = inside.print_to_stdstream
    inside.print_to_stdstream = lambda data, **_: _log.info("%s", " ".join(map(str, data.get("lines", ()))))
    level = logging.getLogger("ray").level
    logging.getLogger("ray").setLevel(logging.ERROR)
    try:
        yield
    finally:
        inside.print_to_stdstream = said
        logging.getLogger("ray").setLevel(level)
