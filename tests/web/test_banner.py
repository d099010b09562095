"""What the terminal says once the gateway is up."""

from pathlib import Path

import pytest

from gateway.web.banner import banner
from tests.running import run_gateway

CONFIG = """
providers: {{chaos: {{kind: chaos}}}}
models: {{{name}: {{targets: [{{provider: chaos, model: echo}}]}}}}
"""


@pytest.mark.parametrize(
    ("name", "path"),
    [("openai", "/api/generate_response?user_input=Hello"), ("mine", "/v1/models")],
)
async def test_the_line_to_try_is_one_that_works(tmp_path: Path, name: str, path: str) -> None:
    async with run_gateway(CONFIG.format(name=name), tmp_path) as running:
        serving = running.gateway.serving
        text = banner(serving.services.document, [], serving)

    assert f'{path}"\n' in text
    assert text.count("curl") == 1
