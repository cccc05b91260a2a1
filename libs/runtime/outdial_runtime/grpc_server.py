"""The gRPC door: generic handlers from the compiled descriptors, so a service only states its methods."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import grpc
from google.protobuf.message_factory import GetMessageClass

from outdial_contracts.rpc import outdial_pb2
from outdial_runtime.requests import NotReady, Requests
from outdial_runtime.service import GrpcMethod

STOP_GRACE_SECONDS = 2.0


async def start_grpc(
    methods: Sequence[GrpcMethod], requests: Requests, host: str, port: int
) -> tuple[grpc.aio.Server, int]:
    """Starts serving; returns the server and its port.

    Raises:
        RuntimeError: the port can't be bound.
        KeyError: a method is in no descriptor.
    """
    server = grpc.aio.server(options=[("grpc.so_reuseport", 0)])
    by_service: dict[str, dict[str, grpc.RpcMethodHandler[Any, Any]]] = defaultdict(dict)
    for method in methods:
        by_service[method.service][method.method] = _handler(method, requests)
    for service, handlers in by_service.items():
        full_name = f"{outdial_pb2.DESCRIPTOR.package}.{service}"
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(full_name, handlers),))
    bound = server.add_insecure_port(f"{host}:{port}")
    await server.start()
    return server, bound


def _handler(method: GrpcMethod, requests: Requests) -> grpc.RpcMethodHandler[Any, Any]:
    descriptor = outdial_pb2.DESCRIPTOR.services_by_name[method.service].methods_by_name[method.method]
    return grpc.unary_unary_rpc_method_handler(
        _behaviour(method, requests),
        request_deserializer=GetMessageClass(descriptor.input_type).FromString,
        response_serializer=lambda reply: reply.SerializeToString(),
    )


def _behaviour(method: GrpcMethod, requests: Requests) -> Callable[[Any, Any], Awaitable[Any]]:
    async def answer(message: Any, context: Any) -> Any:
        metadata = {key: value for key, value in context.invocation_metadata() or () if isinstance(value, str)}
        try:
            return await requests.grpc(method, message, metadata)
        except NotReady:
            status, detail = grpc.StatusCode.UNAVAILABLE, "the service is not ready yet"
        except Exception:  # Requests logged and counted it; the caller learns nothing but the status
            status, detail = grpc.StatusCode.INTERNAL, "the request failed; the service's log says where"
        return await context.abort(status, detail)

    return answer
