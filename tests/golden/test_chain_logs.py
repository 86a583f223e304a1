"""Mainnet logs, decoded to the figures that their transcriber wrote beside them."""

from typing import Any

from services.common.chain import decode
from tests import recordings


def samples() -> list[tuple[dict[str, Any], dict[str, Any]]]:
    recorded = recordings.load("polymarket/pb_chain/chain_orderfilled_samples.json")["response"]
    found: list[tuple[dict[str, Any], dict[str, Any]]] = []
    for transaction in recorded.values():
        raw = transaction["raw_log_example"]
        told = next(
            item for item in transaction["orderfilled_involving_bosona"] if item["logIndex"] == int(raw["logIndex"], 16)
        )
        found.append((raw, told))
    return found


def test_recorded_order_filled_logs_say_what_was_written_beside_them() -> None:
    for raw, told in samples():
        fill = decode.order_filled(raw)

        assert fill.order_hash == told["orderHash"]
        assert (fill.maker, fill.taker, str(fill.side), fill.token_id) == (
            told["maker"],
            told["taker"],
            told["side"],
            told["tokenId"],
        )
        assert (fill.maker_amount, fill.taker_amount, fill.fee) == (told["makerAmt"], told["takerAmt"], told["fee"])


def test_a_recorded_subscription_frame_is_a_fill_with_its_place() -> None:
    frames = recordings.load("polymarket/pb_chain/chain_eth_subscribe.json")["received"]
    logs = [frame["msg"]["params"]["result"] for frame in frames if "topics" in str(frame["msg"].get("params", ""))]

    fills = [decode.fill_log(log) for log in logs]

    assert [fill.tx_hash for fill in fills] == ["0xf99e019d64a45e9513b3447085979550f283cc034321ac141d79815076844166"]
    assert fills[0].block_at is not None
    assert not fills[0].removed
