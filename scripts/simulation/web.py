"""A web made up from a seed: hosts with power-law sizes, on domains with power-law numbers of hosts."""

from __future__ import annotations

import random
from array import array
from dataclasses import dataclass
from itertools import pairwise

from crawler.core.url import virtual_shard

SMALLEST = 4
"""Pages that a host has, at least."""
TAIL = 1.1
"""Exponent of the power law: the share of hosts with more than n pages falls as n to the minus this."""
LARGEST = 100
"""The largest host has at most this part of all pages, if there is no budget for hosts."""
_TOGETHER = 0.3
"""Share of hosts on a domain that has hosts already."""


@dataclass(frozen=True, slots=True)
class SyntheticWeb:
    """Hosts by number; the pages of host h are ``first[h]`` up to ``first[h + 1]``, its front page first."""

    first: array[int]
    host: array[int]
    """Of each page."""
    virtual: array[int]
    """The virtual shard of each host."""
    domain: array[int]
    """The number of each host's domain, that of its first host."""

    @property
    def pages(self) -> int:
        """All pages."""
        return len(self.host)

    @property
    def domains(self) -> int:
        """All registrable domains."""
        return len(set(self.domain))

    def name(self, host: int) -> str:
        """Return the name of a host."""
        return _name(host, self.domain[host])

    @property
    def largest(self) -> int:
        """The pages of the largest host."""
        return max(end - start for start, end in pairwise(self.first))

    @property
    def hosts(self) -> int:
        """All hosts."""
        return len(self.virtual)


def synthetic_web(pages: int, seed: int, budget: int = 0) -> SyntheticWeb:
    """Make a web of so many pages; the same arguments make the same web.

    Args:
        pages: of all hosts.
        seed: of chance.
        budget: pages of a host, at most; 0 is a hundredth of all.
    """
    rng = random.Random(f"web {seed}")  # noqa: S311  no secret
    first, host, virtual, domains = array("Q", [0]), array("I"), array("H"), array("I")
    largest = max(SMALLEST, budget or pages // LARGEST)
    while len(host) < pages:
        number = len(virtual)
        size = min(int(SMALLEST * (1.0 - rng.random()) ** (-1.0 / TAIL)), largest, pages - len(host))
        host.extend(array("I", [number]) * size)
        first.append(len(host))
        shared = number and rng.random() < _TOGETHER
        domains.append(domains[rng.randrange(number)] if shared else number)
        virtual.append(virtual_shard(_name(number, domains[-1])))
    return SyntheticWeb(first, host, virtual, domains)


def _name(host: int, domain: int) -> str:
    return f"h{host}.d{domain}.example"
