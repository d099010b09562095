"""The pages of the documentation, as tests read them: code blocks by language, tables by row."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]


def page(name: str) -> str:
    """Return a page of the checkout: `README.md`, `docs/operator.md`."""
    return (ROOT / name).read_text("utf-8")


def blocks(text: str, language: str) -> list[str]:
    """Return the code blocks that are marked with `language`, in order."""
    return re.findall(rf"(?ms)^```{language}\n(.*?)^```$", text)


def section(text: str, heading: str) -> str:
    """Return what stands under `heading`, up to the next one of any level."""
    found = re.search(rf"(?ms)^#+ {re.escape(heading)}$\n(.*?)(?=^#+ |\Z)", text)
    assert found is not None, f"there is no heading {heading}"
    return found[1]


def rows(text: str) -> list[list[str]]:
    r"""Return the cells of all tables' rows, without heads and rules; `\|` is a bar in a cell."""
    lines = [line for line in text.splitlines() if line.startswith("|")]
    cells = [
        [cell.strip() for cell in re.split(r"(?<!\\)\|", line.strip()[1:-1])] for line in lines
    ]
    rules = {number for number, row in enumerate(cells) if set("".join(row)) <= set("-: ")}
    heads = {number - 1 for number in rules}
    return [row for number, row in enumerate(cells) if number not in rules | heads]


def quoted(text: str) -> set[str]:
    """Return everything that stands in backticks outside code blocks."""
    return set(re.findall(r"`([^`\n]+)`", re.sub(r"(?ms)^```.*?^```$", "", text)))
