"""Nothing is swallowed: `except Exception` stands only where CONTRIBUTING.md names it, and what catches everything raises it again."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]


def handlers() -> Iterator[tuple[str, str, ast.ExceptHandler]]:
    """Every handler with its place (module.function) and what it catches."""
    for path in sorted((ROOT / "services").rglob("*.py")):
        for function in ast.walk(ast.parse(path.read_text())):
            if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
                for node in _own(function):
                    if isinstance(node, ast.ExceptHandler):
                        yield f"{path.stem}.{function.name}", ast.unparse(node.type) if node.type else "", node


def _own(function: ast.AST) -> Iterator[ast.AST]:
    for child in ast.iter_child_nodes(function):
        yield child
        if not isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            yield from _own(child)


def test_everything_is_caught_only_where_contributing_says_so() -> None:
    text = re.sub(r"\s+", " ", (ROOT / "CONTRIBUTING.md").read_text())
    sentence = re.search(r"`except Exception` stands only in (.*?\))\. ", text)
    assert sentence is not None
    named = re.findall(r"`(\w+\.\w+)`", sentence[1])

    broad = [place for place, caught, _ in handlers() if re.search(r"\bException\b", caught)]

    assert sorted(broad) == sorted(named)


def test_what_catches_the_end_of_a_task_raises_it_again() -> None:
    silent = [
        place
        for place, caught, handler in handlers()
        if (not caught or "BaseException" in caught) and not isinstance(handler.body[-1], ast.Raise)
    ]

    assert silent == []


def test_nothing_is_caught_and_forgotten_but_what_says_that_it_is_over() -> None:
    over = {"CancelledError", "ProcessLookupError", "FileNotFoundError", "FileExistsError", "WebSocketDisconnect"}
    silent = [
        (place, caught)
        for place, caught, handler in handlers()
        if len(handler.body) == 1 and isinstance(handler.body[0], ast.Pass) and caught.split(".")[-1] not in over
    ]

    assert silent == []
