"""A request works with one configuration from its first byte to its last."""

from dataclasses import replace

from gateway.pipeline.routing.route import Router
from gateway.pipeline.users import Users
from gateway.web.snapshot import Snapshot
from tests.contract.asking import Asker, knock
from tests.contract.streaming import CHAT_BODY, CHAT_HEAD
from tests.web.raw_http import becomes


def _without_models(snapshot: Snapshot) -> Snapshot:
    services = replace(snapshot.services, router=Router([]), users=Users())
    return replace(snapshot, services=services)


async def test_a_request_whose_body_is_under_way_keeps_its_configuration(caller: Asker) -> None:
    serving = caller.gateway.gateway.serving
    users = serving.services.users
    async with knock(caller.gateway) as raw:
        await raw.send(CHAT_HEAD % (len(CHAT_BODY), CHAT_BODY[:20]))
        await becomes(lambda: users.count == 1)

        serving.snapshot = _without_models(serving.snapshot)
        await raw.send(CHAT_BODY[20:])

        assert b"data: [DONE]" in await raw.until(b"data: [DONE]")
        assert (await caller.chat()).status == 404
    await becomes(lambda: users.count == 0)


async def test_who_reads_a_feed_holds_no_configuration(caller: Asker) -> None:
    users = caller.gateway.gateway.serving.services.users

    async with caller.session.get(f"{caller.gateway.url}/api/text/feed") as feed:
        assert feed.status == 200

        assert users.count == 0
