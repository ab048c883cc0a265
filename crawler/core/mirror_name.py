r"""The name of a page's file below ``mirror/``: readable, safe on every file system, and nobody else's.

A URL whose every part is a safe name already keeps it: ``https://example.org/docs/guide.html`` is
``example.org/docs/guide.html``, ``/docs/`` is ``docs/index.html`` and ``/docs`` is ``docs~.html``.
These *plain* names can be read back as URLs, so no two are alike.
Any other URL gets the nearest safe name and 80 bits of its hash: ``/docs/Guide?p=2`` is ``docs/Guide_p=2~k3v7….html``.
What keeps all of them apart, on file systems that ignore case too:

- the first folder says scheme, host and port (``example.org``, ``example.org@http``, ``example.org@http-8080``),
  with an ``@``, which no host name has;
- plain names are lower-case ASCII; a URL that itself ends like ``~.html`` or like a hash has no plain name;
- a file always ends in one of the extensions of a closed list, a folder never does,
  so ``/a.html`` and ``/a.html/b`` are not in each other's way;
- ``index`` is the name of a folder's own page alone.

Safe means: no control characters, no ``..``, nothing hidden, nothing that a command takes for an option, no device
name of Windows, none of ``<>:"/\|?*``, 100 bytes a part, 400 in all.
"""

from __future__ import annotations

import re
import unicodedata
from base64 import b32encode
from hashlib import blake2b
from urllib.parse import unquote

LONGEST_PART = 100
LONGEST_PATH = 400

_MIME_EXTENSIONS = {
    "text/html": "html",
    "application/xhtml+xml": "xhtml",
    "text/plain": "txt",
    "text/css": "css",
    "text/csv": "csv",
    "text/markdown": "md",
    "text/calendar": "ics",
    "text/javascript": "js",
    "application/javascript": "js",
    "application/x-javascript": "js",
    "application/json": "json",
    "application/ld+json": "jsonld",
    "application/xml": "xml",
    "text/xml": "xml",
    "application/rss+xml": "rss",
    "application/atom+xml": "atom",
    "application/pdf": "pdf",
    "application/epub+zip": "epub",
    "application/zip": "zip",
    "application/gzip": "gz",
    "application/wasm": "wasm",
    "image/jpeg": "jpg",
    "image/png": "png",
    "image/gif": "gif",
    "image/webp": "webp",
    "image/avif": "avif",
    "image/svg+xml": "svg",
    "image/x-icon": "ico",
    "image/vnd.microsoft.icon": "ico",
    "audio/mpeg": "mp3",
    "audio/ogg": "ogg",
    "video/mp4": "mp4",
    "video/webm": "webm",
    "font/woff": "woff",
    "font/woff2": "woff2",
    "font/ttf": "ttf",
    "font/otf": "otf",
}
_EXTENSIONS = frozenset(_MIME_EXTENSIONS.values()) | frozenset(
    """7z asp aspx bin bmp bz2 cgi doc docx eot exe flac htm iso jar jpeg jsp less map mjs mkv mov mpg odp ods odt oga
    ogv php pl ppt pptx ps py rar rb rdf rst rtf shtml sql svgz swf tar tex tgz tif tiff tsv wav webmanifest wma wmv
    xls xlsx xsl xz yaml yml zst""".split()  # noqa: SIM905 - a table of words reads better than sixty in quotes
)
_FALLBACK = "bin"

_PLAIN = re.compile(r"(?![.-]|.*~[0-9])[a-z0-9!$&'()+,;=@_~.-]{1,100}(?<!\.)")
"""What may stay as it is; not ``~1``, by which Windows abbreviates the names of other files."""
_PLAIN_HOST = re.compile(r"(?![.-])[a-z0-9._-]{1,80}(?<!\.)")
_ABBREVIATION = re.compile(r"~(?=[0-9])")
_MARKED = re.compile(r"~(?:[a-z2-7]{16})?\.[a-z0-9]+$")
_DEVICE = re.compile(r"(?:con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³]|conin\$|conout\$) *(?:\.|$)", re.IGNORECASE)
_URL = re.compile(r"(https?)://(\[[0-9a-f:]{2,39}\]|[^/?#@:\[\]]+)(?::([0-9]{1,5}))?(/[^?#]*)(.*)", re.DOTALL)
_KEPT = frozenset("!$&'()+,;=@_~.-")


def mirror_name(url: str, mime: str) -> str:
    """Return a relative POSIX path for the body of a URL; it depends on the arguments alone.

    Two different URLs never get paths that are equal, differ by case alone, or of which one is a folder on the way to
    the other, whatever their MIME types.

    Args:
        url: a crawl URL; any other text gets a safe name too, in the folder ``_``.
        mime: MIME type without parameters; it chooses the extension where the URL has none.
    """
    match = _URL.fullmatch(url)
    if match is None:
        return f"_/{_hashed('', url, _extension_of(mime))}"
    scheme, host, port, path, query = match.groups()
    *folders, last = path[1:].split("/")
    top, is_plain_top = _top(scheme, host, port)
    extension = _extension_in(last)
    if is_plain_top and not query and all(map(_is_plain_folder, folders)):
        file = _plain_file(last, extension, mime)
        name = "/".join([top, *folders, file])
        if file and len(name) <= LONGEST_PATH:
            return name
    stem = unquote(last[: -len(extension) - 1] if extension else last) or "index"
    if query:
        stem = f"{stem}_{unquote(query[1:])}"
    file = _hashed(stem, url, extension or _extension_of(mime))
    return "/".join([top, *_safe_folders(folders, LONGEST_PATH - len(top.encode()) - 1 - len(file.encode())), file])


def _top(scheme: str, host: str, port: str | None) -> tuple[str, bool]:
    """Name the folder of a host, and tell whether it can be read back."""
    if host.startswith("["):
        name, plain = "ipv6@" + host[1:-1].replace(":", "-"), True
    else:
        plain = bool(_PLAIN_HOST.fullmatch(host)) and not _DEVICE.match(host)
        name = host if plain else _safe(host, 80)
    if port:
        return f"{name}@{scheme}-{port}", plain
    return (name if scheme == "https" else f"{name}@{scheme}"), plain


def _is_plain_folder(part: str) -> bool:
    return bool(_PLAIN.fullmatch(part)) and not _extension_in(part) and not _DEVICE.match(part)


def _plain_file(last: str, extension: str, mime: str) -> str:
    """Return the plain name of a file, empty if the last part of the path has none."""
    if not last:
        return f"index.{_extension_of(mime)}"
    if not _PLAIN.fullmatch(last) or _DEVICE.match(last):
        return ""
    if extension:
        return "" if last.startswith("index.") or _MARKED.search(last) else last
    name = f"{last}~.{_extension_of(mime)}"
    return name if len(name) <= LONGEST_PART else ""


def _extension_in(part: str) -> str:
    extension = part.rpartition(".")[2].casefold() if "." in part else ""
    return extension if extension in _EXTENSIONS else ""


def _extension_of(mime: str) -> str:
    kind = mime.partition(";")[0].strip().lower()
    if kind in _MIME_EXTENSIONS:
        return _MIME_EXTENSIONS[kind]
    if kind.endswith("+xml"):
        return "xml"
    if kind.endswith("+json"):
        return "json"
    return "txt" if kind.startswith("text/") else _FALLBACK


def _hashed(stem: str, url: str, extension: str) -> str:
    digest = blake2b(url.encode("utf-8", "surrogatepass"), digest_size=10).digest()
    end = f"~{b32encode(digest).decode().lower()}.{extension}"
    return _safe(stem, LONGEST_PART - len(end)) + end


def _safe_folders(parts: list[str], room: int) -> list[str]:
    """Make folders safe, as many from the top as there is room for."""
    folders = []
    for part in parts:
        folder = _safe(unquote(part), LONGEST_PART - 1)
        if _extension_in(folder):
            folder += "_"
        room -= len(folder.encode()) + 1
        if room < 0:
            break
        folders.append(folder)
    return folders


def _safe(text: str, room: int) -> str:
    """Return the nearest name that is safe, in at most ``room`` bytes; letters of every script stay."""
    composed = unicodedata.normalize("NFC", _ABBREVIATION.sub("_", text[:room]))
    kept = "".join(c if c in _KEPT or unicodedata.category(c)[0] in "LMN" else "_" for c in composed)
    if _DEVICE.match(kept) or not kept or kept[0] in ".-":
        kept = f"_{kept}"
    cut = kept.encode()[:room].decode("utf-8", "ignore")
    return f"{cut[:-1]}_" if cut.endswith(".") else cut
