"""What the running gateway would make of the file: asked of its admin listener.

On the standard library, as `client.py` is: no proxy of the environment is used.
"""

import http.client
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gateway.cli.report import FAILED, WRONG, end

if TYPE_CHECKING:
    from gateway.config.load import Loaded

_SILENCE_S = 60.0
_MOST_BYTES = 16 * 1024 * 1024
_ANYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - to connect, not to bind.


@dataclass(frozen=True, slots=True)
class AdminListener:
    """Where it is, and what opens it."""

    listen: str
    secret: str

    def ask(self, method: str, path: str) -> tuple[int, Mapping[str, Any]]:  # Any: JSON values.
        """Return the status and what the answer says; end with 1 if there is none."""
        from pydantic_core import from_json

        host, _, port = self.listen.rpartition(":")
        host = host.strip("[]")
        connection = http.client.HTTPConnection(
            _ANYWHERE.get(host, host), int(port), timeout=_SILENCE_S
        )
        try:
            headers = {"Authorization": f"Bearer {self.secret}"}
            connection.request(method, path, headers=headers)
            answer = connection.getresponse()
            said = from_json(answer.read(_MOST_BYTES))
        except (OSError, ValueError, http.client.HTTPException) as error:
            why = getattr(error, "strerror", None) or str(error) or type(error).__name__
            end(f"no gateway answers at {self.listen} ({why}): --admin says where it does", FAILED)
        finally:
            connection.close()
        if not isinstance(said, dict):
            end(f"what answers at {self.listen} is no gateway of this version", FAILED)
        return answer.status, said


def differences(loaded: "Loaded", admin: str | None) -> Iterator[str]:
    """Yield a line for what a reload would do; end with 2 where the file would be refused.

    `admin` is where the gateway was told to listen, if not where the file says.
    """
    section = loaded.document.admin
    listen, secret = admin or section.listen, section.secret.get_secret_value()
    if listen is None or not secret:
        end("the running gateway is asked at admin.listen, with admin.secret: write both", WRONG)
    listener = AdminListener(listen, secret)
    standing = _told(listener, *listener.ask("GET", "/admin/config"))
    ours, theirs = loaded.path.absolute(), Path(str(standing.get("file")))
    if ours != theirs:
        end(f"the gateway at {listen} reads {theirs}, and not {ours}", WRONG)
    plan = _told(listener, *listener.ask("POST", "/admin/reload?dry_run=true"))
    changes = plan.get("changes", [])
    yield f"against generation {standing.get('generation')} at {listen}: {_counted(len(changes))}"
    for change in changes:
        yield _line(change)
    if plan.get("is_cut"):
        yield "and more"


def _told(
    listener: AdminListener, status: int, said: Mapping[str, Any]
) -> Mapping[str, Any]:  # Any: as above.
    if status != http.client.OK:
        error = said.get("error", {})
        problems = error.get("details", {}).get("problems", [])
        parts = ((one.get("place"), one.get("key"), one.get("message")) for one in problems)
        lines = [": ".join(filter(None, line)) for line in parts]
        if lines:
            end("\n".join(lines), WRONG)
        end(f"the gateway at {listener.listen} says {status}: {error.get('message')}", FAILED)
    return said


def _line(change: Mapping[str, Any]) -> str:  # Any: as above.
    line = f"{change['what']} {change['key']}"
    if change["was"] is None and change["now"] is None:
        return line
    was, now = ("none" if one is None else repr(one) for one in (change["was"], change["now"]))
    return f"{line}: {was} -> {now}"


def _counted(count: int) -> str:
    return "nothing would change" if not count else f"{count} would change"
