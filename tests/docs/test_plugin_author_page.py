"""docs/plugin-author.md describes every hook, and all that a provider can be."""

import inspect

from gateway.schema.failure import Failure
from gateway.sdk import hooks, providers
from tests.docs.pages import page, quoted

PAGE = page("docs/plugin-author.md")


def test_every_hook_is_described() -> None:
    specs = [
        name
        for name, function in inspect.getmembers(hooks, inspect.isfunction)
        if hasattr(function, f"{hooks.GROUP}_spec")
    ]

    assert specs == ["gateway_provider_kinds"]
    assert [name for name in specs if f"def {name}(" not in PAGE] == []


def test_every_protocol_that_a_provider_may_have_is_described() -> None:
    protocols = {
        name
        for name, kind in inspect.getmembers(providers, inspect.isclass)
        if getattr(kind, "_is_runtime_protocol", False) and kind.__module__ == providers.__name__
    }

    assert "ChatProvider" in protocols
    assert protocols <= quoted(PAGE)


def test_every_class_of_failure_is_described() -> None:
    assert {str(failure) for failure in Failure} <= quoted(PAGE)
