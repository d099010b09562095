"""The whole way from a file to a document, or to lines that say what to put right."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from gateway.config.load import MAX_FILE_BYTES, Loaded, Override, load
from gateway.config.problems import ConfigError, Finding
from gateway.registry import Registry, configured_providers
from tests.docs.pages import blocks, page, section

GOOD = """\
providers:
  local: {kind: local, pace: {rate: 600/minute}}
models:
  chat:
    targets: [{provider: local, model: chat}]
    aliases: [gpt]
"""


def _load(text: str, folder: Path, environ: Mapping[str, str] | None = None) -> Loaded:
    path = folder / "c.yaml"
    path.write_text(text)
    return load(path, environ or {})


def _lines(text: str, folder: Path, environ: Mapping[str, str] | None = None) -> list[str]:
    """Return what is wrong, as the operator reads it, without the folder."""
    with pytest.raises(ConfigError) as caught:
        _load(text, folder, environ)
    return [line.removeprefix(f"{folder}/") for line in str(caught.value).splitlines()]


def test_a_good_file_becomes_a_document(tmp_path: Path) -> None:
    loaded = _load(GOOD, tmp_path)

    assert loaded.path == tmp_path / "c.yaml"
    assert loaded.document.providers["local"].kind == "local"
    assert loaded.document.models["chat"].aliases == ("gpt",)
    assert loaded.document.server.port == 8080


def test_a_number_may_come_from_the_environment(tmp_path: Path) -> None:
    loaded = _load(GOOD + 'server: {port: "${PORT}"}\n', tmp_path, {"PORT": "9000"})

    assert loaded.document.server.port == 9000


def test_unknown_keys_are_told_with_the_nearest_known_one(tmp_path: Path) -> None:
    text = GOOD.replace("pace:", "concurent: 2, pace:").replace("rate:", "speed: 1, rate:")

    assert _lines(text, tmp_path) == [
        "c.yaml:2:24: providers.local.concurent: unknown key; did you mean concurrent?",
        "c.yaml:2:45: providers.local.pace.speed: unknown key; known here: rate, burst",
    ]


def test_unknown_keys_are_found_in_lists_and_optional_sections(tmp_path: Path) -> None:
    text = GOOD.replace("model: chat}", "model: chat, card: {price: {inptu: 1}}}")

    assert _lines(text, tmp_path) == [
        "c.yaml:5:61: models.chat.targets.0.card.price.inptu: unknown key; did you mean input?"
    ]


@pytest.mark.parametrize(
    ("section", "line"),
    [
        ("server: {port: high}", "7:16: server.port: should be a whole number"),
        ("server: {port: 70000}", "7:16: server.port: should be less than or equal to 65535"),
        ("limits:", "7:1: limits: nothing is written here: give it a value, or remove the key"),
        ("deadlines: {total_s: soon}", "7:22: deadlines.total_s: should be a number"),
        ("server: [1]", "7:9: server: should be keys with values"),
        ("egress: {allow: x}", "7:17: egress.allow: should be a list: [one, two]"),
        ("auth: {mode: maybe}", "7:14: auth.mode: should be 'open' or 'keys'"),
        (
            "limits: {anonymous: {requests: 5/week}}",
            (
                "7:32: limits.anonymous.requests: write a rate as "
                "<count>/<second|minute|hour|day>, for example 100/hour"
            ),
        ),
        (
            "server: {trusted_proxies: [10.0.0.0/8, x]}",
            (
                "7:40: server.trusted_proxies.1: is not a valid IPv4 network; "
                "or: is not a valid IPv6 network"
            ),
        ),
        (
            "server: {host: 0.0.0.0}",
            (
                "7:16: server.host: 0.0.0.0 can be reached by others and auth.mode is open: write "
                "`auth: {mode: keys}`, `auth: {mode: open, open_to: world}` to mean it, or bind "
                "127.0.0.1"
            ),
        ),
    ],
)
def test_a_wrong_value_is_told_where_it_stands(section: str, line: str, tmp_path: Path) -> None:
    lines = _lines(f"{GOOD}{section}\n", tmp_path)

    assert lines == [f"c.yaml:{line}"]


def test_a_missing_key_is_told_at_the_key_above_it(tmp_path: Path) -> None:
    assert _lines(GOOD.replace("rate: 600/minute", "burst: 2"), tmp_path) == [
        "c.yaml:2:24: providers.local.pace.rate: missing, and it has no default"
    ]


def test_an_empty_file_lacks_providers_and_models(tmp_path: Path) -> None:
    assert _lines("", tmp_path) == [
        "c.yaml:1:1: providers: missing, and it has no default",
        "c.yaml:1:1: models: missing, and it has no default",
    ]


def test_a_file_that_is_a_list_is_refused(tmp_path: Path) -> None:
    assert _lines("- a\n", tmp_path) == [
        "c.yaml:1:1: should be keys with values: `dynagate init` writes an example"
    ]


def test_numbers_where_texts_belong_want_quotes(tmp_path: Path) -> None:
    assert _lines(GOOD.replace("model: chat", "model: 1.5"), tmp_path) == [
        "c.yaml:5:40: models.chat.targets.0.model: should be a text: put it in quotes"
    ]


def test_everything_wrong_is_told_at_once_in_the_order_of_the_file(tmp_path: Path) -> None:
    text = """\
models:
  "a*b": {targets: [{provider: locl, model: "q*"}]}
  chat: {targets: [{provider: local, model: "*"}], aliases: [b, chat, "x*", b]}
  b-*: {targets: [{provider: local, model: "*"}], aliases: [b]}
providers:
  local: {kind: local}
"""

    assert _lines(text, tmp_path) == [
        "c.yaml:2:3: models.a*b: a * may only be the last character of a name",
        (
            "c.yaml:2:32: models.a*b.targets.0.provider: no provider is called locl; "
            "did you mean local?"
        ),
        (
            "c.yaml:2:45: models.a*b.targets.0.model: write a whole name, "
            "or * alone to pass the caller's through"
        ),
        (
            "c.yaml:3:45: models.chat.targets.0.model: * passes the caller's name through: "
            "write it under a model like llama-*"
        ),
        (
            "c.yaml:3:65: models.chat.aliases.1: chat is a model of its own: "
            "remove the alias, or rename one"
        ),
        "c.yaml:3:71: models.chat.aliases.2: an alias is one whole name: no *, no spaces around it",
        "c.yaml:3:77: models.chat.aliases.3: b is an alias of chat already: keep one",
        "c.yaml:4:61: models.b-*.aliases.0: b is an alias of chat already: keep one",
    ]


def test_a_name_is_not_empty_and_has_no_spaces_around_it(tmp_path: Path) -> None:
    assert _lines(GOOD.replace("  chat:", '  " chat":'), tmp_path) == [
        "c.yaml:4:3: models. chat: a model needs a name without spaces around it"
    ]


def test_what_hears_and_speaks_in_conversations_is_a_model_of_the_file(tmp_path: Path) -> None:
    text = GOOD.replace("  chat:", '  "w-*": {targets: [{provider: local, model: "*"}]}\n  chat:')

    for good in ("hears_with: chat, speaks_with: gpt", "hears_with: w-1", "speaks_with: null"):
        assert _load(f"{text}chat: {{{good}}}\n", tmp_path).document.models
    for wrong in ("w-", "w-*"):
        (line,) = _lines(f"{text}chat: {{speaks_with: {wrong}}}\n", tmp_path)
        assert line.startswith(f"c.yaml:8:21: chat.speaks_with: no model is called {wrong};")
    assert _lines(f"{text}chat: {{hears_with: caht}}\n", tmp_path) == [
        "c.yaml:8:20: chat.hears_with: no model is called caht; did you mean chat?"
    ]


def test_a_shadow_is_a_model_of_the_file(tmp_path: Path) -> None:
    text = GOOD.replace("    aliases:", "    shadow: {model: caht}\n    aliases:")

    assert _lines(text, tmp_path) == [
        "c.yaml:6:21: models.chat.shadow.model: no model is called caht; did you mean chat?"
    ]


def test_every_unset_variable_is_told_at_once(tmp_path: Path) -> None:
    text = GOOD + 'admin: {listen: "${LISTEN}", secret: "${SECRET}"}\n'

    assert [line.partition(": export")[0] for line in _lines(text, tmp_path)] == [
        "c.yaml:7:17: admin.listen: the environment variable LISTEN is not set",
        "c.yaml:7:38: admin.secret: the environment variable SECRET is not set",
    ]


def test_a_missing_file_names_the_command_that_writes_one(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="`dynagate init` writes one"):
        load(tmp_path / "none.yaml", {})


def test_a_folder_is_no_configuration(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read: Is a directory"):
        load(tmp_path, {})


def test_a_huge_file_is_not_parsed(tmp_path: Path) -> None:
    (tmp_path / "c.yaml").write_bytes(b"#" * (MAX_FILE_BYTES + 1))

    with pytest.raises(ConfigError, match=f"may have {MAX_FILE_BYTES} bytes"):
        load(tmp_path / "c.yaml", {})


def test_bytes_that_are_not_utf_8_are_told_with_their_line(tmp_path: Path) -> None:
    (tmp_path / "c.yaml").write_bytes(b"a: 1\nb: \xff\n")

    with pytest.raises(ConfigError, match=r"c\.yaml:2:1: this line is not UTF-8"):
        load(tmp_path / "c.yaml", {})


def test_an_override_wins_over_the_file_and_the_error_names_it(tmp_path: Path) -> None:
    path = tmp_path / "c.yaml"
    path.write_text(GOOD + "server: {port: 1}\n")
    port = Override(("server", "port"), 9000, "--port")
    level = Override(("logs", "level"), "debug", "--log-level")

    loaded = load(path, {}, overrides=[port, level])
    with pytest.raises(ConfigError) as caught:
        load(path, {}, overrides=[Override(("server", "port"), 70000, "--port")])

    assert (loaded.document.server.port, loaded.document.logs.level) == (9000, "debug")
    assert loaded.source.overrides == (port, level)
    assert str(caught.value).startswith("--port: server.port: should be less than")


def test_an_open_host_is_refused_from_an_override_too(tmp_path: Path) -> None:
    path = tmp_path / "c.yaml"
    path.write_text(GOOD)

    override = Override(("server", "host"), "0.0.0.0", "--host")  # noqa: S104 - it is refused.

    with pytest.raises(ConfigError, match=r"^--host: server\.host: 0\.0\.0\.0 can be reached"):
        load(path, {}, overrides=[override])


@pytest.mark.parametrize("host", ["127.evil.example", "::1234", "localhost.example", "10.1.2.3"])
def test_only_a_loopback_address_counts_as_one(host: str, tmp_path: Path) -> None:
    lines = _lines(f'{GOOD}server: {{host: "{host}"}}\n', tmp_path)

    assert len(lines) == 1
    assert "can be reached by others" in lines[0]


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.9.1", "::1", "localhost"])
def test_loopback_needs_no_permission(host: str, tmp_path: Path) -> None:
    loaded = _load(f'{GOOD}server: {{host: "{host}"}}\n', tmp_path)

    assert loaded.document.server.is_loopback


def test_places_of_settings_are_known_to_whoever_validates_them_later(tmp_path: Path) -> None:
    text = GOOD.replace("kind: local,", "kind: local, settings: {a: {b: 1}},")
    loaded = _load(text, tmp_path)

    assert loaded.place(("providers", "local", "settings", "a", "b")).endswith("c.yaml:2:42")
    assert loaded.place(("providers", "local", "settings", "zz")).endswith("c.yaml:2:24")


def test_secrets_are_collected_and_never_said(tmp_path: Path) -> None:
    text = GOOD + 'admin: {secret: "${ADMIN_SECRET}"}\n'
    loaded = _load(text, tmp_path, {"ADMIN_SECRET": "hunter22-of-16-signs"})

    error = loaded.error([Finding(("admin", "secret"), "hunter22-of-16-signs is wrong")])

    assert set(loaded.secrets) == {"hunter22-of-16-signs"}
    assert str(error).endswith(":7:17: admin.secret: *** is wrong")


def test_an_admin_secret_written_in_the_file_is_a_secret_too(tmp_path: Path) -> None:
    assert _load(GOOD + "admin: {secret: s3cret-of-16-signs}\n", tmp_path).secrets == (
        "s3cret-of-16-signs",
    )


@pytest.mark.parametrize("secret", ["short", "with a space in it", "zu-kurz-für-ascii", "x" * 513])
def test_an_admin_secret_that_could_be_guessed_or_not_be_sent_is_refused(
    tmp_path: Path, secret: str
) -> None:
    with pytest.raises(ConfigError) as refused:
        _load(GOOD + f'admin: {{secret: "{secret}"}}\n', tmp_path)

    assert "admin.secret: write 16 to 512 letters" in str(refused.value)
    assert secret not in str(refused.value)


@pytest.mark.parametrize(
    ("when", "said"),
    [
        ("{hours: 22-6}", 'hours: write two times of UTC that differ, for example "22:00-06:00"'),
        (
            '{hours: "08:00-08:00"}',
            'hours: write two times of UTC that differ, for example "22:00-06:00"',
        ),
        ("{plans: []}", "plans: needs at least 1"),
        ("{plans: [prro]}", "plans.0: no plan is called prro; did you mean pro?"),
        ("{streems: true}", "streems: unknown key; did you mean streams?"),
        (
            "{min_input_tokens: 9, max_input_tokens: 8}",
            "min_input_tokens is more than max_input_tokens: no call is both",
        ),
    ],
)
def test_conditions_that_cannot_be_meant_are_told(tmp_path: Path, when: str, said: str) -> None:
    text = GOOD.replace("model: chat}", f"model: chat, when: {when}}}") + "plans: {pro: {}}\n"

    (line,) = _lines(text, tmp_path)

    assert "models.chat.targets.0.when" in line
    assert line.endswith(said)


def test_anonymous_is_no_name_for_a_plan_that_conditions_name(tmp_path: Path) -> None:
    text = GOOD.replace("model: chat}", "model: chat, when: {plans: [anonymous]}}")

    assert _load(text, tmp_path).document.models["chat"].targets[0].when is not None
    (line,) = _lines(text + "plans: {anonymous: {}}\n", tmp_path)
    assert line.endswith("anonymous are callers without a key: rename the plan of that name")


def _with_keys(keys: str, kind: str = "openai", settings: str = "{host: openai}") -> str:
    provider = f"{{kind: {kind}, settings: {settings}, keys: {keys}}}"
    return (
        f"providers: {{p: {provider}}}\nmodels: {{m: {{targets: [{{provider: p, model: m}}]}}}}\n"
    )


def test_keys_that_are_shown_are_read_and_the_empty_one_is_skipped(tmp_path: Path) -> None:
    (example,) = blocks(section(page("docs/routing.md"), "Several keys"), "yaml")
    text = example + "models: {m: {targets: [{provider: openai, model: m}]}}\n"
    loaded = _load(text, tmp_path, {"OPENAI_KEY_A": "secret-a"})

    provider = configured_providers(loaded, Registry.discover())["openai"]

    assert [*provider.keyed] == [1]
    assert (provider.empty_keys, provider.missing) == (["openai#2"], None)
    assert provider.secrets == ("secret-a",)
    assert "secret-a" not in f"{provider} {loaded.document}"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (_with_keys("[a]", "local", "{}"), "kind local has no api_key that keys could stand for"),
        (
            _with_keys("[a]", settings="{host: openai, api_key: b}"),
            "write settings.api_key or keys, not both",
        ),
    ],
)
def test_keys_that_make_no_sense_are_told(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        configured_providers(_load(text, tmp_path), Registry.discover())

    assert "providers.p.keys: " in str(caught.value)
    assert said in str(caught.value)
