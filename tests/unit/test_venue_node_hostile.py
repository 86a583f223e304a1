"""Nothing that is sent to the node stops it: figures without measure, transactions that break the EVM, whatever else comes as JSON."""

from typing import Any

import orjson
import pytest
from eth_account import Account
from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st

from services.venue.node import addresses, genesis
from services.venue.node.admin import Admin
from services.venue.node.evm import BASE_FEE, Chain
from services.venue.node.faults import RpcFaults
from services.venue.node.methods import Methods
from services.venue.node.miner import Miner
from services.venue.node.outbox import Outbox
from services.venue.node.rpc import MAX_BATCH, respond
from services.venue.node.state import State

NOW = 1_790_000_000
RICH = Account.from_key("0x" + "11" * 32)
NOBODY = "0x" + "99" * 20
HUGE = hex(2**256 - 1)
TOO_LONG = hex(2**256)
SEND = {"from": addresses.ADMIN, "to": NOBODY}
INTERNAL = -32603


@pytest.fixture
async def miner():
    one = Miner(Chain(genesis.accounts(), NOW), block_ms=0, clock=lambda: NOW + 60)
    yield one
    one.close()


@pytest.fixture
def methods(miner) -> Methods:
    return Methods(miner, finality=2, admin=Admin(miner, RpcFaults(lambda: NOW * 1000)))


async def ask(methods: Methods, method: str, *arguments: Any) -> dict[str, Any]:
    body = orjson.dumps({"id": 1, "method": method, "params": list(arguments)})
    return orjson.loads(await respond(body, methods.answer))


async def mines_a_transfer(methods: Methods, miner: Miner) -> bool:
    sent = (await ask(methods, "eth_sendTransaction", SEND | {"value": "0x1"}))["result"]
    await miner.mine()
    return (await ask(methods, "eth_getTransactionReceipt", sent))["result"]["status"] == "0x1"


def signed(**changes: Any) -> str:
    fields = {"to": NOBODY, "value": 7, "gas": 21_000, "gasPrice": BASE_FEE, "chainId": 137, "nonce": 0}
    return "0x" + bytes(RICH.sign_transaction(fields | changes).raw_transaction).hex()


@pytest.mark.parametrize(
    ("method", "arguments", "code", "message"),
    [
        ("eth_sendTransaction", [SEND | {"gas": TOO_LONG}], -32602, "gas: expected a hex quantity of at most 256 bits"),
        ("eth_sendTransaction", [SEND | {"gas": HUGE}], -32000, "exceeds block gas limit"),
        (
            "eth_sendTransaction",
            [SEND | {"gas": "0x1"}],
            -32000,
            "intrinsic gas too low: gas 1, minimum needed 21000",
        ),
        ("eth_sendTransaction", [SEND | {"value": HUGE}], -32602, f"value: at most {2**128 - 1:#x}"),
        ("eth_sendTransaction", [SEND | {"nonce": HUGE}], -32000, None),
        ("eth_sendRawTransaction", [signed(gas=2**62)], -32000, "exceeds block gas limit"),
        ("eth_sendRawTransaction", [signed(value=2**256 - 1)], -32000, "insufficient funds for gas * price + value"),
        ("eth_call", [SEND | {"value": HUGE}, "latest"], -32000, None),
        ("eth_call", [SEND, HUGE], -32000, "header not found"),
        ("eth_getStorageAt", [NOBODY, TOO_LONG], -32602, "slot: expected a hex quantity of at most 256 bits"),
        ("evm_setBalance", [NOBODY, HUGE], -32602, f"balance: at most {2**128 - 1:#x}"),
        ("eth_getBalance", ["0x" + "²" * 40], -32602, "address: expected 0x and 20 bytes"),
        ("eth_getBlockByNumber", ["0x_1"], -32602, "block: expected a hex quantity of at most 256 bits"),
    ],
)
async def test_a_request_beyond_all_measure_is_refused_and_blocks_go_on(
    methods, miner, method, arguments, code, message
):
    await ask(methods, "evm_setBalance", RICH.address, hex(10**18))
    error = (await ask(methods, method, *arguments))["error"]

    assert (error["code"], message in (None, error["message"])) == (code, True), error
    assert await mines_a_transfer(methods, miner)


async def test_a_transaction_that_breaks_the_evm_is_dropped_alone_and_leaves_no_trace(methods, miner, monkeypatch):
    apply, broken = (
        State.apply_transaction,
        (await ask(methods, "eth_sendTransaction", SEND))["result"],
    )

    def trip(state: Any, transaction: Any) -> Any:
        apply(state, transaction)
        raise RuntimeError("a fault of the EVM's own")

    monkeypatch.setattr(State, "apply_transaction", trip)
    await miner.mine()
    monkeypatch.undo()

    assert (await ask(methods, "eth_getTransactionByHash", broken))["result"] is None
    assert (await ask(methods, "eth_getTransactionCount", addresses.ADMIN, "pending"))["result"] == "0x0"
    assert await mines_a_transfer(methods, miner)


async def test_a_batch_has_a_limit(methods):
    calls = [{"id": number, "method": "eth_chainId"} for number in range(MAX_BATCH + 1)]

    refused = orjson.loads(await respond(orjson.dumps(calls), methods.answer))
    answered = orjson.loads(await respond(orjson.dumps(calls[:-1]), methods.answer))

    assert refused["error"] == {"code": -32600, "message": "batch too large"}
    assert len(answered) == MAX_BATCH


async def test_an_outbox_that_nobody_empties_overflows_once_and_holds_no_more():
    outbox = Outbox(max_frames=2, max_bytes=100)
    for number in range(5):
        outbox.notify(b"%d" % number)

    assert outbox.overflowed.is_set()
    assert [await outbox.take(), await outbox.take()] == [b"0", b"1"]


VALUES = [HUGE, TOO_LONG, "0x", "0x0", "0x1", "0x03ff", "0x40c10f19", "0x" + "00" * 32, signed()]
VALUES += ["latest", "pending", "finalized", "newHeads", "logs", NOBODY, addresses.COLLATERAL]
FIELDS = ["from", "to", "data", "input", "value", "gas", "nonce", "address", "topics", "fromBlock", "toBlock"]
FIELDS += ["blockHash", "blockNumber"]
HOSTILE = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False)
    | st.text(max_size=8)
    | st.sampled_from(VALUES),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(FIELDS),
            inner,
            max_size=5,
        )
    ),
    max_leaves=6,
)

CALL = {"from": addresses.ADMIN, "to": addresses.COLLATERAL, "data": "0x18160ddd", "value": "0x0", "gas": "0x100000"}
SOUND: list[tuple[str, list[Any]]] = [
    ("eth_call", [CALL, "latest"]),
    ("eth_sendTransaction", [CALL]),
    ("eth_estimateGas", [CALL]),
    ("eth_getLogs", [{"fromBlock": "0x0", "toBlock": "latest", "address": [NOBODY], "topics": [None]}]),
    ("eth_getBalance", [NOBODY, "latest"]),
    ("eth_getStorageAt", [NOBODY, "0x0", "latest"]),
    ("eth_getBlockByNumber", ["0x0", True]),
    ("evm_setBalance", [NOBODY, "0x1"]),
]


@st.composite
def nearly_sound(draw: st.DrawFn) -> tuple[str, list[Any]]:
    """A call that would be answered, but for one thing in it."""
    method, arguments = draw(st.sampled_from(SOUND))
    changed: list[Any] = [dict(one) if isinstance(one, dict) else one for one in arguments]
    place = draw(st.integers(0, len(changed) - 1))
    if isinstance(changed[place], dict):
        changed[place][draw(st.sampled_from(sorted(changed[place])))] = draw(HOSTILE)
    else:
        changed[place] = draw(HOSTILE)
    return method, changed


async def test_a_few_hundred_random_requests_end_nothing_and_none_is_an_error_of_the_node(methods, miner):
    names = sorted(methods._table)
    replies: list[Any] = []
    asked: list[bytes] = []

    @seed(137)
    @settings(max_examples=300, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(
        nearly_sound() | st.tuples(st.sampled_from(names) | st.text(max_size=5), st.lists(HOSTILE, max_size=3)), HOSTILE
    )
    def collect(call: tuple[str, list[Any]], identity: Any) -> None:
        asked.append(orjson.dumps({"id": identity, "method": call[0], "params": call[1]}))

    collect()
    for body in asked:
        replies.append(orjson.loads(await respond(body, methods.answer)))
        if len(replies) % 50 == 0:
            await miner.mine()

    broken = [
        (body, reply)
        for body, reply in zip(asked, replies, strict=True)
        if reply.get("error", {}).get("code") == INTERNAL
    ]
    assert broken == []
    assert sum("result" in reply for reply in replies) > 30
    assert await mines_a_transfer(methods, miner)
