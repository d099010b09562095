"""Row X01: a plugin whose provider does what none should."""

from collections.abc import Mapping
from pathlib import Path

from gateway.testing.script import reply
from tests.faults.asking import upstreams
from tests.faults.ground import Ground
from tests.faults.row import Reached, Row

_PLUGIN = """
import asyncio
from contextlib import asynccontextmanager
from pydantic import BaseModel
from gateway.schema.events import TextDelta
from gateway.sdk import ProviderKind, hookimpl

class Settings(BaseModel, extra="forbid"):
    pass

class Bad:
    async def chat(self, request, attempt):
        match request.model:
            case "raises":
                raise ValueError("sk-canary-upstream")
            case "raises-later":
                yield TextDelta(0, "begun")
                raise ValueError("sk-canary-upstream")
            case "nonsense":
                yield {"text": 7}
                return
            case "nothing":
                return
            case "hangs":
                await asyncio.Event().wait()
        yield TextDelta(0, "never")

@asynccontextmanager
async def connect(settings, deps):
    yield Bad()

@hookimpl
def gateway_provider_kinds():
    return [ProviderKind(name="bad", settings=Settings, connect=connect)]
"""

_METADATA = "Metadata-Version: 2.1\nName: dynagate-bad\nVersion: 1.0\n"

_ENTRY = "[dynagate]\nbad = dynagate_bad\n"


def bad_plugin(folder: Path) -> Mapping[str, str]:
    """Write a distribution whose provider does what none should; return how it is found."""
    place = folder / "plugins"
    information = place / "dynagate_bad-1.0.dist-info"
    information.mkdir(parents=True)
    (place / "dynagate_bad.py").write_text(_PLUGIN)
    (information / "METADATA").write_text(_METADATA)
    (information / "entry_points.txt").write_text(_ENTRY)
    return {"PYTHONPATH": str(place)}


async def _x01(ground: Ground) -> Reached:
    """Raise, end, hang and talk nonsense in a provider's code."""
    ways = ("raises", "nonsense", "nothing", "hangs")
    limits = {"first_token_s": 0.5, "between_tokens_s": 0.5, "total_s": 5}
    targets = {f"bad-{way}": {"targets": [{"provider": "bad", "model": way}]} for way in ways}
    targets["bad-raises-later"] = {"targets": [{"provider": "bad", "model": "raises-later"}]}
    async with upstreams() as (upstream,):
        upstream.default = reply("hello")
        async with ground.facing(
            upstream.url,
            more={"bad": {"kind": "bad"}},
            models=targets,
            deadlines=limits,
            health={"failures": 1000},
        ) as served:
            told = {}
            for way in ways:
                for is_stream in (True, False):
                    answer = await served.chat(model=f"bad-{way}", stream=is_stream)
                    told[f"{way} {is_stream}"] = answer.status
            broken = await served.chat(model="bad-raises-later", stream=True)
            good = (await served.chat()).status
            leaks = served.log().count("sk-canary-upstream")
    wrong = {way: code for way, code in told.items() if code not in {502, 504}}
    is_cut = b'"error"' in broken.body and not broken.is_done
    return Reached(
        f"{len(told) - len(wrong)}/{len(told)} are 502 or 504 {wrong or ''}, others answered, "
        f"{leaks} leaks",
        not wrong and is_cut and good == 200 and not leaks,
    )


ROWS = (
    Row(
        "X01",
        "a plugin raises, hangs, says nothing or nonsense",
        "502 or 504, nothing leaks, others are answered",
        _x01,
        environment=bad_plugin,
        weakness={"deadlines": {"first_token_s": 600, "total_s": 600}},
    ),
)
