"""What a handler works with is its request's own: a reload must not change it half-way."""

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_no_handler_takes_the_services_of_the_newest_configuration() -> None:
    # Write services_of(request).
    found = [
        f"{path.name}:{line}"
        for path in (ROOT / "gateway/web").glob("*.py")
        for line in _wrong_lines(ast.parse(path.read_text("utf-8")))
    ]

    assert found == []


def test_the_rule_sees_what_it_is_for() -> None:
    wrong = "def f(request):\n    serving = request.app[SERVING]\n    return serving.services\n"
    also = "def f(request):\n    return request.app[SERVING].services\n"
    right = "def f(request):\n    return services_of(request)\n"

    lines = [list(_wrong_lines(ast.parse(text))) for text in (wrong, also, right)]

    assert lines == [[3], [2], []]


def _wrong_lines(tree: ast.AST) -> Iterator[int]:
    for function in ast.walk(tree):
        if not isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        names = {
            target.id
            for node in ast.walk(function)
            if isinstance(node, ast.Assign) and _is_newest(node.value)
            for target in node.targets
            if isinstance(target, ast.Name)
        }
        for node in ast.walk(function):
            if isinstance(node, ast.Attribute) and node.attr == "services":
                of_name = isinstance(node.value, ast.Name) and node.value.id in names
                if of_name or _is_newest(node.value):
                    yield node.lineno


def _is_newest(node: ast.expr) -> bool:
    """Say whether an expression is `request.app[SERVING]`."""
    return ast.unparse(node) == "request.app[SERVING]"
