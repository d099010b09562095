"""The template is a distribution that can be copied, built, installed, found and tested."""

import json
import re
import tomllib
from email.parser import Parser
from zipfile import ZipFile

import pytest
from pydantic import ValidationError
from ruamel.yaml import YAML

from gateway.config.document import Document
from tests.plugins.template.installation import ROOT, TEMPLATE, Installed

pytestmark = pytest.mark.slow


def test_its_wheel_holds_the_package_and_nothing_else(template: Installed) -> None:
    with ZipFile(template.wheel) as wheel:
        names = set(wheel.namelist())
        info = "dynagate_echo-0.1.0.dist-info"
        metadata = Parser().parsestr(wheel.read(f"{info}/METADATA").decode())
        entry_points = wheel.read(f"{info}/entry_points.txt").decode()

    assert names == {
        "dynagate_echo/__init__.py",
        "dynagate_echo/py.typed",
        f"{info}/METADATA",
        f"{info}/WHEEL",
        f"{info}/entry_points.txt",
        f"{info}/RECORD",
    }
    assert metadata["Name"] == "dynagate-echo"
    assert metadata.get_all("Requires-Dist", [])[0] == "dynagate"
    assert entry_points.split() == ["[dynagate]", "echo", "=", "dynagate_echo"]


def test_the_gateway_finds_it_once_it_is_installed(template: Installed) -> None:
    listed = template.run("-m", "gateway.cli", "plugins", "--json")

    assert listed.returncode == 0, listed.stderr
    found = {row["kind"]: row for row in json.loads(listed.stdout)}
    assert found["echo"] == {
        "kind": "echo",
        "distribution": "dynagate-echo",
        "version": "0.1.0",
        "api": 1,
        "state": "ok",
        "reason": None,
    }


def test_its_own_tests_pass_where_it_is_installed(template: Installed) -> None:
    tested = template.run("-m", "pytest", "-q", "-p", "no:cacheprovider", cwd=template.project)

    assert tested.returncode == 0, tested.stdout + tested.stderr
    passed = re.search(r"(\d+) passed", tested.stdout)
    assert passed is not None
    assert int(passed[1]) > 15


def test_it_is_typed_as_strictly_as_the_gateway(template: Installed) -> None:
    typed = template.run(
        "-m", "mypy", "--strict", "--cache-dir", str(template.site.parent / "mypy"),
        "src/dynagate_echo", "tests", cwd=template.project,
    )  # fmt: skip

    assert typed.returncode == 0, typed.stdout + typed.stderr


def test_the_floor_of_its_python_is_that_of_the_gateway() -> None:
    own, ours = [
        tomllib.loads((folder / "pyproject.toml").read_text(encoding="utf-8"))["project"]
        for folder in (TEMPLATE, ROOT)
    ]

    assert own["requires-python"] == ours["requires-python"]
    assert own["license"] == ours["license"]


def test_the_configuration_in_its_readme_is_valid() -> None:
    readme = (TEMPLATE / "README.md").read_text(encoding="utf-8")
    shown = re.search(r"```yaml\n(.+?)```", readme, re.DOTALL)
    assert shown is not None

    try:
        document = Document.model_validate(YAML(typ="safe").load(shown[1]))
    except ValidationError as error:
        pytest.fail(str(error))

    assert document.providers["mirror"].kind == "echo"
