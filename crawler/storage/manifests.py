"""The manifests of one folder's snapshots in one place: claimed, written, kept and swept away. Blocking.

What a manifest is, and why a claim keeps other writers out, is written in :mod:`crawler.core.manifest`.
The folder keeps in ``snapshot.json`` which manifests it has written or was brought back from, noted before each is
written. If the newest manifest of the store is none of them, somebody else has gone on with the crawl.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from uuid import uuid4

import msgspec

from crawler.core.manifest import (
    MANIFESTS,
    Manifest,
    litter,
    manifest_key,
    manifest_number,
    newest,
    read_manifest,
    superseded,
)
from crawler.errors import Overtaken, SnapshotDamaged, UsageError
from crawler.storage.object_store import ObjectStore
from crawler.storage.whole_file import write_whole

NAME = "snapshot.json"
_MOST_MANIFEST = 64 << 20
_MOST_CLAIMS = 5
_OTHER_KIND = {
    True: "holds snapshots of a crawl that several shards share; go on with --cluster, or name another place",
    False: "holds snapshots of a crawl without a cluster; name another place",
}


class _Held(msgspec.Struct, frozen=True):
    """What the folder knows of the place: the manifests that may be its own, by number, each with its digest."""

    place: str
    manifests: dict[int, str] = {}
    base: int = 0
    """The snapshot that the folder was brought back from, if it was not the newest."""


class Manifests:
    """The manifests in one place, as seen from one folder.

    Args:
        store: the place.
        folder: the output folder.
        keep: different snapshots to keep, the newest ones.
        shared: whether they are of a crawl that several shards share, as a whole.

    Raises (by every method):
        StoreUnreachable: the store does not answer, or refuses; a later call may succeed.
        Overtaken: another crawl has gone on from here.
    """

    def __init__(self, store: ObjectStore, folder: Path, *, keep: int, shared: bool = False) -> None:
        self._store = store
        self._folder = folder
        self._keep = keep
        self._shared = shared
        self._there: dict[int, Manifest] = {}
        self._unheard: Manifest | None = None
        self.writer = uuid4().hex
        self.claimed = 0
        """The number with which the place was taken over."""
        self.newest = Manifest(number=0, claim=0)
        """The newest one; may be asked from any thread."""

    def is_ours(self, last: int) -> bool:
        """Tell whether the folder has what the newest snapshot has, or more; also if there is none yet."""
        return not last or self._held().manifests.get(last) == _digest(self.load(last)[1])

    def take_over(self, last: int, *, there: bool) -> None:
        """Write the newest manifest once more, under our name."""
        for _ in range(_MOST_CLAIMS):
            held = self._held()
            base, content = self.load(last) if last else (Manifest(number=0, claim=0), b"")
            if base.pieces and base.shared != self._shared:
                raise UsageError(_OTHER_KIND[base.shared], where=self._store.url)
            if there and last and held.manifests.get(last) != _digest(content):
                raise Overtaken(_overtaken(self._store.url, last), where=str(self._folder))
            if there and held.base:
                base, _ = self.load(held.base)
            self.claimed = last + 1
            claim = msgspec.structs.replace(base, number=last + 1, claim=last + 1, writer=self.writer)
            try:
                return self.publish(claim)
            except Overtaken:
                last = newest(self._store.keys(MANIFESTS))
        raise Overtaken(f"{self._store.url}: others claim it again and again", where=str(self._folder))

    def publish(self, manifest: Manifest) -> None:
        """Make a snapshot count: write its manifest, unless another crawl has written one of that number."""
        content = msgspec.json.encode(manifest)
        held = self._held()
        self.note({**held.manifests, manifest.number: content}, base=held.base)
        self._unheard = manifest
        key = manifest_key(manifest.number)
        if not self._store.create(key, content):
            self._unheard = None
            raise Overtaken(_overtaken(self._store.url, manifest.number), where=str(self._folder))
        self._settled(manifest, content)

    def settle(self) -> None:
        """Find out what became of a manifest whose writing had no answer."""
        if (manifest := self._unheard) is None:
            return
        content = msgspec.json.encode(manifest)
        try:
            found = self._store.content(manifest_key(manifest.number), most=_MOST_MANIFEST)
        except FileNotFoundError:
            self._unheard = None
            return
        if found != content:
            raise Overtaken(_overtaken(self._store.url, manifest.number), where=str(self._folder))
        self._settled(manifest, content)

    def _settled(self, manifest: Manifest, content: bytes) -> None:
        """Take note that a manifest stands, unless there are later ones: then its number had been swept away."""
        last = newest(self._store.keys(MANIFESTS))
        if last > manifest.number:
            self._store.remove([manifest_key(manifest.number)])
            raise Overtaken(_overtaken(self._store.url, last), where=str(self._folder))
        self._unheard = None
        self.newest = self._there[manifest.number] = manifest
        self.note({manifest.number: content})

    def load(self, number: int) -> tuple[Manifest, bytes]:
        """Read a manifest, as it is meant and as it is written.

        Raises:
            UsageError: there is none of that number.
            SnapshotDamaged: it cannot be trusted.
        """
        key = manifest_key(number)
        where = f"{self._store.url}/{key}"
        try:
            content = self._store.content(key, most=_MOST_MANIFEST)
            return read_manifest(content, number), content
        except FileNotFoundError as error:
            raise UsageError(f"there is no snapshot {number}", where=self._store.url) from error
        except ValueError as error:
            raise SnapshotDamaged(str(error), where=where) from error

    def _held(self) -> _Held:
        """Read what the folder knows of this place; nothing if that cannot be read."""
        with suppress(OSError, msgspec.MsgspecError):
            held = msgspec.json.decode((self._folder / NAME).read_bytes(), type=_Held)
            if held.place == self._store.url:
                return held
        return _Held(self._store.url)

    def note(self, manifests: Mapping[int, bytes | str], base: int = 0) -> None:
        """Write down which manifests may be the folder's own."""
        digests = {number: one if isinstance(one, str) else _digest(one) for number, one in manifests.items()}
        write_whole(self._folder / NAME, msgspec.json.encode(_Held(self._store.url, digests, base)))

    # what is needed no more

    def sweep(self, keys: Sequence[str]) -> None:
        """Remove what had no manifest before we claimed the place: whoever wrote it cannot write one any more."""
        for number in filter(None, map(manifest_number, keys)):
            with suppress(SnapshotDamaged, UsageError):  # one that cannot be read names nothing that is kept
                self._there.setdefault(number, self.load(number)[0])
        kept = list(self._there.values())
        self._store.remove(litter(keys, kept))
        self.drop()

    def drop(self) -> None:
        """Remove the oldest snapshots, each manifest before its objects."""
        states = {number: manifest.state for number, manifest in self._there.items()}
        for number in superseded(states, self._keep):
            self._store.remove([manifest_key(number)])
            gone = self._there.pop(number)
            self._store.remove(litter((piece.key for piece in gone.pieces), self._there.values()))


def _digest(content: bytes) -> str:
    return sha256(content).hexdigest()


def _overtaken(url: str, number: int) -> str:
    return (
        f"another crawl has written snapshot {number} of {url}; to go on from there, name an empty folder,"
        " or for a crawl of its own another place"
    )
