"""Who calls."""

from ipaddress import ip_network

import pytest

from gateway.pipeline.identify import Identifier, Presented, bucket_of
from gateway.schema.failure import CallError
from gateway.state.keys import checksum, is_key_shaped

SECRET = "A" * 43
KEY = f"dg-{SECRET}{checksum(SECRET)}"
PROXY = ip_network("10.0.0.0/8")


@pytest.mark.parametrize(
    "text",
    [
        "Th3-C0der",
        "sk-proj-abc",
        KEY[:-1],
        KEY + "x",
        KEY.lower(),
        KEY[:-6] + "000000",
        "dg-" + "'" * 49,
        "",
    ],
)
def test_whatever_is_not_exactly_our_shape_is_anonymous(text: str) -> None:
    assert not is_key_shaped(text)
    assert Identifier(()).identify(Presented("1.2.3.4", secrets=(text,))).is_anonymous


def test_a_key_of_our_shape_that_is_unknown_is_refused_wherever_it_stands() -> None:
    with pytest.raises(CallError) as refused:
        Identifier(()).identify(Presented("1.2.3.4", secrets=("sk-other", KEY)))

    assert (refused.value.status, refused.value.code) == (401, "invalid_api_key")
    assert KEY not in refused.value.message


@pytest.mark.parametrize(
    ("address", "bucket"),
    [
        ("1.2.3.4", "1.2.3.4"),
        ("::ffff:1.2.3.4", "1.2.3.4"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("", "unknown"),
    ],
)
def test_addresses_are_counted_as_the_contract_says(address: str, bucket: str) -> None:
    assert bucket_of(address) == bucket


def test_a_proxy_that_is_not_trusted_is_told_of_once(caplog: pytest.LogCaptureFixture) -> None:
    identifier = Identifier(())

    for _ in range(3):
        identifier.identify(Presented("8.8.8.8", "9.9.9.9"))

    (said,) = [record.getMessage() for record in caplog.records]
    assert said.endswith("write server.trusted_proxies: [8.8.8.8]")


@pytest.mark.parametrize(
    ("peer", "forwarded", "caller"),
    [
        ("10.0.0.1", "9.9.9.9", "9.9.9.9"),
        ("10.0.0.1", "6.6.6.6, 9.9.9.9", "9.9.9.9"),
        ("10.0.0.1", "9.9.9.9, 10.0.0.2", "9.9.9.9"),
        ("10.0.0.1", "9.9.9.9, garbage", "10.0.0.1"),
        ("10.0.0.1", "", "10.0.0.1"),
        ("8.8.8.8", "9.9.9.9", "8.8.8.8"),
    ],
)
def test_only_trusted_proxies_speak_for_others(peer: str, forwarded: str, caller: str) -> None:
    identifier = Identifier([PROXY])

    found = identifier.identify(Presented(peer, forwarded))

    assert found.address == caller
