"""The template, built and installed once for all tests."""

import pytest

from tests.plugins.template.installation import Installed, install_template


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Installed:
    """The template where a user would have it."""
    return install_template(tmp_path_factory.mktemp("template"))
