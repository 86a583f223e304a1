"""JSON-RPC over HTTP through web3's provider: an answer, or `ChainUnavailable`."""

from typing import Any, cast

import aiohttp
from web3 import AsyncHTTPProvider
from web3.exceptions import Web3Exception

from services.common.ports.chain import ChainUnavailable

TIMEOUT_S = 5.0


class Rpc:
    """One endpoint. Reads only: nothing here sends a transaction."""

    def __init__(self, url: str) -> None:
        timeout = aiohttp.ClientTimeout(total=TIMEOUT_S)
        self._provider = AsyncHTTPProvider(url, request_kwargs={"timeout": timeout}, exception_retry_configuration=None)

    async def call(self, method: str, *params: Any) -> Any:
        """The result of `method`. Raises `ChainUnavailable` for a transport fault, a JSON-RPC error or an answer without a result."""
        try:
            answer = cast(dict[str, Any], await self._provider.make_request(cast(Any, method), list(params)))
        except (TimeoutError, aiohttp.ClientError, Web3Exception, OSError, ValueError) as error:
            raise ChainUnavailable(f"{method}: {type(error).__name__}") from error
        if "error" in answer or "result" not in answer:
            raise ChainUnavailable(f"{method}: {answer.get('error', 'no result')}")
        return answer["result"]

    async def close(self) -> None:
        """Let the connections go."""
        await self._provider.disconnect()
