"""The composition root: what ends the service, that closing can't hang, and what the configuration refuses."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from joserfc import jws
from joserfc.jwk import KeySet, OKPKey

from media_gateway.adapters.clearance_jws import REREAD_SECONDS, JwsClearances
from media_gateway.adapters.media_plane import MediaPlane
from media_gateway.adapters.rtp_udp import MediaPump
from media_gateway.adapters.sip_lines import SipTrunks
from media_gateway.adapters.sip_udp import bind_udp, serve_sip_udp
from media_gateway.app import REQUESTS, build_service
from media_gateway.config import Config, ConfigError
from media_gateway.handlers.deps import Deps
from media_gateway.handlers.live_call import LiveCall
from media_gateway.ports import NoMediaLeg
from media_gateway.rtp.address import reachable
from media_gateway.rtp.port_pool import PortPool
from media_gateway.sip.dialog import LocalIdentity
from media_gateway.sip.endpoint import Endpoint
from media_gateway.sip.events import CallEvent, Ended
from outdial_contracts.events import CallEnded, EndClass
from outdial_runtime.service import HttpRoute

from .handlers.fakes import DIAL, TRUNK, FakeGate, FakeLeg
from .test_loopback import FakeToolkit, configuration

README = Path(__file__).parents[1] / "README.md"


async def serve_until_it_fails(config: Config, break_it: Callable[[Deps], Awaitable[None]]) -> None:
    toolkit: Any = FakeToolkit()
    async with asyncio.timeout(10), build_service(config).build(toolkit) as deps:
        await break_it(deps)
        await asyncio.sleep(60)


async def test_failing_live_call_ends_the_service_with_its_error(tmp_path: Path) -> None:
    ports: list[int] = []

    async def fail() -> None:
        raise RuntimeError("a bug")

    async def break_it(deps: Any) -> None:
        ports.extend([deps.trunks.sip.local_port, deps.phones.sip.local_port])
        deps.start(fail())

    with pytest.raises(ExceptionGroup) as raised:
        await serve_until_it_fails(configuration(tmp_path)[0], break_it)
    assert [str(error) for error in raised.value.exceptions] == ["a bug"]
    for port in ports:
        bind_udp(("127.0.0.1", port)).close()


async def test_failing_detector_ends_the_service(tmp_path: Path) -> None:
    def fail(*frame: Any) -> None:
        raise RuntimeError("a bug")

    async def break_it(deps: Deps) -> None:
        (await deps.media.open_leg()).on_frame = fail

    with pytest.raises(ExceptionGroup):
        await serve_until_it_fails(configuration(tmp_path)[0], break_it)


async def test_closing_with_a_live_call_hangs_it_up_and_says_so(tmp_path: Path) -> None:
    toolkit, silent = FakeToolkit(), bind_udp(("127.0.0.1", 0))
    async with asyncio.timeout(10):
        async with build_service(configuration(tmp_path)[0]).build(toolkit) as opened:  # type: ignore[arg-type]
            deps = replace(opened, gate=FakeGate())
            trunk = replace(TRUNK, port=silent.getsockname()[1])
            call = LiveCall(DIAL, trunk, 60, await deps.media.open_leg(), deps)
            deps.start(call.run())
            await asyncio.sleep(0.2)
    silent.close()
    [ended] = toolkit.outbox.of(CallEnded)
    assert (ended.dialled, ended.end_class) == (True, EndClass.CANCELLED)
    assert call.over.is_set()


async def test_second_gateway_on_the_same_port_fails_at_once_and_leaves_no_socket(tmp_path: Path) -> None:
    config, _ = configuration(tmp_path)
    taken = bind_udp(("127.0.0.1", 0))
    with pytest.raises(ExceptionGroup) as raised:
        async with build_service(replace(config, agent_sip_port=taken.getsockname()[1])).build(FakeToolkit()):  # type: ignore[arg-type]
            pass
    taken.close()
    assert isinstance(raised.value.exceptions[0], OSError)


async def test_invite_that_the_socket_refuses_raises_without_the_number() -> None:
    heard: list[CallEvent] = []
    trunks = SipTrunks("127.0.0.1", {}, lambda: 1)
    udp = bind_udp(("127.0.0.1", 0))
    identity = LocalIdentity(host="127.0.0.1", port=udp.getsockname()[1], user_agent="t", new_token=lambda: "t")
    trunks.sip = await serve_sip_udp(Endpoint(identity=identity), udp, on_event=trunks.dispatch)
    leg: Any = FakeLeg()
    with pytest.raises(OSError, match="refused") as raised:
        trunks.place(
            call_id="a.1@h",
            trunk=replace(TRUNK, port=0),
            number="+12125550123",
            caller_id="+12125550101",
            traceparent="",
            leg=leg,
            on_event=heard.append,
        )
    assert "2125550123" not in str(raised.value)
    assert [type(event) for event in heard] == [Ended]
    await trunks.sip.close()


async def test_media_plane_says_when_no_port_is_left() -> None:
    pump = MediaPump(host="127.0.0.1", ports=PortPool(first=22600, last=22601))
    plane = MediaPlane(pump, Path(__file__).parents[3] / "examples" / "prompts")
    leg = await plane.open_leg()
    with pytest.raises(NoMediaLeg, match="in use"):
        await plane.open_leg()
    leg.close()
    assert len(plane.prompt("prompts/safe_harbour.wav") or []) > 100
    assert plane.prompt("absent.wav") is None
    await asyncio.sleep(0)


def signed(key: OKPKey, **changes: Any) -> str:
    claims = {"sub": "a", "country": "US", "class": "mobile", "modes": ["LIVE_MANUAL"], "agent_guaranteed": False}
    claims |= {"aud": "outdial-media-gateway", "exp": 1_800_000_000} | changes
    header = {"alg": "Ed25519", "kid": key.kid}
    return jws.serialize_compact(header, json.dumps(claims), key, algorithms=["Ed25519"])


def test_clearance_counts_only_from_the_gate_and_only_for_gateways(tmp_path: Path) -> None:
    file, ours, theirs = tmp_path / "jwks.json", *(OKPKey.generate_key("Ed25519", {"kid": k}) for k in ("k1", "k2"))
    file.write_text(json.dumps(KeySet([ours]).as_dict(private=False)))
    now = [0.0]
    clearances = JwsClearances(file, lambda: now[0])
    claims = clearances.claims(signed(ours))
    assert claims is not None
    assert (claims.attempt_id, claims.number_class, claims.modes) == ("a", "mobile", frozenset({"LIVE_MANUAL"}))
    assert clearances.claims(signed(ours, aud="somebody-else")) is None
    assert clearances.claims(signed(theirs)) is None
    assert clearances.claims("not.a.token") is None
    assert clearances.claims(signed(ours)[:-4] + "AAAA") is None
    file.write_text(json.dumps(KeySet([ours, theirs]).as_dict(private=False)))
    assert clearances.claims(signed(theirs)) is None, "the file was read for that key a moment ago"
    now[0] += REREAD_SECONDS
    assert clearances.claims(signed(theirs)) is not None


def test_keys_that_are_known_hold_while_the_file_of_keys_is_none(tmp_path: Path) -> None:
    file, ours, theirs = tmp_path / "jwks.json", *(OKPKey.generate_key("Ed25519", {"kid": k}) for k in ("k1", "k2"))
    file.write_text(json.dumps(KeySet([ours]).as_dict(private=False)))
    now = [0.0]
    clearances = JwsClearances(file, lambda: now[0])
    for content in ("", "[]", "{}", '{"keys": [{}]}'):
        file.write_text(content)
        now[0] += REREAD_SECONDS
        assert clearances.claims(signed(theirs)) is None
        assert clearances.claims(signed(ours)) is not None


@pytest.mark.parametrize(
    ("host", "port", "usable"),
    [
        ("127.0.0.1", 4000, True),
        ("10.1.2.3", 4000, True),
        ("0.0.0.0", 4000, False),
        ("127.0.0.1", 0, False),
        ("::1", 4000, False),
        ("media.example", 4000, False),
    ],
)
def test_only_an_address_that_the_socket_can_send_to_is_used(host: str, port: int, usable: bool) -> None:
    assert reachable(host, port, "127.0.0.1") == ((host, port) if usable else None)


REQUIRED = {
    "OUTDIAL_GRPC_PORT": "7004",
    "OUTDIAL_PROMPTS_DIR": "prompts",
    "OUTDIAL_GATE_ADDRESS": "127.0.0.1:1",
    "OUTDIAL_CLEARANCE_JWKS_FILE": "keys.json",
    "OUTDIAL_AGENT_SECRET": "very-secret",
}


@pytest.mark.parametrize("name", REQUIRED)
def test_missing_variable_is_named(name: str) -> None:
    with pytest.raises(ConfigError, match=name):
        Config.from_env({k: v for k, v in REQUIRED.items() if k != name})


@pytest.mark.parametrize(
    ("name", "value"),
    [("OUTDIAL_RTP_PORTS", "20000"), ("OUTDIAL_RTP_PORTS", "9-5"), ("OUTDIAL_CHANNELS", "many")],
)
def test_variable_of_the_wrong_shape_is_named_and_its_value_is_not_repeated(name: str, value: str) -> None:
    with pytest.raises(ConfigError, match=name) as raised:
        Config.from_env(REQUIRED | {name: value})
    assert value not in str(raised.value)


def test_configuration_does_not_show_its_secrets() -> None:
    assert "very-secret" not in repr(Config.from_env(REQUIRED | {"TRUNK_PASSWORD": "very-secret-too"}))


def test_readme_lists_every_variable_and_route() -> None:
    readme = README.read_text("utf-8")
    source = (README.parent / "media_gateway" / "config.py").read_text("utf-8")
    variables = set(re.findall(r'"(OUTDIAL_[A-Z_]+)"', source))
    assert variables
    for name in variables | {route.path for route in REQUESTS if isinstance(route, HttpRoute)}:
        assert name in readme
