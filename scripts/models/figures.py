"""What was measured: records without any behaviour but arithmetic, so that they can be stored and told again."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import median

SERIAL = "serial"
THREADS = "threads"
PROCESSES = "processes"
QUEUE = "queue + sentinels"
ALONE = "asyncio alone"
WITH_THREADS = "asyncio + threads"
HYBRID = "hybrid"
CRAWLER = "the crawler"
INLINE = "crawler, inline"


@dataclass(frozen=True, slots=True)
class Once:
    """One run of one model, seconds."""

    ready: float
    """To start its threads and processes, before the clock of ``wall`` starts."""
    wall: float
    cpu: float
    """User and system time of this process and of all that it started, the server excepted."""
    own: float
    """What this process had to bear of it: with its one GIL it has little more than one core for that."""
    held_up: float
    """How long this process's main thread could have gone on, but other programs had the cores."""
    others: float
    """Seconds of our cores that went to programs which have no part in this."""


@dataclass(frozen=True, slots=True)
class Row:
    """All runs of one model on one work; what is told are medians of the quieter half.

    Quiet is a run in which other programs took little, whatever the run itself came to.
    """

    model: str
    runs: tuple[Once, ...]

    @property
    def quiet(self) -> list[Once]:
        """The half of the runs in which other programs took least; of an odd number, the larger half."""
        return sorted(self.runs, key=lambda run: run.others / run.wall)[: (len(self.runs) + 1) // 2]

    @property
    def ready(self) -> float:
        """Seconds to get ready."""
        return median(run.ready for run in self.quiet)

    @property
    def wall(self) -> float:
        """Seconds on the clock."""
        return median(run.wall for run in self.quiet)

    @property
    def cpu(self) -> float:
        """Seconds of CPU."""
        return median(run.cpu for run in self.quiet)

    @property
    def own(self) -> float:
        """Seconds of CPU in the process that started the others."""
        return median(run.own for run in self.quiet)

    @property
    def busy(self) -> float:
        """CPU seconds to a second on the clock: 1 is one core at work all the time."""
        return median(run.cpu / run.wall for run in self.quiet)

    @property
    def held_up(self) -> float:
        """The share of the time, 0..1, in which the main thread could have gone on but had no core."""
        return median(min(1.0, run.held_up / run.wall) for run in self.quiet)

    def others(self, cores: int) -> float:
        """Return the share, 0..1, of so many cores that other programs took."""
        return median(min(1.0, run.others / (run.wall * cores)) for run in self.quiet)

    def waiting(self, cores: int) -> float:
        """Return the share, 0..1, of what so many cores could have computed meanwhile and did not."""
        return min(1.0, max(0.0, 1 - self.busy / cores))


@dataclass(frozen=True, slots=True)
class Measured:
    """One work, done in every model."""

    key: str
    """A, B, C, T or O."""
    title: str
    pages: int
    threads: int
    """How many the model of threads has."""
    latency: float
    """Seconds until a page is there; 0.0 if it is at hand."""
    rows: tuple[Row, ...] = ()
    cores: int = 0
    """How many cores the models may use; 0 is all of the machine's."""

    def row(self, model: str) -> Row | None:
        """Return the row of a model, if it was measured."""
        return next((row for row in self.rows if row.model == model), None)

    @property
    def best(self) -> Row:
        """The row that took the least time."""
        return min(self.rows, key=lambda row: row.wall)


@dataclass(frozen=True, slots=True)
class Hop:
    """What it costs to send a page to another process and get an answer back, microseconds of CPU a page."""

    size: int
    """Bytes of a page."""
    most: int
    """Pages of a batch, at most."""
    here: float
    """In the process that sends."""
    there: float
    """In the process that receives."""
    rate: float
    """Pages a second."""

    @property
    def whole(self) -> float:
        """On both sides together."""
        return self.here + self.there


@dataclass(frozen=True, slots=True)
class Costs:
    """What a page costs, microseconds of CPU."""

    hops: tuple[Hop, ...]
    """Of real pages, from one a batch to the largest batch."""
    tiny_hops: tuple[Hop, ...]
    """Of tiny pages, likewise."""
    page: float
    """To read one page where it is."""
    tiny: float
    """To read one tiny page where it is."""


@dataclass(frozen=True, slots=True)
class Machine:
    """Where it was measured, and when."""

    date: str
    cores: int
    cpu: str
    kernel: str
    python: str
    load: float
    """Load average before it began: what others did meanwhile."""


@dataclass(frozen=True, slots=True)
class Size:
    """How much work it was."""

    urls: int
    latency_ms: float
    pages: int
    tinies: int
    workers: int
    concurrency: int
    repeat: int


@dataclass(frozen=True, slots=True)
class Figures:
    """All that a run of this script has found."""

    machine: Machine
    size: Size
    works: tuple[Measured, ...]
    costs: Costs
