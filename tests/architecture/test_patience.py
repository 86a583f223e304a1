"""No test is in a hurry: what has to happen is waited for patiently, and only for silence a short while."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
LEAST_S = 30
"""A machine that tests may be many times slower than the one on which a test was written."""


def hurried(tree: ast.AST) -> Iterator[str]:
    """Waits of a test that end before what they wait for may have happened."""
    silent = {id(inner) for outer in ast.walk(tree) if _is_about_silence(outer) for inner in ast.walk(outer)}
    for call in ast.walk(tree):
        if not isinstance(call, ast.Call) or id(call) in silent:
            continue
        text, name = ast.unparse(call), ast.unparse(call.func)
        if (
            name == "asyncio.wait_for"
            or (name == "asyncio.timeout" and _short(call.args[0]))
            or (
                name.startswith(("httpx.", "subprocess."))
                and any(one.arg == "timeout" and _short(one.value) for one in call.keywords)
            )
        ):
            yield text


def _is_about_silence(node: ast.AST) -> bool:
    if isinstance(node, ast.With):
        return "raises(TimeoutError)" in ast.unparse(node.items[0])
    return isinstance(node, ast.Try) and any(
        one.type is not None and ast.unparse(one.type) == "TimeoutError" for one in node.handlers
    )


def _short(seconds: ast.expr) -> bool:
    return isinstance(seconds, ast.Constant) and isinstance(seconds.value, int | float) and seconds.value < LEAST_S


def test_no_test_is_in_a_hurry() -> None:
    found = {str(path.relative_to(ROOT)): list(hurried(ast.parse(path.read_text()))) for path in ROOT.rglob("*.py")}

    assert {path: calls for path, calls in found.items() if calls} == {}


@pytest.mark.parametrize(
    "line",
    [
        "await asyncio.wait_for(socket.recv(), 60)",
        "asyncio.timeout(5)",
        "httpx.get(url, timeout=2)",
        "subprocess.run(command, timeout=10)",
    ],
)
def test_a_hurry_is_found(line: str) -> None:
    assert [ast.parse(one).body for one in hurried(ast.parse(f"async def test():\n    {line}"))] != []


def test_who_waits_for_silence_may_be_brief() -> None:
    silence = "async def test():\n    with pytest.raises(TimeoutError):\n        async with asyncio.timeout(0.2):\n            await heard()"

    assert list(hurried(ast.parse(silence))) == []
