"""The page of a report in a real browser: it draws, says nothing on the console, fits a phone, and lets nothing run."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from crawler import crawl
from crawler.report.page.page import html
from crawler.report.report import Ending, Progress
from crawler.serve.address import Address
from crawler.serve.server import Server
from crawler.testing.site import Site
from tests.chromium import needs_chromium, tab
from tests.conftest import EAGER
from tests.report.samples import DRAWN, HOSTILE

pytestmark = needs_chromium


def written(folder: Path, page: bytes) -> str:
    (folder / "report.html").write_bytes(page)
    return (folder / "report.html").as_uri()


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_every_picture_is_drawn_and_nothing_is_complained_of_or_fetched(scheme: str, tmp_path: Path) -> None:
    url = written(tmp_path, html(DRAWN))

    async with tab(tmp_path / "profile") as page:
        await page.open(url, scheme=scheme)

        sizes = await page.value(
            "[...document.querySelectorAll('.plot .area, .plot rect.latency, .bars li rect:nth-of-type(2)')]"
            ".map(one => one.getBoundingClientRect()).map(box => Math.min(box.width, box.height))"
        )
        background = await page.value("getComputedStyle(document.body).backgroundColor")
        assert len(sizes) > 30
        assert sum(size > 0 for size in sizes) > 30
        assert background == {"light": "rgb(251, 250, 248)", "dark": "rgb(23, 24, 27)"}[scheme]
        assert page.complaints == []
        assert [one for one in page.requests if not one.startswith("data:")] == [url]


@pytest.mark.parametrize("width", [320, 360, 1000])
async def test_it_fits_its_window_however_narrow(width: int, tmp_path: Path) -> None:
    url = written(tmp_path, html(HOSTILE))

    async with tab(tmp_path / "profile") as page:
        await page.open(url, width=width)
        await page.value("document.querySelectorAll('details').forEach(one => one.open = true)")

        assert await page.value("document.documentElement.scrollWidth") == width


async def test_what_others_have_written_is_shown_as_text_and_runs_nothing(tmp_path: Path) -> None:
    url = written(tmp_path, html(HOSTILE))

    async with tab(tmp_path / "profile") as page:
        await page.open(url)

        assert await page.value("document.querySelectorAll('script, img, iframe, base, form, a').length") == 0
        assert await page.value("window.hacked === undefined")
        assert await page.value("document.title.startsWith('Crawl of')")
        told = await page.value("document.body.innerText")
        assert told.count("<script>window.hacked = 1</script>") >= 5
        assert page.complaints == []


async def test_a_script_that_got_in_would_not_run(tmp_path: Path) -> None:
    hole = html(DRAWN).replace(b"</main>", b"<script>window.hacked = 1</script><img src=x onerror='hacked = 2'></main>")
    url = written(tmp_path, hole)

    async with tab(tmp_path / "profile") as page:
        await page.open(url)

        assert await page.value("window.hacked === undefined")
        assert "Content Security Policy" in " ".join(page.complaints)


async def test_the_live_page_is_drawn_under_the_policy_of_its_header_too(tmp_path: Path) -> None:
    running = msgspec.structs.replace(DRAWN, ending=Ending.RUNNING)

    async with Server(Address("127.0.0.1", 0), lambda: running, Progress) as server, tab(tmp_path / "profile") as page:
        await page.open(server.address.url)

        assert await page.value("document.querySelectorAll('.plot .area').length") > 5
        assert await page.value("getComputedStyle(document.body).backgroundColor") == "rgb(251, 250, 248)"
        assert page.complaints == []


async def test_the_page_of_a_real_crawl_is_drawn(site: Site, tmp_path: Path) -> None:
    site.page("/", links=[f"/{number}?<script>window.hacked=1</script>" for number in range(30)])
    await crawl([site.url("/")], config=EAGER, out=tmp_path / "out")

    async with tab(tmp_path / "profile") as page:
        await page.open((tmp_path / "out" / "report.html").as_uri())

        assert "31 URLs ended in this run" in await page.value("document.body.innerText")
        assert await page.value("window.hacked === undefined")
        assert len(await page.picture()) > 10_000
        assert page.complaints == []
