"""A random web whose truth is known: what a crawl of it must find, and what it must leave alone.

A web is a graph of nodes, made from a seed and nothing else.
Each node knows its canonical path from the start; only when the web is installed on sites are its links written,
in one of their many spellings, so the closure is a walk over node numbers and needs no URL code at all.

Every host's front page is a seed, and the crawl's scope is those hosts.
Besides what can be reached there are things that must not be: pages named only in comments, scripts and binary bodies,
a whole site that many links lead to but no seed names, and, if robots.txt is obeyed, the folders it closes.

A web comes out in editions, for crawls in rounds; :mod:`tests.editions` says what becomes of its nodes.
"""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Self

from crawler.testing.site import Site
from tests.editions import with_fates
from tests.markup import anchor, document
from tests.nodes import BEYOND, CLOSED, Kind, Node, random_nodes
from tests.spelling import Spot, spell

ROBOTS = f"User-agent: *\nDisallow: {CLOSED}\n"


@dataclass(slots=True)
class Web:
    """A web, and after :meth:`install` its truth."""

    seed: int
    hosts: int
    nodes: tuple[Node, ...]
    obey: bool = False
    """Whether robots.txt is obeyed by the crawl that is judged."""
    sites: tuple[Site, ...] = ()
    beyond: Site | None = None
    edition: int = 1

    @classmethod
    def make(cls, seed: int, *, pages: int = 60, hosts: int = 3, obey: bool = False) -> Self:
        """Make a web of so many URLs; the same arguments make the same web."""
        nodes = random_nodes(random.Random(f"web {seed}"), pages, hosts)  # noqa: S311  # no secret
        return cls(seed, hosts, with_fates(seed, nodes), obey)

    def install(self, sites: Sequence[Site], beyond: Site, *, edition: int = 1) -> None:
        """Write the web onto opened sites, one per host, and forget what they saw; failures are due again.

        Args:
            sites: one per host.
            beyond: where links out of the crawl lead.
            edition: from 1; what is written is the same each time.
        """
        self.sites, self.beyond, self.edition = tuple(sites), beyond, edition
        for site in (*sites, beyond):
            site.answers.clear()
            site.forget()
            site.robots(ROBOTS)
        beyond.page("/", title="beyond")
        bodies: dict[int, bytes] = {}
        for number, node in sorted(enumerate(self.nodes), key=lambda numbered: numbered[1].kind is Kind.TWIN):
            self._put(number, node, bodies)

    @property
    def fronts(self) -> list[str]:
        """The seeds of the crawl."""
        return [site.url("/") for site in self.sites]

    def url(self, number: int) -> str:
        """Return the canonical URL of a node."""
        node = self.nodes[number]
        return self.sites[node.host].url(node.path)

    def closure(self) -> set[str]:
        """Return every URL that must be asked for: all that links and redirects lead to from the fronts."""
        return {self.url(number) for number in self._reached()}

    @property
    def bodies(self) -> dict[str, bytes]:
        """URL → payload (with its content coding) of each 200 page of the closure."""
        good = (number for number in self._reached() if self._answers_well(number))
        return {
            self.url(number): self.sites[self.nodes[number].host].answers[self.nodes[number].path].payload
            for number in good
        }

    @property
    def changed(self) -> set[str]:
        """The URLs of the closure that are not what they were in the edition before this one."""
        return {self.url(number) for number in self._reached() if self._is_changed(number)}

    @property
    def failures(self) -> dict[str, int]:
        """URL → how often it fails before it is well."""
        return {self.url(number): len(node.faults.get("fail_times", ())) for number, node in enumerate(self.nodes)}

    def _answers_well(self, number: int) -> bool:
        node = self.nodes[number]
        return node.kind in (Kind.PAGE, Kind.BINARY, Kind.TWIN) and self.edition < node.until

    def _is_changed(self, number: int) -> bool:
        node = self.nodes[number]
        return self._original(node).changes or self.edition in (node.until, node.since)

    def _original(self, node: Node) -> Node:
        return self.nodes[node.twin] if node.kind is Kind.TWIN else node

    def _reached(self) -> set[int]:
        reached: set[int] = set()
        ahead = list(range(self.hosts))
        while ahead:
            number = ahead.pop()
            node = self.nodes[number]
            if number not in reached and not (self.obey and node.closed):
                reached.add(number)
                ahead += [link for link in self._links(node) if link != BEYOND]
        return reached

    def _links(self, node: Node) -> tuple[int, ...]:
        links = self._original(node).links
        return tuple(link for link in links if link == BEYOND or self.nodes[link].since <= self.edition)

    def _put(self, number: int, node: Node, bodies: dict[int, bytes]) -> None:
        site, rng = self.sites[node.host], random.Random(f"node {self.seed} {number}")  # noqa: S311  # no secret
        if node.kind is Kind.REDIRECT:
            to = self._spelled(rng, node, node.path, node.links[0], header=True)
            site.redirect(node.path, to, node.status, **node.faults)
        elif node.kind is Kind.MISSING:
            site.page(node.path, title="not here", status=node.status, **node.faults)
        else:
            bodies[number] = bodies[node.twin] if node.kind is Kind.TWIN else self._body(rng, number)
            if self._answers_well(number):
                site.put(node.path, 200, bodies[number], self._headers(number), **node.faults)
            else:
                site.page(node.path, title="no more", status=404)

    def _headers(self, number: int) -> dict[str, str]:
        node = self.nodes[number]
        binary = self._original(node).kind is Kind.BINARY
        headers = {"Content-Type": "application/octet-stream" if binary else "text/html; charset=utf-8"}
        return {**headers, "ETag": f'"{number}"'} if node.tagged and not self._original(node).changes else headers

    def _body(self, rng: random.Random, number: int) -> bytes:
        node = self.nodes[number]
        named = [self.url(other) for other in node.named]
        if node.kind is Kind.BINARY:
            lures = "".join(f'<a href="{url}">{url}</a>' for url in named)
            return b"\0\1\2" + rng.randbytes(rng.randint(0, 3000)) + lures.encode()
        base = rng.choice(("/", "/docs/api/x", node.path)) if rng.random() < 0.2 else ""
        base_url = self.sites[node.host].url(base) if base else ""
        anchors = [anchor(rng, self._spelled(rng, node, base or node.path, link)) for link in self._links(node)]
        title = f"{number}, edition {self.edition}" if node.changes else str(number)
        return document(rng, title, anchors, named, base="" if node.absolute else base_url).encode()

    def _spelled(self, rng: random.Random, node: Node, base: str, link: int, *, header: bool = False) -> str:
        if link == BEYOND:
            assert self.beyond is not None
            return self.beyond.url(f"/{rng.randint(0, 999)}")
        there = self.nodes[link]
        site = self.sites[there.host]
        same_host = there.host == node.host and not node.absolute
        return spell(rng, base, Spot(site.host, site.port, there.path), same_host=same_host, header=header)


@asynccontextmanager
async def served(seed: int, *, pages: int, hosts: int) -> AsyncIterator[Web]:
    """Make a web and serve it on loopback, from this loop."""
    async with AsyncExitStack() as opened:
        sites = [await opened.enter_async_context(Site(f"127.0.0.{number + 1}")) for number in range(hosts)]
        made = Web.make(seed, pages=pages, hosts=hosts)
        made.install(sites, await opened.enter_async_context(Site("127.0.0.99")))
        yield made
