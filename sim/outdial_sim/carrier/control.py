"""The carrier's control port: GET /healthz and GET /stats, JSON."""

from outdial_sim.carrier.server import Carrier
from outdial_sim.http_server import Reply, Request


def routes(carrier: Carrier, request: Request) -> Reply:
    """Answer one control request."""
    if request.method != "GET":
        return Reply.problem(405, "method not allowed")
    if request.path == "/healthz":
        return Reply.json(200, {"status": "ok"})
    if request.path == "/stats":
        return Reply.json(200, {"live_calls": carrier.live_calls, **carrier.counts})
    return Reply.problem(404, "no such resource")
