"""A random web whose truth is known: what a crawl of it must find, and what it must leave alone.

A web is a graph of nodes, made from a seed and nothing else.
Each node knows its canonical path from the start; only when the web is installed on sites are its links written,
in one of their many spellings, so the closure is a walk over node numbers and needs no URL code at all.

Every host's front page is a seed, and the crawl's scope is those hosts.
Besides what can be reached there are things that must not be: pages named only in comments, scripts and binary bodies,
a whole site that many links lead to but no seed names, and, if robots.txt is obeyed, the folders it closes.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import Self

from crawler.testing.answers import Faults
from crawler.testing.site import Site
from tests.markup import anchor, document
from tests.spelling import Spot, spell

CLOSED = "/closed/"
ROBOTS = f"User-agent: *\nDisallow: {CLOSED}\n"
LONGEST_CHAIN = 4
"""Redirects in a row, at most; a crawler may give up on very many."""

_FOLDERS = ("", "docs/", "docs/api/", "caf%C3%A9/", "a%20b/c/", "x/%E2%82%AC/", "~me/", "a/b/c/d/")
_QUERIES = ("", "", "", "", "?q=1", "?x=a%20b&y=%C3%A9", "?next=/docs/")


class Kind(Enum):
    """What a node answers."""

    PAGE = "page"
    BINARY = "binary"
    TWIN = "twin"
    """The same bytes as another page or binary."""
    REDIRECT = "redirect"
    MISSING = "missing"


_MIX = {Kind.PAGE: 60, Kind.BINARY: 8, Kind.TWIN: 9, Kind.REDIRECT: 16, Kind.MISSING: 7}


@dataclass(frozen=True, slots=True)
class Node:
    """One URL of the web. Links are numbers of nodes; ``BEYOND`` is the site that no seed names."""

    host: int
    path: str
    kind: Kind
    links: tuple[int, ...] = ()
    """Where the page leads, with repetitions; a redirect has one."""
    named: tuple[int, ...] = ()
    """Nodes that the body names where no link is."""
    twin: int = -1
    absolute: bool = False
    """Whether links are written with their host, so that the same bytes mean the same elsewhere."""
    status: int = 200
    faults: Faults = field(default_factory=Faults)

    @property
    def closed(self) -> bool:
        """Whether robots.txt disallows it."""
        return self.path.startswith(CLOSED)


BEYOND = -1


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

    @classmethod
    def make(cls, seed: int, *, pages: int = 60, hosts: int = 3, obey: bool = False) -> Self:
        """Make a web of so many URLs; the same arguments make the same web."""
        return cls(seed, hosts, _nodes(random.Random(f"web {seed}"), pages, hosts), obey)  # noqa: S311  # no secret

    def install(self, sites: Sequence[Site], beyond: Site) -> None:
        """Write the web onto opened sites, one per host, and forget what they saw; failures are due again.

        Args:
            sites: one per host.
            beyond: where links out of the crawl lead.
        """
        self.sites, self.beyond = tuple(sites), beyond
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
    def failures(self) -> dict[str, int]:
        """URL → how often it fails before it is well."""
        return {self.url(number): len(node.faults.get("fail_times", ())) for number, node in enumerate(self.nodes)}

    def _answers_well(self, number: int) -> bool:
        return self.nodes[number].kind in (Kind.PAGE, Kind.BINARY, Kind.TWIN)

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
        return self.nodes[node.twin].links if node.kind is Kind.TWIN else node.links

    def _put(self, number: int, node: Node, bodies: dict[int, bytes]) -> None:
        site, rng = self.sites[node.host], random.Random(f"node {self.seed} {number}")  # noqa: S311  # no secret
        if node.kind is Kind.REDIRECT:
            to = self._spelled(rng, node, node.path, node.links[0], header=True)
            site.redirect(node.path, to, node.status, **node.faults)
        elif node.kind is Kind.MISSING:
            site.page(node.path, title="not here", status=node.status, **node.faults)
        else:
            bodies[number] = bodies[node.twin] if node.kind is Kind.TWIN else self._body(rng, number)
            mime = "application/octet-stream" if self._is_binary(node) else "text/html; charset=utf-8"
            site.file(node.path, bodies[number], mime, **node.faults)

    def _is_binary(self, node: Node) -> bool:
        return (self.nodes[node.twin] if node.kind is Kind.TWIN else node).kind is Kind.BINARY

    def _body(self, rng: random.Random, number: int) -> bytes:
        node = self.nodes[number]
        named = [self.url(other) for other in node.named]
        if node.kind is Kind.BINARY:
            lures = "".join(f'<a href="{url}">{url}</a>' for url in named)
            return b"\0\1\2" + rng.randbytes(rng.randint(0, 3000)) + lures.encode()
        base = rng.choice(("/", "/docs/api/x", node.path)) if rng.random() < 0.2 else ""
        base_url = self.sites[node.host].url(base) if base else ""
        anchors = [anchor(rng, self._spelled(rng, node, base or node.path, link)) for link in node.links]
        return document(rng, str(number), anchors, named, base="" if node.absolute else base_url).encode()

    def _spelled(self, rng: random.Random, node: Node, base: str, link: int, *, header: bool = False) -> str:
        if link == BEYOND:
            assert self.beyond is not None
            return self.beyond.url(f"/{rng.randint(0, 999)}")
        there = self.nodes[link]
        site = self.sites[there.host]
        same_host = there.host == node.host and not node.absolute
        return spell(rng, base, Spot(site.host, site.port, there.path), same_host=same_host, header=header)


def _nodes(rng: random.Random, pages: int, hosts: int) -> tuple[Node, ...]:
    nodes = [Node(host, "/", Kind.PAGE) for host in range(hosts)]
    hidden: list[int] = []
    chain = [0] * pages
    for number in range(hosts, pages):
        (kind,) = rng.choices(list(_MIX), list(_MIX.values()))
        nodes.append(_node(rng, nodes, number, kind, hosts))
        if rng.random() < 0.06:
            hidden.append(number)
        else:
            _adopt(rng, nodes, number, hidden, chain)
    for number in range(pages):
        nodes[number] = _finished(rng, nodes, number, hidden)
    return tuple(nodes)


def _node(rng: random.Random, nodes: list[Node], number: int, kind: Kind, hosts: int) -> Node:
    folder = CLOSED if rng.random() < 0.07 else f"/{rng.choice(_FOLDERS)}"
    path = f"{folder}{number}{rng.choice(('', '/', '.html'))}{rng.choice(_QUERIES)}"
    node = Node(rng.randrange(hosts), path, kind, faults=_faults(rng, kind))
    if kind is Kind.TWIN:
        originals = [other for other, made in enumerate(nodes) if made.kind is Kind.BINARY or made.absolute]
        return _twin(node, nodes, rng.choice(originals)) if originals else replace(node, kind=Kind.BINARY)
    if kind is Kind.REDIRECT:
        return replace(node, status=rng.choice((301, 302, 303, 307, 308)))
    if kind is Kind.MISSING:
        return replace(node, status=rng.choice((404, 410, 403)))
    return replace(node, absolute=kind is Kind.PAGE and rng.random() < 0.2)


def _twin(node: Node, nodes: list[Node], original: int) -> Node:
    """Make a node answer the bytes of another, so with its coding too."""
    faults = node.faults.copy()
    faults.pop("coding", None)
    if "coding" in nodes[original].faults:
        faults["coding"] = nodes[original].faults["coding"]
    return replace(node, twin=original, faults=faults)


def _adopt(rng: random.Random, nodes: list[Node], number: int, hidden: list[int], chain: list[int]) -> None:
    """Make an earlier node lead to this one, so that it is reachable, if robots allow, by one path at least."""
    parents = [
        other
        for other, node in enumerate(nodes[:number])
        if other not in hidden
        and (node.kind is Kind.PAGE or (node.kind is Kind.REDIRECT and not node.links and chain[other] < LONGEST_CHAIN))
    ]
    parent = rng.choice(parents[-12:] if rng.random() < 0.7 else parents)
    nodes[parent] = replace(nodes[parent], links=(*nodes[parent].links, number))
    if nodes[parent].kind is Kind.REDIRECT:
        chain[number] = chain[parent] + 1


def _finished(rng: random.Random, nodes: list[Node], number: int, hidden: list[int]) -> Node:
    """Add what makes a web tangled: more links, the same links again, links out, loops, and mere mentions."""
    node = nodes[number]
    open_ones = [other for other in range(len(nodes)) if other not in hidden]
    if node.kind is Kind.REDIRECT and not node.links:
        pages = [other for other in open_ones if nodes[other].kind is not Kind.REDIRECT]
        return replace(node, links=(rng.choice((BEYOND, number, *rng.choices(pages, k=6))),))
    if node.kind is Kind.PAGE:
        links = list(node.links) + rng.choices(open_ones, k=rng.randint(0, 8))
        links += rng.choices(links, k=rng.randint(0, 6)) if links else []
        links += [BEYOND] * (rng.random() < 0.2)
        rng.shuffle(links)
        return replace(node, links=tuple(links), named=_some(rng, hidden))
    return replace(node, named=_some(rng, hidden)) if node.kind is Kind.BINARY else node


def _some(rng: random.Random, hidden: list[int]) -> tuple[int, ...]:
    return tuple(rng.sample(hidden, min(len(hidden), rng.randint(0, 2))))


def _faults(rng: random.Random, kind: Kind) -> Faults:
    faults = Faults()
    if rng.random() < 0.08:
        faults["fail_times"] = (503,)
    if rng.random() < 0.15:
        faults["slow"] = rng.uniform(0.005, 0.05)
    if rng.random() < 0.25:
        faults["chunked"] = True
    if kind in (Kind.PAGE, Kind.BINARY, Kind.TWIN) and rng.random() < 0.3:
        faults["coding"] = rng.choice(("gzip", "gzip", "deflate", "br"))
    return faults
