"""Whose budget a call draws from."""

from collections.abc import Mapping
from ipaddress import IPv6Address, ip_address, ip_network

from services.common.rpc.caller import FORWARDED_HEADER, Caller

GATEWAY = "gateway"
OWN_BITS = 64


def payer(who: Caller, metadata: Mapping[str, str | bytes], remote: str) -> str | None:
    """The person, or the address that one who has not logged in comes from; None for services and operators, who have no budget.

    The last hop of what is forwarded was written by the gateway or the edge; `remote` is the peer as gRPC writes it.
    """
    if who.principal is not None:
        return who.principal.address
    if who.peer not in {"", GATEWAY}:
        return None
    came = str(metadata.get(FORWARDED_HEADER, "")).rpartition(",")[2].strip()
    return f"from {_home(came or _host(remote))}"


def _host(remote: str) -> str:
    return remote.partition(":")[2].rpartition(":")[0].replace("%5B", "[").replace("%5D", "]").strip("[]")


def _home(address: str) -> str:
    """The address, or the whole network that one customer of IPv6 is given."""
    try:
        found = ip_address(address)
    except ValueError:
        return address[:64]
    if isinstance(found, IPv6Address):
        return str(found.ipv4_mapped or ip_network((found, OWN_BITS), strict=False))
    return str(found)
