"""A headless Chromium for each test, with a profile of its own and without a network."""

import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from playwright.async_api import BrowserContext, async_playwright

CHROMIUM = Path(os.environ.get("CHROMIUM", "/usr/bin/chromium"))
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    # Every name is this machine: pages of other sites need names that are not loopback.
    "--host-resolver-rules=MAP * 127.0.0.1",
)


@pytest.fixture(scope="session")
def chromium() -> Path:
    """Where the browser is; without one nothing here is tested, and that is said once."""
    if not CHROMIUM.exists():
        pytest.exit(
            f"there is no {CHROMIUM}: `apt-get install chromium`, or name one in CHROMIUM",
            returncode=1,
        )
    return CHROMIUM


@pytest.fixture
async def browser(chromium: Path, tmp_path: Path) -> AsyncIterator[BrowserContext]:
    """A browser that has never been used."""
    async with async_playwright() as playwright:
        context = await playwright.chromium.launch_persistent_context(
            tmp_path / "profile", executable_path=chromium, headless=True, args=FLAGS
        )
        yield context
        await context.close()
