"""Which addresses are public, and what the operator can add."""

import pytest

from gateway.sdk.http import HttpError
from gateway.transport.guard import Guard, is_public, parse_allow

NOT_PUBLIC = [
    # This machine and this network.
    "127.0.0.1",
    "127.255.255.254",
    "0.0.0.0",  # noqa: S104 - as an address to be refused.
    "10.0.0.1",
    "172.16.0.1",
    "192.168.1.1",
    "100.64.0.1",
    "255.255.255.255",
    "224.0.0.1",
    "240.0.0.1",
    "::",
    "::1",
    "fc00::1",
    "fe80::1",
    "fe80::1%eth0",
    "fec0::1",
    "ff02::1",
    # Metadata and host services of clouds.
    "169.254.169.254",
    "100.100.100.200",
    "192.0.0.192",
    "168.63.129.16",
    "fd00:ec2::254",
    # Documentation, benchmarks, relays.
    "192.0.2.1",
    "198.18.0.1",
    "198.51.100.1",
    "203.0.113.1",
    "192.88.99.1",
    "2001:db8::1",
    "3fff::1",
    "5f00::1",
    # IPv4 inside IPv6.
    "::ffff:127.0.0.1",
    "::ffff:7f00:1",
    "::ffff:169.254.169.254",
    "::127.0.0.1",
    "::10.0.0.1",
    "::1.1.1.1",
    "64:ff9b::127.0.0.1",
    "64:ff9b::a9fe:a9fe",
    "64:ff9b:1::127.0.0.1",
    "64:ff9b:1:7f00:0:100::",
    "2002:7f00:1::",
    "2002:a9fe:a9fe::1",
    "2001:0:7f00:1::",
    "2001:0:4136:e378:8000:63bf:80ff:fffe",
    # What is no address of a socket.
    "2606:4700::1111%1",
    "localhost",
    "2130706433",
    "0x7f000001",
    "0177.0.0.1",
    "127.1",
    "[::1]",
    "",
]
PUBLIC = [
    "1.1.1.1",
    "93.184.215.14",
    "2606:4700::1111",
    "::ffff:1.1.1.1",
    "64:ff9b::1.1.1.1",
    "2002:101:101::1",
]


@pytest.mark.parametrize("address", NOT_PUBLIC)
def test_what_is_not_on_the_open_internet_is_not_public(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize("address", PUBLIC)
def test_what_is_on_the_open_internet_is_public(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize("port", [80, 443])
def test_public_addresses_are_open_on_the_webs_ports(port: int) -> None:
    Guard().check("1.1.1.1", port)


@pytest.mark.parametrize("port", [22, 25, 6379, 8080, 11211])
def test_no_other_port_is_open(port: int) -> None:
    with pytest.raises(HttpError) as caught:
        Guard().check("1.1.1.1", port)

    assert (caught.value.phase, caught.value.unsent) == ("guard", True)


def test_a_refusal_does_not_say_the_address() -> None:
    with pytest.raises(HttpError) as caught:
        Guard().check("10.1.2.3", 80)

    assert "10.1.2.3" not in str(caught.value)


@pytest.mark.parametrize(
    ("entry", "address", "port"),
    [
        ("10.0.0.0/8", "10.1.2.3", 80),
        ("10.0.0.0/8", "10.1.2.3", 443),
        ("10.0.0.0/8", "::ffff:10.1.2.3", 443),
        ("10.0.0.0/8:8080", "10.1.2.3", 8080),
        ("127.0.0.1", "127.0.0.1", 80),
        ("127.0.0.1:9000", "127.0.0.1", 9000),
        ("::1", "::1", 443),
        ("[::1]", "::1", 443),
        ("[::1]:8000", "::1", 8000),
        ("fd00::/8", "fd12::1", 80),
        ("[fd00::/8]:8080", "fd12::1", 8080),
        ("1.1.1.1:8443", "1.1.1.1", 8443),
    ],
)
def test_an_entry_opens_what_it_says(entry: str, address: str, port: int) -> None:
    Guard([entry]).check(address, port)


@pytest.mark.parametrize(
    ("entry", "address", "port"),
    [
        ("10.0.0.0/8", "10.1.2.3", 8080),
        ("10.0.0.0/8", "11.0.0.1", 8080),
        ("10.0.0.0/8:8080", "10.1.2.3", 80),
        ("127.0.0.1:9000", "127.0.0.2", 9000),
        ("127.0.0.1:9000", "127.0.0.1", 9001),
        ("10.0.0.0/8", "64:ff9b::10.1.2.3", 80),
        ("10.0.0.0/8", "::10.1.2.3", 80),
        ("10.0.0.0/8", "localhost", 80),
    ],
)
def test_an_entry_opens_nothing_else(entry: str, address: str, port: int) -> None:
    with pytest.raises(HttpError):
        Guard([entry]).check(address, port)


@pytest.mark.parametrize(
    "entry",
    [
        "",
        "*",
        "localhost",
        "images.internal:80",
        "10.0.0.1/8",
        "10.0.0.0/33",
        "10.0.0.0/8:",
        "1.2.3.4:0",
        "1.2.3.4:70000",
        "1.2.3.4:http",
        "[1.2.3.4]x",
        "[::1",
        "[::1]:",
        "::1:",
    ],
)
def test_a_malformed_entry_is_refused_by_name(entry: str) -> None:
    with pytest.raises(ValueError, match="write a network or an address") as caught:
        parse_allow(entry)

    assert repr(entry) in str(caught.value)
