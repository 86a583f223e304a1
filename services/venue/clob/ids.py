"""Order ids as clients name them."""

from __future__ import annotations

import re
from collections.abc import Sequence

from services.venue.refusals import Refusal

ORDER_ID = re.compile("0x[0-9a-fA-F]{64}")


def order_ids(asked: Sequence[object]) -> list[str]:
    """These texts, every one of which is an order's hash. Raises `Refusal`."""
    ids = [one for one in asked if isinstance(one, str) and ORDER_ID.fullmatch(one)]
    if len(ids) < len(asked):
        raise Refusal("Invalid orderID")
    return ids
