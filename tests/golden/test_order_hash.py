"""Order ids and signatures, held to real orders of the mainnet and to both official clients."""

import json
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from eth_account import Account
from eth_account.messages import encode_typed_data
from polymarket._internal.actions.orders import typed_data as unified
from polymarket._internal.actions.orders.types import UnsignedOrder
from polymarket.types import HexString
from py_clob_client_v2.order_utils import ExchangeOrderBuilderV2
from py_clob_client_v2.order_utils.model import OrderV2
from py_clob_client_v2.order_utils.model import Side as SdkSide
from py_clob_client_v2.signer import Signer as SdkSigner

from services.common.domain.intent import Attempt, Intent, OrderFields, OrderType
from services.common.domain.market import Side
from services.common.polymarket.auth import l2_signature
from services.common.polymarket.order import ZERO_BYTES32, order_body, order_hash
from services.common.signing.key_file import KeyFileSigner
from tests import recordings

KEY = "0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80"
ADDRESS = "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266"
EXCHANGE = "0xE111180000d2663C0091e4f400237545B87B996B"
WALLET = "0x1111111111111111111111111111111111111111"
NEG_RISK_EXCHANGE = "0xe2222d279d744050d28e00520010520000310F59"
EXCHANGE_V3 = "0xe3333700cA9d93003F00f0F71f8515005F6c00Aa"
CHAIN = "polymarket/pb_chain/chain_orderfilled_samples.json"
WIRE = "polymarket/sdk_wire_capture/requests.json"
ORDER_FIELDS = OrderFields(
    salt=547664938319,
    maker=ADDRESS,
    signer=ADDRESS,
    token_id="111825179882834703843039071818388373049029341898733692783062443814635883590436",
    maker_amount=5_000_000,
    taker_amount=10_000_000,
    side=Side.BUY,
    signature_type=0,
    timestamp_ms=1795330789776,
    metadata=ZERO_BYTES32,
    builder=ZERO_BYTES32,
    chain_id=137,
    exchange=EXCHANGE,
    domain_version="2",
)


def mainnet_orders() -> list[tuple[str, OrderFields]]:
    recording = recordings.load(CHAIN)
    salts = recording["_added_by_transcriber"]["salts"]
    found: list[tuple[str, OrderFields]] = []
    for tx in recording["response"].values():
        orders = next(value for name, value in tx.items() if name.startswith("bosona_orders_from_calldata"))
        logs = {log["orderHash"]: log for log in tx["orderfilled_involving_bosona"] if log["orderHash"] in salts}
        for known, order in zip(logs, orders, strict=True):
            found.append((known, fields_of(order, salts[known], logs[known]["address"])))
    return found


def fields_of(order, salt, exchange) -> OrderFields:
    return replace(
        ORDER_FIELDS,
        salt=salt,
        maker=order["maker"],
        signer=order["signer"],
        token_id=order["tokenId"],
        maker_amount=order["makerAmount"],
        taker_amount=order["takerAmount"],
        side=Side(order["side"]),
        signature_type=order["sigType"],
        timestamp_ms=order["order_ts_ms"],
        exchange=exchange,
    )


def test_four_orders_of_the_mainnet_have_the_hash_that_the_exchange_logged():
    orders = mainnet_orders()

    assert len(orders) == 4
    assert [order_hash(fields) for _, fields in orders] == [known for known, _ in orders]


def deprecated_client(fields: OrderFields) -> tuple[str, str]:
    builder = ExchangeOrderBuilderV2(
        fields.exchange, fields.chain_id, SdkSigner(KEY, 137), domain_version=fields.domain_version
    )
    order = OrderV2(
        salt=str(fields.salt),
        maker=fields.maker,
        signer=fields.signer,
        tokenId=fields.token_id,
        makerAmount=str(fields.maker_amount),
        takerAmount=str(fields.taker_amount),
        side=SdkSide.BUY if fields.side is Side.BUY else SdkSide.SELL,
        signatureType=fields.signature_type,
        timestamp=str(fields.timestamp_ms),
        metadata=fields.metadata,
        builder=fields.builder,
    )
    typed = builder.build_order_typed_data(order)
    return builder.build_order_hash(typed), builder.build_order_signature(typed)


def unified_client(fields: OrderFields) -> tuple[str, str]:
    order = UnsignedOrder(
        chain_id=fields.chain_id,
        builder=fields.builder,
        exchange_address=fields.exchange,
        expiration=0,
        maker=fields.maker,
        maker_amount=fields.maker_amount,
        metadata=fields.metadata,
        order_type="FAK",
        salt=fields.salt,
        side=str(fields.side),
        signature_type=fields.signature_type,
        signer=fields.signer,
        taker_amount=fields.taker_amount,
        timestamp=fields.timestamp_ms,
        token_id=fields.token_id,
        protocol_version=fields.domain_version,
    )
    plain = replace(order, signature_type=0)  # the order's own hash, whoever signs it
    plain_data = {**unified.build_order_typed_data(plain)}
    plain_data["message"] = {**plain_data["message"], "signatureType": order.signature_type}
    named = Account.sign_message(encode_typed_data(full_message=plain_data), KEY)
    signed = Account.sign_message(encode_typed_data(full_message=unified.build_order_typed_data(order)), KEY)
    signature = unified.build_order_signature(order, HexString("0x" + signed.signature.hex()))
    return "0x" + named.message_hash.hex(), signature


@pytest.mark.parametrize("client", [deprecated_client, unified_client])
@pytest.mark.parametrize(
    "fields",
    [
        ORDER_FIELDS,
        replace(ORDER_FIELDS, side=Side.SELL, maker_amount=12_340_000, taker_amount=4_565_800, salt=1),
        replace(ORDER_FIELDS, exchange=EXCHANGE_V3, domain_version="3", token_id=str(2**248 + 7)),
        replace(ORDER_FIELDS, metadata="0x" + "ab" * 32, builder="0x" + "cd" * 32, timestamp_ms=0),
        replace(ORDER_FIELDS, exchange=NEG_RISK_EXCHANGE),
        replace(ORDER_FIELDS, signature_type=1, maker=WALLET),
        replace(ORDER_FIELDS, signature_type=2, maker=WALLET),
        replace(ORDER_FIELDS, signature_type=3, maker=WALLET, signer=WALLET),
        replace(ORDER_FIELDS, signature_type=3, maker=WALLET, signer=WALLET, exchange=EXCHANGE_V3, domain_version="3"),
        replace(ORDER_FIELDS, chain_id=80002, salt=2**53 - 1),
    ],
    ids=[
        "buy",
        "sell",
        "exchange v3",
        "metadata",
        "neg-risk",
        "proxy",
        "safe",
        "deposit wallet",
        "deposit wallet on exchange v3",
        "testnet",
    ],
)
async def test_both_official_clients_agree_on_hash_and_signature(client, fields):
    signer = KeyFileSigner(bytes.fromhex(KEY[2:]), fields.chain_id, WALLET)

    assert client(fields) == (order_hash(fields), await signer.sign_order(fields))


async def test_the_auth_signature_is_the_one_on_the_wire():
    request = wire("POST", "/auth/api-key")
    signer = KeyFileSigner(bytes.fromhex(KEY[2:]), 137)

    signature = await signer.sign_auth(int(request["headers"]["POLY_TIMESTAMP"]), 0)

    assert signature == request["headers"]["POLY_SIGNATURE"]
    assert signer.address == request["headers"]["POLY_ADDRESS"]


def test_the_hash_on_the_wire_is_known_beforehand():
    known = recordings.load(WIRE)["precomputed_order_hash_of_first_order"]

    assert order_hash(ORDER_FIELDS) == known


async def test_our_request_is_the_official_client_s_byte_for_byte():
    for request in all_wire("POST", "/order"):
        sent = json.loads(request["body"])
        # A copy never rests and never defers; these two words are the only ones that differ from the recordings.
        expected = request["body"].replace('"GTC"', '"FAK"').replace('"deferExec":true', '"deferExec":false')

        assert order_body(await intent_of(sent["order"]), sent["owner"]).decode() == expected


def test_every_recorded_hmac_is_ours():
    secret = "c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0MTI="
    signed = [e for e in recordings.load(WIRE)["exchanges"] if "POLY_API_KEY" in e["headers"]]

    assert len(signed) > 8
    for request in signed:
        bare, stamp = request["path"].split("?")[0], int(request["headers"]["POLY_TIMESTAMP"])
        ours = l2_signature(secret, stamp, request["method"], bare, request["body"].encode())
        assert ours == request["headers"]["POLY_SIGNATURE"], request["path"]


async def intent_of(order) -> Intent:
    fields = replace(
        ORDER_FIELDS,
        salt=order["salt"],
        maker_amount=int(order["makerAmount"]),
        taker_amount=int(order["takerAmount"]),
        timestamp_ms=int(order["timestamp"]),
    )
    signature = await KeyFileSigner(bytes.fromhex(KEY[2:]), 137).sign_order(fields)
    noon = datetime(2026, 11, 24, 12, tzinfo=UTC)
    return Intent(
        generation=1,
        order_hash=order_hash(fields),
        fields=fields,
        order_type=OrderType.FAK,
        deadline_at=noon,
        limit_micros=500_000,
        shares_micros=fields.taker_amount,
        usdc_micros=fields.maker_amount,
        fee_micros=0,
        engine_version="test",
        config_hash="",
        attempts=(Attempt(1, noon),),
        signature=signature,
    )


def all_wire(method: str, path: str):
    return [e for e in recordings.load(WIRE)["exchanges"] if (e["method"], e["path"]) == (method, path)]


def wire(method: str, path: str):
    return all_wire(method, path)[0]
