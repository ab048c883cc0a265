"""What becomes of a random web from one edition to the next, for folders that are crawled in rounds.

In every new edition some pages have other bytes; in the second some files are gone, and some pages link to new ones.
Of what stays as it is, half can be asked for on condition.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace

from tests.nodes import Kind, Node

SECOND = 2
_SHARE = 4
"""One in so many changes, is gone, or has a new page below it."""


def with_fates(seed: int, nodes: Sequence[Node]) -> tuple[Node, ...]:
    """Decide for each node what becomes of it, and add those of the second edition."""
    rng, made = random.Random(f"editions {seed}"), list(nodes)  # noqa: S311  no secret
    pages = [number for number, node in enumerate(made) if node.kind is Kind.PAGE]
    files = [number for number, node in enumerate(made) if node.kind is Kind.BINARY]
    for number in rng.sample(pages, 1 + len(pages) // _SHARE):
        young = Node(rng.randrange(1 + max(node.host for node in nodes)), f"/young/{number}", Kind.PAGE, since=SECOND)
        made[number] = replace(made[number], changes=True, links=(*made[number].links, len(made)))
        made.append(young)
    for number in rng.sample(files, (len(files) + 1) // _SHARE):
        made[number] = replace(made[number], until=SECOND)
    for number in rng.sample(range(len(nodes)), len(nodes) // 2):
        made[number] = replace(made[number], tagged=True)
    return tuple(made)
