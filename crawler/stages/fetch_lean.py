"""LOOP: CrawlURL → Fetched, by the lean client."""

from __future__ import annotations

from crawler.config import Fetch
from crawler.core.http_reader import Broken, End, Event, Head
from crawler.core.records import CrawlURL
from crawler.net.exchange import Exchange
from crawler.net.lean import LeanSession, Origin
from crawler.net.room import Room
from crawler.stages.fetch import Answer, ByClient, conditions


class LeanFetcher(ByClient):
    """Fetch by the lean client; a :class:`~crawler.stages.fetch.Fetcher`.

    Args:
        session: the client, already open.
        settings: deadlines and caps.
        room: where large bodies are counted while they come.
        max_retry_after: seconds; a longer Retry-After is cut to this.
    """

    def __init__(self, session: LeanSession, settings: Fetch, room: Room, *, max_retry_after: float) -> None:
        super().__init__(settings, room, max_retry_after=max_retry_after)
        self._session = session

    async def _ask(self, source: CrawlURL, exchange: Exchange, answer: Answer) -> None:
        session, clock = self._session, self._clock

        def receive(events: list[Event]) -> bool:
            for event in events:
                if isinstance(event, bytes):
                    if not answer.take(event):
                        return False
                elif isinstance(event, Head):
                    answer.headed(clock(), event.status, event.reason, event.raw)
                    if answer.refuses(event.size or 0):
                        return False
                elif isinstance(event, Broken):
                    answer.failed(event.outcome, event.detail)
            if not isinstance(events[-1], End):
                answer.expect_more(clock())
            return True

        origin = Origin.of(source.url)
        request, archived = session.request(origin, source, conditions(source), trusted=exchange.trusted)
        connection = await session.connection(origin, exchange)
        try:
            answered = connection.ask(request, receive)
            exchange.connected(connection)  # not before: the host's delay begins when the request has left
            await answered
        finally:
            session.release(connection)
        if answer.head:
            answer.request = archived
