"""Serve a small website on this machine, crawl it with the real command, and say what to type next.

The site is made of about thirty pages and of what real sites have too: a dead link, a redirect, a slow page,
and a robots.txt that asks to leave a folder alone. Nothing leaves the machine.
"""

from __future__ import annotations

import html
import os
import shlex
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

SLOW = 0.6
"""Seconds that the slow page takes."""
CHAPTERS = {
    "light": ("Light", ("Lamps", "Lenses", "Signals", "Fog horns", "The keeper's log")),
    "sea": ("The sea", ("Tides", "Currents", "Shoals", "Ice", "Charts")),
    "birds": ("Birds", ("Gannets", "Puffins", "Terns", "Skuas", "The long way south")),
    "weather": ("Weather", ("Squalls", "Fog", "Frost", "The barometer", "Red sky at night")),
    "stores": ("Stores", ("Oil", "Water", "Bread", "Rope", "Letters from home")),
}
STYLE = (
    "body{font:18px/1.6 Georgia,serif;max-width:38em;margin:3em auto;padding:0 1em;color:#234;background:#fdfcf8}"
    "nav a{margin-right:1em}h1{color:#147;border-bottom:3px solid #fb3}a{color:#147}"
)
ROBOTS = "User-agent: *\nDisallow: /private/\n"


def pages() -> dict[str, tuple[str, str]]:
    """Write the site: path → title and body."""
    site = {"/": ("The lighthouse handbook", "<p>All that a keeper should know.</p>" + _list(_chapter_links()))}
    for key, (title, topics) in CHAPTERS.items():
        links = {f"/{key}/{number}.html": topic for number, topic in enumerate(topics, 1)}
        site[f"/{key}/"] = (title, _list(links))
        for path, topic in links.items():
            text = f"<p>What is known of {html.escape(topic.lower())}, from the chapter on {title.lower()}.</p>"
            site[path] = (topic, text + _list({f"/{key}/": title, "/": "The handbook"}))
    more = {
        "/old-tower.html": "The old tower (moved)",
        "/slow.html": "A slow page",
        "/lost.html": "A page that is lost",
    }
    more["/private/diary.html"] = "The keeper's diary (robots.txt says no)"
    site["/about.html"] = ("About", _list(more))
    site["/new-tower.html"] = ("The new tower", "<p>Built when the old one leaned too far.</p>")
    site["/slow.html"] = ("A slow page", "<p>It took its time.</p>")
    return site


def _chapter_links() -> dict[str, str]:
    return {f"/{key}/": title for key, (title, _) in CHAPTERS.items()} | {"/about.html": "About this handbook"}


def _list(links: dict[str, str]) -> str:
    return f"<ul>{''.join(f'<li><a href={path!r}>{html.escape(name)}</a></li>' for path, name in links.items())}</ul>"


class Answer(BaseHTTPRequestHandler):
    """Answers one request from the site."""

    protocol_version = "HTTP/1.1"
    wbufsize = -1  # header and body in one write: two would wait for each other's acknowledgement
    site = pages()

    def do_GET(self) -> None:
        """Serve a page, or what the site has instead."""
        if self.path == "/slow.html":
            time.sleep(SLOW)
        if self.path == "/robots.txt":
            self._send(200, ROBOTS, "text/plain")
        elif self.path == "/old-tower.html":
            self._send(301, "", location="/new-tower.html")
        elif self.path in self.site:
            title, body = self.site[self.path]
            page = f"<!doctype html><html lang=en><meta charset=utf-8><title>{title}</title><style>{STYLE}</style>"
            self._send(200, f"{page}<nav><a href='/'>Handbook</a></nav><h1>{title}</h1>{body}</html>")
        else:
            self._send(404, "<!doctype html><title>Lost at sea</title><h1>404</h1>")

    def _send(self, status: int, text: str, mime: str = "text/html; charset=utf-8", location: str = "") -> None:
        body = text.encode()
        self.send_response(status)
        self.send_header("Content-Type", mime)
        self.send_header("Content-Length", str(len(body)))
        if location:
            self.send_header("Location", location)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Stay silent: the crawl is what is shown."""


@contextmanager
def served() -> Iterator[str]:
    """Serve the site on a free port of this machine."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Answer) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, name="sample site")
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/"
        finally:
            server.shutdown()
            thread.join()


def run(command: list[str]) -> int:
    """Run a command to its end and return its exit code; being stopped is the command's business alone."""
    with subprocess.Popen(command) as crawl:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the crawl too, and the crawl says what follows
        signal.signal(signal.SIGTERM, lambda *_: crawl.terminate())
        return crawl.wait()


def main() -> int:
    """Crawl the sample site and say what comes next."""
    command = os.environ.get("CRAWLER_COMMAND", "python -m crawler")
    out = Path(tempfile.mkdtemp(prefix="crawl-out-demo-"))
    with served() as url:
        arguments = [url, "--delay", "0", "-o", str(out)]
        print(f"A sample site of {len(Answer.site)} pages is served at {url}. This is run now:\n")
        print(f"  {command} {shlex.join(arguments)}\n", flush=True)
        code = run([sys.executable, "-m", "crawler", *arguments])
    if code == 0:
        print(f"""
That was a whole crawl. Its pages are in {out / "archive"} (WARC), and listed in {out / "pages.jsonl"}.
Now with your own seeds, one URL a line in a file:

  {command} seed.txt
  {command} --help""")
    return code


if __name__ == "__main__":
    sys.exit(main())
