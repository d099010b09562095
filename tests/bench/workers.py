"""Two workers against one: what a request costs, and who gets the connections.

Both count in the same Valkey, which is in neither's tree of processes.
"""

from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

from tests.bench.figures import Figure
from tests.bench.load import callers, closed_loop, question
from tests.bench.measure import cpu_s
from tests.bench.processes import Server, free_port, running
from tests.bench.targets import configuration, environ, upstream
from tests.supervisor.several import children_of, connections_of
from tests.valkey import running_valkey

_CONNECTIONS, _SPREAD_OVER = 64, 200
_WARM_UP_S, _ROUND_S = 0.3, 1.5


async def workers(folder: Path, rounds: int) -> list[Figure]:
    """Whole answers of 1 KB, asked for in closed loops, of one worker and of two by turns."""
    one: list[float] = []
    two: list[float] = []
    shares: list[float] = []
    async with _both(folder) as (single, double):
        for _ in range(1 + rounds):
            one.append(await _microseconds(single))
            two.append(await _microseconds(double))
            shares.append(await _least_share(double))
    name = f"CPU µs/request, 1 worker and 2, {_CONNECTIONS} connections"
    spread = f"least share of {_SPREAD_OVER} connections, %"
    return [
        Figure(name, {"bare": one[1:], "gateway": two[1:]}, ("x", 1.1)),
        Figure(spread, {"gateway": shares[1:]}, ("at least", 35.0)),
    ]


async def _microseconds(server: Server) -> float:
    async with callers(server.port, _CONNECTIONS) as connected:
        await closed_loop(connected, question(server.port), _WARM_UP_S)
        before = cpu_s(server.pid)
        answers = await closed_loop(connected, question(server.port), _ROUND_S)
        return (cpu_s(server.pid) - before) / answers * 1e6


async def _least_share(server: Server) -> float:
    """Return how many in a hundred connections the worker has that has fewer."""
    async with callers(server.port, _SPREAD_OVER) as connected:
        await closed_loop(connected, question(server.port), _WARM_UP_S)
        _host, *members = children_of(server.pid)
        held = [connections_of(pid, server.port) for pid in members]
        return min(held) / sum(held) * 100


@asynccontextmanager
async def _both(folder: Path) -> AsyncGenerator[tuple[Server, Server]]:
    async with AsyncExitStack() as stack:
        source = await stack.enter_async_context(upstream(folder))
        valkey = stack.enter_context(running_valkey())
        state = f"{{valkey: '{valkey.url}'}}"
        servers = []
        for count in (1, 2):
            file = folder / f"workers-{count}.yaml"
            file.write_text(configuration(source.port, state=state))
            port = free_port()
            words = ("-m", "gateway", "serve", "--config", str(file), "--port", str(port))
            started = running((*words, "--workers", str(count)), port, folder, environ(folder))
            servers.append(await stack.enter_async_context(started))
        yield servers[0], servers[1]
