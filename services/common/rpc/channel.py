"""One way to call: deadlines always, retries only for reads, the person's token on the first hop, this service's name on every hop."""

import json
from collections.abc import Callable, Sequence
from typing import Any

from google.protobuf import descriptor_pool
from grpc import aio

from services.common.rpc import access, deadline
from services.common.rpc.caller import PEER_HEADER, SECRET_HEADER, TOKEN_HEADER, current_token
from services.common.rpc.server import MAX_MESSAGE, Tls

DEFAULT_TIMEOUT_S = 5.0


class Mesh:
    """How this service calls others: by its name and the mesh's secret, or by its certificate."""

    def __init__(self, name: str, secret: str, tls: Tls | None = None) -> None:
        self._name = name
        self._secret = secret
        self._tls = tls

    def channel(self, target: str, services: Sequence[str], *, forward_token: bool = False) -> aio.Channel:
        """A channel to `target` for `services` (full names). `forward_token`: calls carry the token of the person being served."""
        options: list[tuple[str, str | int]] = [
            ("grpc.service_config", json.dumps(service_config(services))),
            ("grpc.max_receive_message_length", MAX_MESSAGE),
            ("grpc.keepalive_time_ms", 30_000),
            ("grpc.initial_reconnect_backoff_ms", 100),
            ("grpc.max_reconnect_backoff_ms", 2_000),
        ]
        interceptors = [_Unary(self._headers, forward_token), _Stream(self._headers, forward_token)]
        if self._tls is None:
            return aio.insecure_channel(target, options, interceptors=interceptors)
        # Whatever the address, the certificate must be the service's own: any other of the mesh is not enough.
        options.append(("grpc.ssl_target_name_override", service_name(services)))
        return aio.secure_channel(target, self._tls.client(), options, interceptors=interceptors)

    def _headers(self, forward_token: bool) -> list[tuple[str, str]]:
        own = [] if self._tls else [(PEER_HEADER, self._name), (SECRET_HEADER, self._secret)]
        token = current_token() if forward_token else ""
        return [*own, (TOKEN_HEADER, f"Bearer {token}")] if token else own


def service_name(services: Sequence[str]) -> str:
    """Who serves these (full names): `polycopy.engine.v1.EngineService` is the engine's."""
    (name,) = {service.split(".")[1] for service in services}
    return name


def service_config(services: Sequence[str]) -> dict[str, Any]:
    """gRPC's service config: even spreading, and three tries for methods without side effects. Nothing else is ever repeated."""
    reads = [
        {"service": name, "method": method}
        for name in services
        for method in _methods(name)
        if access.reads_only(f"/{name}/{method}")
    ]
    retry = {
        "maxAttempts": 3,
        "initialBackoff": "0.05s",
        "maxBackoff": "0.5s",
        "backoffMultiplier": 2,
        "retryableStatusCodes": ["UNAVAILABLE"],
    }
    return {
        "loadBalancingConfig": [{"round_robin": {}}],
        "methodConfig": [{"name": reads, "retryPolicy": retry}] if reads else [],
        "retryThrottling": {"maxTokens": 10, "tokenRatio": 0.1},
    }


def _methods(service: str) -> list[str]:
    return [method.name for method in descriptor_pool.Default().FindServiceByName(service).methods]


class _Outgoing:
    def __init__(self, headers: Callable[[bool], list[tuple[str, str]]], forward_token: bool) -> None:
        self._headers = headers
        self._forward = forward_token

    def _prepared(self, details: aio.ClientCallDetails, default_s: float | None) -> aio.ClientCallDetails:
        given = {str(key) for key, _ in details.metadata or ()}
        added = [header for header in self._headers(self._forward) if header[0] not in given]
        timeout = deadline.remaining(details.timeout if details.timeout is not None else default_s)
        metadata = aio.Metadata(*(details.metadata or ()), *added)
        return aio.ClientCallDetails(details.method, timeout, metadata, details.credentials, details.wait_for_ready)


class _Unary(_Outgoing, aio.UnaryUnaryClientInterceptor):
    async def intercept_unary_unary(
        self, continuation: Any, client_call_details: aio.ClientCallDetails, request: Any
    ) -> Any:
        return await continuation(self._prepared(client_call_details, DEFAULT_TIMEOUT_S), request)


class _Stream(_Outgoing, aio.UnaryStreamClientInterceptor):
    async def intercept_unary_stream(
        self, continuation: Any, client_call_details: aio.ClientCallDetails, request: Any
    ) -> Any:
        return await continuation(self._prepared(client_call_details, None), request)
