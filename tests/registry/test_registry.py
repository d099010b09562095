"""Plugins: found without an import, loaded alone, quarantined with a reason."""

import itertools
import logging
import sys
from collections.abc import Collection, Mapping
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from gateway.config.load import Loaded, load
from gateway.config.problems import ConfigError
from gateway.registry import (
    ConfiguredProvider,
    Offer,
    QuarantineError,
    Registry,
    configured_providers,
    unanswerable,
)
from gateway.sdk import API
from tests.registry.distributions import GOOD_KIND, install

_numbers = itertools.count()


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that is imported from."""
    folder = tmp_path / "site"
    folder.mkdir()
    monkeypatch.syspath_prepend(folder)
    return folder


def _install(site: Path, kinds: Mapping[str, str]) -> str:
    """Install `kinds` under a name that no other test has, so that no module is cached."""
    distribution = f"dynagate-fake{next(_numbers)}"
    install(site, distribution, kinds)
    return distribution


def _registry(site: Path, allow: Collection[str] | None = None) -> Registry:
    """Return what is installed in `site` alone: the bundled plugins are not what is tested."""
    found = Registry.discover().offers
    return Registry(
        [offer for offer in found if offer.distribution.startswith("dynagate-fake")], allow
    )


def _quarantine(site: Path, source: str, kind: str = "echo") -> str:
    distribution = _install(site, {kind: source})
    with pytest.raises(QuarantineError) as caught:
        _registry(site).load(kind)
    reason = str(caught.value)
    assert reason.startswith(f"kind {kind} of {distribution} 1.0 ")
    assert "\n" not in reason
    return reason


def _load(tmp_path: Path, text: str, environ: Mapping[str, str] | None = None) -> Loaded:
    (tmp_path / "c.yaml").write_text(text)
    return load(tmp_path / "c.yaml", environ or {})


def _configured(
    site: Path, text: str, environ: Mapping[str, str] | None = None
) -> dict[str, ConfiguredProvider]:
    loaded = _load(site, text, environ)
    return configured_providers(loaded, _registry(site, loaded.document.plugins.allow))


def _problems(site: Path, text: str, environ: Mapping[str, str] | None = None) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        _configured(site, text, environ)
    return [line.removeprefix(f"{site}/") for line in str(caught.value).splitlines()]


ONE = """\
providers:
  up:
    kind: echo
    settings: {api_key: "${UP_KEY:-}"}
models:
  chat: {targets: [{provider: up, model: m}]}
"""


def test_discovery_imports_nothing(site: Path) -> None:
    distribution = _install(site, {"echo": "raise SystemExit('imported')"})

    offers = _registry(site).offers

    assert [(o.kind, o.distribution, o.version) for o in offers] == [("echo", distribution, "1.0")]
    assert not [name for name in sys.modules if name.startswith("fake_dynagate_fake")]


def test_only_the_kinds_that_are_named_are_imported(site: Path) -> None:
    _install(site, {"echo": GOOD_KIND, "bomb": "raise SystemExit('imported')"})

    providers = _configured(site, ONE)

    assert list(providers) == ["up"]
    assert not [name for name in sys.modules if name.endswith("_bomb")]


def test_an_object_of_a_module_can_be_the_plugin(site: Path) -> None:
    source = GOOD_KIND.replace("KIND", "echo").replace(
        "\n@hookimpl\ndef ", "\nclass Plugin:\n  @hookimpl\n  def "
    )
    source = source.replace("gateway_provider_kinds():", "gateway_provider_kinds(self):").replace(
        "    return [Prov", "      return [Prov"
    )
    (site / "fake_object.py").write_text(source + "\nplugin = Plugin()\n")
    entry_point = EntryPoint("echo", "fake_object:plugin", "dynagate")

    kind = Registry([Offer("echo", "x", "1", entry_point)]).load("echo")

    assert kind.name == "echo"


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("import no_such_module", "does not load: ModuleNotFoundError: No module named"),
        ("def", "does not load: SyntaxError"),
        ("raise ValueError('first\\nsecond')", "does not load: ValueError: first"),
        ("raise SystemExit(3)", "does not load: SystemExit: 3"),
        ("x = 1", "has no @hookimpl gateway_provider_kinds"),
        (GOOD_KIND.replace("return [", "raise OSError('no') or ["), "does not load: OSError: no"),
        (GOOD_KIND.replace("return [", "return 3 or ["), "does not load: TypeError"),
        (GOOD_KIND.replace("return [", "return ['x'] or ["), "returns str, not ProviderKind"),
        (GOOD_KIND.replace("return [", "return [] and ["), "has no @hookimpl"),
        (GOOD_KIND.replace('"KIND"', '"other"'), "returns other: its entry point has the wrong"),
        (
            GOOD_KIND.replace("connect=connect,", f"connect=connect, api={API + 1},"),
            f"speaks plugin API {API + 1}, this gateway speaks {API}",
        ),
        (GOOD_KIND.replace("settings=Settings", "settings=dict"), "no pydantic model"),
        (GOOD_KIND.replace("kinds():", "kinds(more):"), "does not load: PluginValidationError"),
        (GOOD_KIND.replace("_kinds():", "_kindz():"), "does not load: PluginValidationError"),
        (GOOD_KIND.replace("    )]", "    )] * 2"), "returns echo twice"),
    ],
)
def test_a_broken_plugin_is_quarantined_with_one_line(source: str, reason: str, site: Path) -> None:
    assert reason in _quarantine(site, source)


def test_ctrl_c_during_an_import_is_no_fault_of_the_plugin(site: Path) -> None:
    _install(site, {"echo": "raise KeyboardInterrupt"})

    with pytest.raises(KeyboardInterrupt):
        _registry(site).load("echo")


def test_the_traceback_is_in_the_debug_log(site: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "dynagate.registry")

    _quarantine(site, "1 / 0")

    assert "ZeroDivisionError" in caplog.text


def test_a_kind_that_nobody_brings_is_told_with_the_nearest(site: Path) -> None:
    _install(site, {"echo": GOOD_KIND})

    assert _problems(site, ONE.replace("echo", "ecko")) == [
        "c.yaml:3:11: providers.up.kind: no plugin brings kind ecko; did you mean echo?"
    ]
    assert _problems(site, ONE.replace("echo", "zzz")) == [
        "c.yaml:3:11: providers.up.kind: no plugin brings kind zzz; installed: echo"
    ]


def test_a_quarantined_kind_stops_whoever_uses_it(site: Path) -> None:
    distribution = _install(site, {"echo": "raise ValueError('broken')"})

    assert _problems(site, ONE) == [
        (
            f"c.yaml:3:11: providers.up.kind: kind echo of {distribution} 1.0 does not load: "
            "ValueError: broken"
        )
    ]


def test_two_distributions_with_one_kind_stop_the_start_and_are_both_named(site: Path) -> None:
    first = _install(site, {"echo": GOOD_KIND})
    second = _install(site, {"echo": GOOD_KIND})

    (problem,) = _problems(site, ONE)

    assert f"kind echo is brought by {first} and by {second}" in problem
    assert "plugins.allow" in problem


def test_a_clash_is_refused_by_load_too(site: Path) -> None:
    _install(site, {"echo": GOOD_KIND})
    _install(site, {"echo": GOOD_KIND})

    with pytest.raises(QuarantineError, match="is brought by"):
        _registry(site).load("echo")


def test_plugins_allow_settles_a_clash(site: Path) -> None:
    wanted = _install(site, {"echo": GOOD_KIND})
    _install(site, {"echo": "raise SystemExit('imported')"})
    allow = wanted.replace("-", "_").upper()

    providers = _configured(site, f"{ONE}plugins: {{allow: [{allow}]}}\n")

    assert list(providers) == ["up"]


def test_a_distribution_that_is_not_allowed_is_not_imported(site: Path) -> None:
    distribution = _install(site, {"echo": "raise SystemExit('imported')"})

    assert _problems(site, f"{ONE}plugins: {{allow: [dynagate]}}\n") == [
        (
            f"c.yaml:3:11: providers.up.kind: kind echo is brought by {distribution}, "
            "which plugins.allow does not name"
        )
    ]


def test_settings_are_validated_by_their_kind(site: Path) -> None:
    _install(site, {"echo": GOOD_KIND})

    (provider,) = _configured(site, ONE, {"UP_KEY": "sk-secret"}).values()

    assert provider.name == "up"
    assert provider.missing is None
    assert provider.secrets == ("sk-secret",)
    assert "sk-secret" not in repr(provider)


def test_wrong_settings_are_told_with_their_line(site: Path) -> None:
    _install(site, {"echo": GOOD_KIND})
    text = ONE.replace(
        'settings: {api_key: "${UP_KEY:-}"}', "settings:\n      sise: 1\n      size: big"
    )

    assert _problems(site, text) == [
        "c.yaml:5:7: providers.up.settings.sise: unknown key; did you mean size?",
        "c.yaml:6:13: providers.up.settings.size: should be a whole number",
    ]


@pytest.mark.parametrize("hook", ["missing", "secrets"])
def test_a_kind_that_fails_on_settings_is_told_without_their_text(hook: str, site: Path) -> None:
    source = GOOD_KIND.replace(
        f"{hook}=lambda settings:", f"{hook}=lambda settings: int(settings.api_key) or"
    )
    _install(site, {"echo": source})

    assert _problems(site, ONE, {"UP_KEY": "sk-secret"}) == [
        "c.yaml:4:15: providers.up.settings: kind echo fails on these settings: ValueError"
    ]


def test_a_provider_without_its_key_is_configured_but_missing_something(site: Path) -> None:
    _install(site, {"echo": GOOD_KIND})

    (provider,) = _configured(site, ONE).values()

    assert provider.missing == "api_key is empty"
    assert provider.secrets == ()


def test_a_model_that_nothing_can_answer_is_told_with_the_reasons(site: Path) -> None:
    _install(site, {"echo": GOOD_KIND})
    text = ONE.replace("models:", "  own: {kind: echo, settings: {api_key: x}}\nmodels:")
    text += "  both: {targets: [{provider: up, model: m}, {provider: own, model: m}]}\n"
    loaded = _load(site, text)
    providers = configured_providers(loaded, _registry(site))

    found = list(unanswerable(loaded.document, providers))

    assert found == [("chat", "up: api_key is empty")]
