"""Who may import what, where a name's place is one folder."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from services.common.crashpoints import CRASHPOINTS

SERVICES = Path(__file__).parents[2] / "services"


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
        ("pymongo", "common/store/"),
        ("bson", "common/store/"),
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


def test_nothing_else_of_the_services_that_trade_posts_anything() -> None:
    trading = ("engine/", "monitor/", "reconciler/")

    posting = [
        name for name, tree in modules() if name.startswith(trading) for called in calls(tree) if called == "post"
    ]

    assert posting == ["engine/executor.py"]


def test_the_executor_takes_what_was_approved_and_nothing_less() -> None:
    tree = next(tree for name, tree in modules() if name == "engine/executor.py")
    begins = [node for node in ast.walk(tree) if isinstance(node, ast.AsyncFunctionDef) and node.name == "begin"]

    (begin,) = begins
    assert [ast.unparse(one.annotation) for one in begin.args.args if one.arg == "approved" and one.annotation] == [
        "Approved"
    ]


def test_every_crashpoint_is_passed_at_one_place_by_its_literal_name() -> None:
    passed = [
        node.args[0].value if isinstance(node.args[0], ast.Constant) else ast.unparse(node.args[0])
        for name, tree in modules()
        if name != "common/crashpoints.py"
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and ast.unparse(node.func).split(".")[-1] == "crashpoint"
    ]

    assert sorted(passed) == sorted(CRASHPOINTS)
