"""Who may import what, where a name's place is one folder."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

SERVICES = Path(__file__).parents[2] / "services"

CLOCKLESS = ("time", "random", "secrets", "uuid")


def modules() -> Iterator[tuple[str, ast.Module]]:
    for path in sorted(SERVICES.rglob("*.py")):
        yield path.relative_to(SERVICES).as_posix(), ast.parse(path.read_text())


def imported(tree: ast.Module) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            names.add(node.module.split(".")[0])
    return names


@pytest.mark.parametrize(
    ("library", "home"),
    [
        ("motor", "common/store/"),
        ("web3", "common/chain/"),
        ("polymarket", "common/polymarket/"),
        ("siwe", "gateway/"),
        ("eth_tester", "venue/node/"),
    ],
)
def test_a_library_is_known_in_one_place_only(library: str, home: str) -> None:
    strangers = [name for name, tree in modules() if library in imported(tree) and not name.startswith(home)]

    assert strangers == []


def calls(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            yield node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")


def test_an_order_is_approved_in_the_pipeline_only() -> None:
    makers = [name for name, tree in modules() if "Approved" in calls(tree)]

    assert makers == ["engine/pipeline.py"]


def test_orders_are_posted_by_the_executor_only() -> None:
    def posts(tree: ast.Module) -> bool:
        return any(
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute)
            and node.func.attr == "post"
            and "clob" in ast.unparse(node.func.value).lower()
            for node in ast.walk(tree)
        )

    assert [name for name, tree in modules() if posts(tree) and not name.startswith("venue/")] == ["engine/executor.py"]


def test_every_crashpoint_is_named_and_passed_once_at_the_most() -> None:
    from services.common.crashpoints import CRASHPOINTS

    passed = [
        node.args[0].value
        for _, tree in modules()
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and getattr(node.func, "id", "") == "crashpoint"
        and isinstance(node.args[0], ast.Constant)
    ]

    assert sorted(passed) == sorted(set(passed))
    assert set(passed) <= CRASHPOINTS
