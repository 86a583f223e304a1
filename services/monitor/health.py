"""Whether the monitor can do its work now: the store answers, and the chain's head is known."""

from services.common.ports.chain import Chain, ChainUnavailable
from services.common.ports.stores import Stores, StoreUnavailable
from services.common.rpc.server import Server


class Health:
    """Tells health checks what the monitor needs and lacks."""

    def __init__(self, stores: Stores, chain: Chain, server: Server) -> None:
        self._stores = stores
        self._chain = chain
        self._server = server

    async def check(self) -> None:
        """One look at everything that is needed."""
        await self._server.set_serving(await self.well())

    async def well(self) -> bool:
        """The store and the chain answer."""
        try:
            await self._stores.ping()
            await self._chain.head()
        except (StoreUnavailable, ChainUnavailable):
            return False
        return True
