"""Two processes answer callers as one gateway does; each test calls from an address of its own."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from itertools import count
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.cli.command_line import CommandLine
from tests.supervisor.several import ADMIN, CONFIG, Several, running, until

pytestmark = pytest.mark.slow
_NUMBERS = count(1)
_TIMEOUT = aiohttp.ClientTimeout(total=50)


@pytest.fixture(scope="module")
def several(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Several]:
    """A gateway of two workers for all tests of this file."""
    folder = tmp_path_factory.mktemp("several")
    for name in ("here", "site"):
        (folder / name).mkdir()
    with running(CommandLine(folder / "here", folder / "site")) as gateway:
        yield gateway


@pytest.fixture
async def session(several: Several) -> AsyncIterator[aiohttp.ClientSession]:
    """A caller of whom nobody has heard, who opens a connection for each call."""
    headers = {"X-Forwarded-For": f"198.51.100.{next(_NUMBERS)}"}
    async with aiohttp.ClientSession(
        several.url,
        headers=headers,
        connector=aiohttp.TCPConnector(limit=0, force_close=True),
        timeout=_TIMEOUT,
    ) as client:
        yield client


def chat(model: str, *, stream: bool = False) -> dict[str, Any]:
    """Return the words of a question for `session.post`."""
    messages = [{"role": "user", "content": "hi"}]
    return {
        "url": "/v1/chat/completions",
        "json": {"model": model, "messages": messages, "stream": stream},
    }


async def status(session: aiohttp.ClientSession, model: str) -> int:
    async with session.post(**chat(model)) as answer:
        await answer.read()
        return answer.status


async def text(session: aiohttp.ClientSession, model: str) -> str:
    async with session.post(**chat(model)) as answer:
        document = await answer.json()
        words: str = document["choices"][0]["message"]["content"]
        return words


async def test_connections_go_to_both_workers(several: Several) -> None:
    async with AsyncExitStack() as stack:
        for _ in range(40):
            _, writer = await asyncio.open_connection("127.0.0.1", several.port)
            stack.callback(writer.close)

        until(lambda: sum(several.connections().values()) >= 40)

        assert len(several.workers) == 2
        assert all(several.connections().values())


async def test_exactly_the_limit_is_admitted_over_both(session: aiohttp.ClientSession) -> None:
    # Ten at once is another limit.
    places = asyncio.Semaphore(8)

    async def call() -> int:
        async with places:
            return await status(session, "echo")

    statuses = await asyncio.gather(*(call() for _ in range(130)))

    assert sorted(statuses) == [200] * 100 + [429] * 30


async def test_ten_calls_at_once_are_ten_over_both(session: aiohttp.ClientSession) -> None:
    async with AsyncExitStack() as stack:
        for _ in range(10):
            answer = await stack.enter_async_context(session.post(**chat("long", stream=True)))
            assert answer.status == 200

        refused = [await status(session, "echo") for _ in range(6)]

    assert refused == [429] * 6
    while await status(session, "echo") != 200:  # They are told apart as soon as they are gone.
        pass


async def test_a_provider_with_fewer_places_than_workers_has_no_more(
    session: aiohttp.ClientSession,
) -> None:
    async with session.post(**chat("single", stream=True)) as answer:
        assert answer.status == 200

        assert [await status(session, "single") for _ in range(6)] == [503] * 6


async def test_one_process_runs_an_engine_for_both(
    several: Several, session: aiohttp.ClientSession
) -> None:
    pids = {await text(session, "pid") for _ in range(16)}

    assert pids == {str(several.host)}


async def test_the_places_of_an_engine_are_the_machines(session: aiohttp.ClientSession) -> None:
    async with AsyncExitStack() as stack:
        for _ in range(2):
            answer = await stack.enter_async_context(
                session.post(**chat("chaos/gap:50ms+words:10000", stream=True))
            )
            assert answer.status == 200

        refused = {await status(session, "chaos/echo") for _ in range(6)}

    assert refused == {503}


async def test_who_leaves_frees_the_engine(
    session: aiohttp.ClientSession, tmp_path_factory: pytest.TempPathFactory
) -> None:
    freed = next(Path(tmp_path_factory.getbasetemp()).glob("several*/here")) / (
        ".local/state/dynagate/providers/engine/freed"
    )
    freed.unlink(missing_ok=True)

    async with session.post(**chat("chaos/gap:20ms+words:10000", stream=True)) as answer:
        assert b"data:" in await answer.content.readline()

    await asyncio.to_thread(until, freed.exists)


@pytest.mark.parametrize(
    ("model", "code"),
    [
        ("fail:rate_limit+retry-after:9s", (429, "upstream_rate_limited", "9")),
        ("fail:context_length", (400, "context_length_exceeded", None)),
        ("fail:transient", (502, "upstream_failed", None)),
    ],
)
async def test_an_engines_error_keeps_its_class(
    session: aiohttp.ClientSession, model: str, code: tuple[int, str, str | None]
) -> None:
    async with session.post(**chat(f"chaos/{model}")) as answer:
        error = (await answer.json())["error"]

        assert (answer.status, error["code"], answer.headers.get("Retry-After")) == code


async def test_the_metrics_are_those_of_both(
    several: Several, session: aiohttp.ClientSession
) -> None:
    async def counted() -> float:
        async with session.get(f"{several.admin_url}/metrics") as answer:
            lines = (await answer.text()).splitlines()
        found = [line for line in lines if line.startswith("dynagate_calls_total{")]
        return sum(float(line.split()[-1]) for line in found if 'model="echo"' in line)

    before = await counted()

    for _ in range(12):
        assert await status(session, "echo") == 200

    assert await counted() - before == 12


async def test_a_report_counts_what_each_worker_answered(
    several: Several, session: aiohttp.ClientSession
) -> None:
    async def counted() -> int:
        url = f"{several.admin_url}/admin/usage?by=model"
        async with session.get(url, headers=ADMIN) as answer:
            assert answer.status == 200
            report = await answer.json()
        return sum(line["calls"] for line in report["rows"] if line["model"] == "echo")

    before = await counted()

    for _ in range(12):
        assert await status(session, "echo") == 200

    assert await counted() - before == 12


async def test_there_is_no_report_of_what_each_worker_remembers_by_itself(
    tmp_path: Path,
) -> None:
    for name in ("here", "site"):
        (tmp_path / name).mkdir()
    text = CONFIG.replace('"sqlite:///{folder}/state.sqlite"', '"memory://"')
    with running(CommandLine(tmp_path / "here", tmp_path / "site"), text) as gateway:
        async with (
            aiohttp.ClientSession(timeout=_TIMEOUT) as session,
            session.get(f"{gateway.admin_url}/admin/usage", headers=ADMIN) as answer,
        ):
            error = (await answer.json())["error"]

    assert (answer.status, error["code"], error["param"]) == (501, "no_database", "state.url")


async def test_readiness_tells_of_each_worker(
    several: Several, session: aiohttp.ClientSession
) -> None:
    async with session.get(f"{several.admin_url}/health/readiness") as answer:
        assert answer.status == 200
        assert (await answer.json())["workers"] == {"1": "ok", "2": "ok"}


async def test_a_reader_of_a_feed_sees_what_each_worker_generates(
    several: Several, session: aiohttp.ClientSession
) -> None:
    async with session.get("/api/text/feed") as feed:
        assert feed.status == 200
        for number in range(8):
            async with session.get(f"/text/word{number}?model=echo") as answer:
                assert answer.status == 200
        missing = {f"word{number}" for number in range(8)}

        while missing:
            line = (await feed.content.readline()).decode()
            assert line, "the feed has ended"
            missing -= {word for word in missing if word in line}


async def test_a_key_that_is_revoked_opens_neither(
    session: aiohttp.ClientSession, tmp_path_factory: pytest.TempPathFactory
) -> None:
    here = next(Path(tmp_path_factory.getbasetemp()).glob("several*/here"))
    dynagate = CommandLine(here, here.parent / "site")
    made = await asyncio.to_thread(dynagate, "keys", "create", "robot", "--json")
    assert made.returncode == 0, made.stderr
    key = _words(made.stdout)

    async def are_known() -> set[bool]:
        headers = {"Authorization": f"Bearer {key['key']}"}
        found = set()
        for _ in range(12):
            async with session.post(**chat("echo"), headers=headers) as answer:
                found.add(answer.status != 401)  # 429 is for a key that is known, too.
        return found

    async with asyncio.timeout(30):
        while await are_known() != {True}:
            pass
        revoked = await asyncio.to_thread(dynagate, "keys", "revoke", key["id"])
        assert revoked.returncode == 0, revoked.stderr
        while await are_known() != {False}:
            pass


def _words(document: str) -> dict[str, str]:
    from orjson import loads  # noqa: PLC0415

    found: dict[str, str] = loads(document)
    return found
