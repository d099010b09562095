"""Section 7: both feeds in a real browser's `EventSource`, from a page of another origin."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from playwright.async_api import BrowserContext, Page

from tests.browser.between import Line, lay_line, serve_page
from tests.contract.asking import Asker
from tests.contract.test_keys import SQLITE, Keys, bearer
from tests.running import run_gateway

FRIEND, STRANGER = "http://friend.example", "http://stranger.example"
MODELS = {
    "echo": {"targets": [{"provider": "chaos", "model": "echo"}]},
    "flux": {"targets": [{"provider": "here", "model": "painter"}]},
}
PROVIDERS = {"chaos": {"kind": "chaos"}, "here": {"kind": "local"}}
LIMITS = {"anonymous": {"requests": "9999/hour", "concurrent": 99}}
PATHS = {"text": "/api/text/feed", "image": "/api/image/feed"}


@dataclass(frozen=True, slots=True)
class Site:
    """A gateway, the line that a browser reaches it by, and pages on other origins."""

    caller: Asker
    line: Line
    url: str
    browser: BrowserContext
    page_port: int

    async def open(self, origin: str = FRIEND) -> Page:
        """Open the page as `origin`."""
        page = await self.browser.new_page()
        await page.goto(f"{origin}:{self.page_port}/")
        return page

    async def read(self, page: Page, name: str, query: str = "") -> None:
        """Read a feed on `page`, from now on."""
        await page.evaluate("([name, url]) => read(name, url)", [name, self.path(name, query)])
        await page.wait_for_function("(name) => feeds[name].opened", arg=name)

    def path(self, name: str, query: str = "") -> str:
        """Return the URL of a feed, by way of the line."""
        return f"{self.url}{PATHS[name]}{query}"

    async def say(self, prompt: str, **headers: str) -> None:
        """Generate a text by GET."""
        answer = await self.caller.get(f"/text/{prompt}?model=echo", **headers)
        assert (answer.status, answer.text.strip()) == (200, prompt)

    async def draw(self, prompt: str) -> None:
        """Draw a picture by GET."""
        answer = await self.caller.get(f"/image/{prompt}?width=96&height=64")
        assert answer.status == 200


async def prompts(page: Page, name: str, count: int) -> list[str]:
    """Return what `page` has read of a feed, once there are `count` events."""
    await page.wait_for_function(
        "([n, count]) => feeds[n].events.length >= count", arg=[name, count]
    )
    events = await page.evaluate("(name) => feeds[name].events", name)
    return [event.get("prompt") or event["messages"][0]["content"] for event in events]


class Begin:
    """Starts a gateway that names the page's origin, and what stands between it and a browser."""

    def __init__(self, stack: AsyncExitStack, browser: BrowserContext, folder: Path) -> None:
        self._stack = stack
        self._browser = browser
        self._folder = folder

    async def __call__(self, **sections: Any) -> Site:  # Any: sections of the file.
        enter = self._stack.enter_async_context
        page_port = await enter(serve_page())
        server = {"cors": {"origins": [f"{FRIEND}:{page_port}"]}}
        document = {
            "server": server,
            "limits": LIMITS,
            "providers": PROVIDERS,
            "models": MODELS,
            **sections,
        }
        gateway = await enter(run_gateway(json.dumps(document), self._folder))
        session = await enter(aiohttp.ClientSession())
        assert gateway.public.port is not None
        line, port = await enter(lay_line(gateway.public.port))
        url = f"http://127.0.0.1:{port}"
        return Site(Asker(session, gateway), line, url, self._browser, page_port)


@pytest.fixture
async def begin(browser: BrowserContext, tmp_path: Path) -> AsyncIterator[Begin]:
    """Start gateways; all is closed at the end, the browser last."""
    async with AsyncExitStack() as stack:
        yield Begin(stack, browser, tmp_path)


async def test_a_page_reads_both_feeds_while_others_generate(begin: Begin) -> None:
    site = await begin()
    page = await site.open()
    await site.read(page, "text")
    await site.read(page, "image")

    async with asyncio.TaskGroup() as others:
        for number in range(5):
            others.create_task(site.say(f"word{number}"))
            others.create_task(site.draw(f"lake{number}"))

    assert sorted(await prompts(page, "text", 5)) == [f"word{number}" for number in range(5)]
    assert sorted(await prompts(page, "image", 5)) == [f"lake{number}" for number in range(5)]


async def test_a_page_reads_what_it_generates_itself(begin: Begin) -> None:
    site = await begin()
    page = await site.open()
    await site.read(page, "text")

    url = f"{site.url}/text/of%20the%20page?model=echo"
    said = await page.evaluate("async (url) => (await fetch(url)).text()", url)

    assert said.strip() == "of the page"
    assert await prompts(page, "text", 1) == ["of the page"]


@pytest.mark.slow
@pytest.mark.parametrize("name", ["text", "image"])
async def test_a_page_whose_connection_is_cut_misses_nothing_and_doubles_nothing(
    begin: Begin, name: str
) -> None:
    site = await begin()
    page = await site.open()
    await site.read(page, name)
    generate = site.say if name == "text" else site.draw

    wanted: list[str] = []
    for cut in range(2):
        for number in range(9):
            if number == 3:
                assert sorted(await prompts(page, name, len(wanted))) == sorted(wanted)
                site.line.cut_in_next_event()
            wanted.append(f"cut{cut}-{number}")
            await generate(wanted[-1])
        await site.line.is_cut.wait()
        await page.wait_for_function(
            "([n, opened]) => feeds[n].opened == opened", arg=[name, cut + 2]
        )
    await generate("last")

    # By name: of pictures that are stored at once the smaller one may appear first.
    assert sorted(await prompts(page, name, len(wanted) + 1)) == sorted([*wanted, "last"])
    ids = await page.evaluate("(name) => feeds[name].ids", name)
    assert ids == sorted(set(ids))
    asked = [head for head in site.line.heads if PATHS[name] in head]
    # The fourth event came in half each time, so the third is the last that was seen.
    seen = [f"last-event-id: {ids[index]}\r\n" for index in (2, 11)]
    assert "last-event-id" not in asked[0]
    assert [one in head for one, head in zip(seen, asked[1:], strict=True)] == [True, True]


async def test_past_results_are_there_for_a_page_that_comes_late(begin: Begin) -> None:
    site = await begin()
    for prompt in "abc":
        await site.say(prompt)
    page = await site.open()

    await site.read(page, "text", "?past_results=2")

    assert await prompts(page, "text", 2) == ["b", "c"]


async def test_the_picture_of_an_event_opens_in_the_page(begin: Begin) -> None:
    site = await begin()
    page = await site.open()
    await site.read(page, "image")

    await site.draw("lake")
    await prompts(page, "image", 1)

    shown = await page.evaluate("() => show(feeds.image.events[0].imageURL)")
    assert shown == [96, 64]


@pytest.mark.parametrize("name", ["text", "image"])
async def test_a_page_that_is_not_allowed_gets_nothing(begin: Begin, name: str) -> None:
    site = await begin()
    friend, stranger = await site.open(), await site.open(STRANGER)
    await site.read(friend, name)
    await stranger.evaluate("([name, url]) => read(name, url)", [name, site.path(name)])
    await stranger.wait_for_function("(name) => feeds[name].source.readyState == 2", arg=name)

    await (site.say if name == "text" else site.draw)("secret")

    assert await prompts(friend, name, 1) == ["secret"]
    assert await stranger.evaluate("(name) => feeds[name].opened", name) == 0
    assert await stranger.evaluate("(name) => feeds[name].events", name) == []


async def test_a_page_that_is_not_allowed_shows_no_picture(begin: Begin) -> None:
    site = await begin()
    friend, stranger = await site.open(), await site.open(STRANGER)
    await site.read(friend, "image")
    await site.draw("lake")
    await prompts(friend, "image", 1)
    url = await friend.evaluate("() => feeds.image.events[0].imageURL")

    assert await stranger.evaluate("(url) => show(url)", url) is None


async def test_where_keys_are_demanded_a_page_reads_with_one_in_the_url(
    begin: Begin, tmp_path: Path
) -> None:
    sections = {
        "state": {"url": SQLITE},
        "auth": {"mode": "keys"},
        "plans": {"default": {"feed": True}},
    }
    key = (await Keys(tmp_path).made())["key"]
    site = await begin(**sections)
    page = await site.open()

    await site.read(page, "text", f"?api_key={key}")
    await page.evaluate("(url) => read('none', url)", site.path("text"))
    await page.wait_for_function("() => feeds.none.source.readyState == 2")
    await site.say("hello", **bearer(key))

    assert await prompts(page, "text", 1) == ["hello"]
    assert await page.evaluate("() => feeds.none.opened") == 0
