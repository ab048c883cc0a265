"""What of the frontier is in memory: which hosts, and how many of the queued URLs of each.

Memory holds a bounded window. Each host has a cursor into the frontier on disk: queued URLs with a higher row are on
disk only and counted in its ``backlog``. :meth:`Window.wants` says what to load.
Rows that are queued again may lie before the cursor; a host is read from its first row once more when all else of it
has been committed, since then what is queued on disk is these alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from msgspec import Struct

from crawler.core.host_queue import HostQueue

_FIRST = -1
"""The cursor of a host that is read from its first row; 0 would open it anew."""


class Want(Struct, frozen=True):
    """Queued URLs of a host that memory has room for."""

    host: str
    after: int
    """Rows beyond this one."""
    limit: int


class Window:
    """Hosts and URLs on their way from disk to memory.

    Args:
        hosts: those in memory, by key; it lets go of some where others need their room.
        urls: in memory, at most; every host may have a few even when that is exceeded.
        most_hosts: in memory, at most.
    """

    def __init__(self, hosts: dict[str, HostQueue], *, urls: int, most_hosts: int) -> None:
        self._hosts = hosts
        self._urls = urls
        self._most_hosts = most_hosts
        self.elsewhere = False
        """Whether hosts with queued URLs are on disk only, for want of room."""
        self._unopened: dict[str, None] = {}  # in the order in which they were met
        self._opening: set[str] = set()
        self._thirsty: set[HostQueue] = set()

    @property
    def complete(self) -> bool:
        """Whether every host with queued URLs is in memory."""
        return not (self._unopened or self._opening or self.elsewhere)

    @property
    def hungry(self) -> bool:
        """Whether :meth:`wants` has something to say."""
        return bool(self._unopened or self._thirsty)

    @property
    def loading(self) -> bool:
        """Whether hosts are on their way to memory, or it waits for URLs of some."""
        return self.hungry or bool(self._opening)

    @property
    def held(self) -> set[str]:
        """All hosts that memory holds or is about to."""
        return {*self._hosts, *self._unopened, *self._opening}

    # hosts

    def met(self, host: str) -> None:
        """Take note of a host that has queued URLs and is not in memory."""
        if host in self._unopened or host in self._opening:
            return
        if self._count() < self._most_hosts:
            self._unopened[host] = None
        else:
            self.elsewhere = True

    def expect(self, hosts: Iterable[str], *, more: bool) -> None:
        """Take hosts from disk that have queued URLs; ``more`` says whether others are left there."""
        self._unopened.update(dict.fromkeys(hosts))
        self.elsewhere = more

    def opened(self, queue: HostQueue) -> None:
        """Take a host into memory."""
        self._opening.discard(queue.key)
        self._hosts[queue.key] = queue

    def room_for_hosts(self, now: float) -> int:
        """Return how many more hosts memory can take, after letting go of those that are done."""
        if self._count() >= self._most_hosts:
            for queue in list(self._hosts.values()):
                if queue.idle and not queue.unfinished and queue.next_at <= now:
                    del self._hosts[queue.key]
        return max(0, self._most_hosts - self._count())  # those met while others were looked for may be too many

    def _count(self) -> int:
        return len(self._hosts) + len(self._unopened) + len(self._opening)

    # URLs

    def wants(self) -> Iterator[Want]:
        """Say which hosts should be loaded from disk, and mark them as being loaded."""
        share = self._share()
        unopened, self._unopened = self._unopened, {}
        self._opening.update(unopened)
        yield from (Want(host, after=0, limit=share) for host in unopened)
        while self._thirsty:
            queue = self._thirsty.pop()
            if queue.backlog and not queue.loading:
                queue.loading = True
                yield Want(queue.key, after=queue.cursor, limit=share)

    def has_room(self, queue: HostQueue) -> bool:
        """Tell whether a URL that has just become queued may stay in memory; if not, count it as on disk only."""
        if not (queue.backlog or queue.loading or len(queue.waiting) >= self._share()):
            return True
        queue.backlog += 1
        queue.dry = False
        self.thirst(queue)
        return False

    def thirst(self, queue: HostQueue) -> None:
        """Have a host loaded that has few URLs left in memory, and more on disk."""
        if queue.backlog and not queue.loading and not queue.dry and len(queue.waiting) <= self._share() // 4:
            self._thirsty.add(queue)

    def fell_behind(self, queue: HostQueue, count: int) -> None:
        """Take note of URLs that are queued again, in rows that may lie before the cursor."""
        queue.backlog += count
        queue.behind = True
        self.thirst(queue)
        self.turn_back(queue)

    def ran_dry(self, queue: HostQueue) -> None:
        """Take note that nothing was found beyond the cursor of a host, though it has a backlog."""
        self._thirsty.discard(queue)
        queue.dry = True
        self.turn_back(queue)

    def turn_back(self, queue: HostQueue) -> None:
        """Read a host from its first row once more, when nothing is queued on disk but what is not in memory."""
        if not queue.dry or queue.waiting or queue.later or queue.loading or queue.unfinished:
            return
        queue.cursor, queue.behind, queue.dry = _FIRST, False, False
        self.thirst(queue)

    def _share(self) -> int:
        """Return how many URLs of one host memory holds."""
        return max(16, min(4_096, self._urls // max(1, len(self._hosts))))
