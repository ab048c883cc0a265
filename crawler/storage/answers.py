"""Answers on their way into the archive: each as a record of its own, or as a revisit of the one with its payload."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from crawler.core import warc
from crawler.core.outcomes import Outcome
from crawler.core.records import Parsed, Place
from crawler.storage.archive import Archive
from crawler.storage.attempt import Attempt
from crawler.storage.database import Database
from crawler.storage.page_table import Origin, PageTable, may_be_referred_to


class Stands(NamedTuple):
    """Where an answer stands in the archive."""

    record: Place | None
    payload: Place | None
    """The record that holds its payload: an earlier one, if its own is a revisit."""


NOWHERE = Stands(None, None)


class _Record(NamedTuple):
    """A response on its way to the archive."""

    member: int
    length: int
    digest: bytes
    """Of its payload, if others may refer to it; else empty."""
    revisit: bool


class Answers:
    """Appends answers to the archive.

    Args:
        archive: where they go.
        pages: knows which payloads it holds.
        database: of these pages.
    """

    def __init__(self, archive: Archive, pages: PageTable, database: Database) -> None:
        self._archive = archive
        self._pages = pages
        self._database = database

    def append(self, attempts: Sequence[Attempt]) -> list[Stands]:
        """Append the records of all answers; one that has a known payload becomes a revisit."""
        members: list[bytes] = []
        records: list[_Record | None] = []
        origins = self._origins(attempts)
        for attempt in attempts:
            fetched, parsed = attempt.fetched, attempt.parsed
            if not (parsed and parsed.record):
                records.append(None)
                continue
            request, response = parsed.record[: parsed.request_size], parsed.record[parsed.request_size :]
            digest = parsed.digest if _may_refer(attempt) else b""
            origin = origins.get(digest)
            if origin is not None:
                response = _revisit(attempt, parsed, origin)
            elif may_be_referred_to(fetched):
                origins[digest] = (fetched.source.url, fetched.began_at, None)
            members += (request, response)
            records.append(_Record(len(members) - 1, len(response), digest, revisit=origin is not None))
        where = self._archive.append(members) if members else []
        return list(_stand(records, where, {digest: place for digest, (_, _, place) in origins.items()}))

    def _origins(self, attempts: Sequence[Attempt]) -> dict[bytes, Origin]:
        asked = {one.parsed.digest for one in attempts if one.parsed and _may_refer(one)}
        with self._database.refusing():
            return self._pages.origins(asked)


def _may_refer(attempt: Attempt) -> bool:
    """Whether a record may point to another one that holds its payload: the same bytes came, or none needed to."""
    unchanged = attempt.outcome is Outcome.NOT_MODIFIED and attempt.fetched.source.earlier.payload is not None
    return unchanged or may_be_referred_to(attempt.fetched)


def _stand(
    records: Iterable[_Record | None], where: Sequence[tuple[str, int]], payloads: dict[bytes, Place | None]
) -> Iterator[Stands]:
    for one in records:
        if one is None:
            yield NOWHERE
            continue
        place = Place(*where[one.member], one.length, one.revisit)
        if not one.revisit:
            payloads[one.digest] = place
        yield Stands(place, payloads[one.digest])


def _revisit(attempt: Attempt, parsed: Parsed, earlier: Origin) -> bytes:
    fetched = attempt.fetched
    return warc.revisit(
        fetched.source.url,
        fetched.head,
        digest=parsed.digest,
        address=fetched.address,
        date=fetched.began_at,
        refers_to=earlier[:2],
        record_id=parsed.record_id,
        profile=warc.NOT_MODIFIED if attempt.outcome is Outcome.NOT_MODIFIED else warc.IDENTICAL,
    )
