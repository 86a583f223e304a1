"""Time and chance come in through the `Clock` port: what is decided can be decided again. A line that reads the machine says why."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

SERVICES = Path(__file__).parents[2] / "services"
RULED = ("common", "engine", "monitor", "reconciler", "venue")
HOMES = {"common/clock.py", "venue/clock.py"}
MODULES = {"time", "random", "secrets", "uuid"}
REASON = re.compile(r"#\s*(clock|chance): \w")
READS = re.compile(
    r"^((time|random|secrets|uuid)\.\w+|datetime\.(now|utcnow|today)|date\.today|asyncio\.sleep"
    r"|.*get_(running|event)_loop\(\)\.time|os\.u?random)$"
)


def sources() -> Iterator[tuple[str, str]]:
    for part in RULED:
        for path in sorted((SERVICES / part).rglob("*.py")):
            name = path.relative_to(SERVICES).as_posix()
            if name not in HOMES:
                yield name, path.read_text()


def reads(text: str) -> Iterator[int]:
    """Lines that read a clock, wait on one, or ask for chance; a name imported out of its module would hide such a line."""
    tree = ast.parse(text)
    yields = {id(call.func) for call in ast.walk(tree) if isinstance(call, ast.Call) and _only_yields(call)}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module in MODULES | {"asyncio"} and _hides(node):
            yield node.lineno
        if isinstance(node, ast.Call) and ast.unparse(node) == "Random()":
            yield node.lineno
        if isinstance(node, ast.Attribute) and id(node) not in yields and READS.match(ast.unparse(node)):
            yield node.end_lineno or node.lineno


def _only_yields(call: ast.Call) -> bool:
    return ast.unparse(call) == "asyncio.sleep(0)"


def _hides(node: ast.ImportFrom) -> bool:
    harmless = {"random": {"Random"}}.get(node.module or "", set[str]())
    names = {alias.name for alias in node.names} - harmless
    return "sleep" in names if node.module == "asyncio" else bool(names)


def test_clocks_and_chance_are_read_where_the_line_says_why() -> None:
    silent = [
        f"{name}:{line}: {text.splitlines()[line - 1].strip()}"
        for name, text in sources()
        for line in reads(text)
        if not REASON.search(text.splitlines()[line - 1])
    ]

    assert silent == []


def test_a_store_knows_no_time_but_the_databases_and_what_it_is_given() -> None:
    """Leases end for everybody at once: two processes whose clocks are apart never hold one copy."""
    read = [
        text.splitlines()[line - 1].strip()
        for name, text in sources()
        if name.startswith("common/store/")
        for line in reads(text)
    ]

    assert [line for line in read if "asyncio.sleep(" not in line] == []


def test_a_reason_stands_only_where_there_is_something_to_excuse() -> None:
    idle = [
        f"{name}:{number}"
        for name, text in sources()
        for number, line in enumerate(text.splitlines(), 1)
        if REASON.search(line) and number not in set(reads(text))
    ]

    assert idle == []


@pytest.mark.parametrize(
    "line",
    [
        "time.time()",
        "later = time.monotonic",
        "datetime.now(UTC)",
        "datetime.utcnow()",
        "await asyncio.sleep(1)",
        "asyncio.get_running_loop().time()",
        "uuid.uuid4()",
        "secrets.token_hex(3)",
        "random.random()",
        "os.urandom(8)",
        "from time import monotonic",
        "from asyncio import sleep",
        "from random import randrange",
        "Random()",
    ],
)
def test_the_rule_sees(line: str) -> None:
    body = line.removeprefix("await ")

    assert list(reads(body)) == [1]


@pytest.mark.parametrize(
    "line",
    [
        "asyncio.sleep(0)",
        "clock.now()",
        "asyncio.timeout(5)",
        "from asyncio import timeout",
        "from random import Random",
        "Random(7)",
    ],
)
def test_the_rule_lets_pass(line: str) -> None:
    assert list(reads(line)) == []
