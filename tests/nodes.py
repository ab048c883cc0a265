"""The nodes of a random web: what each URL answers, where it leads, and what may go wrong with it."""

from __future__ import annotations

import random
from dataclasses import dataclass, field, replace
from enum import Enum

from crawler.testing.answers import Faults

CLOSED = "/closed/"
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
    changes: bool = False
    """Whether its bytes are others in each edition."""
    tagged: bool = False
    """Whether it has an ETag, as long as it does not change."""
    since: int = 1
    """The first edition that leads to it."""
    until: int = 1 << 30
    """The first edition in which it is gone."""

    @property
    def closed(self) -> bool:
        """Whether robots.txt disallows it."""
        return self.path.startswith(CLOSED)


BEYOND = -1


def random_nodes(rng: random.Random, pages: int, hosts: int) -> tuple[Node, ...]:
    """Make so many nodes; the first ones are the front pages of the hosts, and lead to the others."""
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
