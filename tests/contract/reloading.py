"""How the tests change the file of a running gateway, and have it read again."""

from pathlib import Path
from typing import Any

from gateway.testing.upstream import FakeUpstream
from tests.contract.administering import SECRET, administer
from tests.contract.asking import Asker, Reply
from tests.contract.conftest import Begin, configuration

RELOAD = "/admin/reload"


class Reloadable:
    """A gateway and its file; sections that are not given are as the tests of the contract's."""

    def __init__(self, caller: Asker, file: Path, upstream: FakeUpstream) -> None:
        self.caller = caller
        self.file = file
        self.upstream = upstream

    def write(self, text: str) -> None:
        """Write another file."""
        self.file.write_text(text, encoding="utf-8")

    def change(self, second: FakeUpstream | None = None, **sections: Any) -> None:
        """Write another good file."""
        sections = {"admin": {"secret": SECRET}, **sections}
        self.write(configuration(self.upstream, second, **sections))

    async def reload(self, query: str = "") -> Reply:
        """Have it read."""
        return await administer(self.caller, "POST", RELOAD + query)

    async def told(self) -> Any:
        """Return what `/admin/config` tells."""
        reply = await administer(self.caller, "GET", "/admin/config")
        assert reply.status == 200, reply.text
        return reply.json()

    async def reloaded(self, second: FakeUpstream | None = None, **sections: Any) -> Any:
        """Write another good file and have it read; return what is told of that."""
        self.change(second, **sections)
        reply = await self.reload()
        assert reply.status == 200, reply.text
        return reply.json()


async def reloadable(
    begin: Begin,
    upstream: FakeUpstream,
    folder: Path,
    second: FakeUpstream | None = None,
    **rest: Any,
) -> Reloadable:
    """Start a gateway whose file can be changed."""
    caller = await begin(second, **{"admin": {"secret": SECRET}, **rest})
    return Reloadable(caller, folder / "config.yaml", upstream)
