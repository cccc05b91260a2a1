"""A raw-socket caller that shares nothing with the package, and a carrier on loopback."""

import asyncio
import hashlib
import re
import socket
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest

from outdial_sim import journal, voices
from outdial_sim.carrier import app
from outdial_sim.carrier.server import Carrier
from outdial_sim.scenario import AgentsSpec, CalleesSpec, CarrierSpec, Kind, Range, Scenario
from outdial_sim.wire.digest import Account

NUMBER = "+12125550123"
USER, PASSWORD = "gateway", "secret"
WAIT_SECONDS = 10.0


def one_callee(kind: Kind, *, digest: bool = False, loss: float = 0.0, seed: int = 7, ring: float = 0.1) -> Scenario:
    """A world in which every number is of one kind; short delays."""
    return Scenario(
        seed=seed,
        clock_start=datetime(2026, 11, 17, 15, tzinfo=UTC),
        agents=AgentsSpec(
            count=2, login_spread_seconds=0.05, talk_mean_seconds=0.4, talk_cv=0.0, wrap_mean_seconds=0.1
        ),
        carrier=CarrierSpec(pdd_ms=Range(low=10, high=20), digest=digest, loss=loss),
        callees=CalleesSpec(
            mix=MappingProxyType({kind: 1.0}),
            ring_seconds=MappingProxyType({one: Range(low=ring, high=ring) for one in Kind}),
            by_number=MappingProxyType({}),
        ),
    )


@dataclass
class Answer:
    """A SIP message as the raw caller sees it."""

    first_line: str
    text: str

    @property
    def status(self) -> int:
        """Status code, 0 for a request."""
        return int(self.first_line.split()[1]) if self.first_line.startswith("SIP/2.0") else 0

    def header(self, name: str) -> str:
        """A header's value, empty when absent."""
        found = re.search(rf"^{name}: (.*)\r$", self.text, re.MULTILINE)
        return found.group(1) if found else ""

    @property
    def rtp_port(self) -> int:
        """Port of the audio stream, 0 without SDP."""
        found = re.search(r"^m=audio (\d+)", self.text, re.MULTILINE)
        return int(found.group(1)) if found else 0


@dataclass
class RawUac:
    """One call with plain sockets: bytes by hand, so that it can also misbehave."""

    carrier_port: int
    call_id: str = "11111111-2222-3333-4444-555555555555.1@127.0.0.1"
    sip: socket.socket = field(default_factory=lambda: _udp())
    rtp: socket.socket = field(default_factory=lambda: _udp())
    cseq: int = 1
    branch: str = "z9hG4bKfirst"
    to: str = f"<sip:{NUMBER}@127.0.0.1>"
    _sequence: int = 0

    def request(
        self, method: str, *, extra: str = "", body: str = "", cseq: int | None = None, branch: str = ""
    ) -> bytes:
        """A request as bytes."""
        port = self.sip.getsockname()[1]
        return (
            f"{method} sip:{NUMBER}@127.0.0.1:{self.carrier_port} SIP/2.0\r\n"
            f"Via: SIP/2.0/UDP 127.0.0.1:{port};branch={branch or self.branch};rport\r\n"
            f"From: <sip:+12125550101@127.0.0.1>;tag=raw\r\nTo: {self.to}\r\nCall-ID: {self.call_id}\r\n"
            f"CSeq: {cseq or self.cseq} {method}\r\nContact: <sip:raw@127.0.0.1:{port}>\r\nMax-Forwards: 70\r\n"
            f"{extra}Content-Length: {len(body)}\r\n\r\n{body}"
        ).encode()

    def send(self, data: bytes) -> None:
        """Put bytes on the wire."""
        self.sip.sendto(data, ("127.0.0.1", self.carrier_port))

    def invite(self, *, extra: str = "", formats: str = "0 101") -> None:
        """Send an INVITE that offers PCMU and telephone-event."""
        body = (
            "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"
            f"m=audio {self.rtp.getsockname()[1]} RTP/AVP {formats}\r\na=rtpmap:101 telephone-event/8000\r\n"
        )
        self.send(self.request("INVITE", extra="Content-Type: application/sdp\r\n" + extra, body=body))

    def ack(self, answer: Answer) -> None:
        """ACK a final response; a 2xx gets a branch of its own."""
        self.to = answer.header("To")
        self.send(self.request("ACK", branch="z9hG4bKack" if answer.status < 300 else self.branch))

    def credentials(self, answer: Answer, password: str = PASSWORD) -> str:
        """A Proxy-Authorization header line for a challenge."""
        challenge = answer.header("Proxy-Authenticate")
        nonce = re.search(r'nonce="([^"]+)"', challenge)
        assert nonce is not None
        uri = f"sip:{NUMBER}@127.0.0.1:{self.carrier_port}"
        secret, what = _md5(f"{USER}:carrier:{password}"), _md5(f"INVITE:{uri}")
        response = _md5(f"{secret}:{nonce.group(1)}:00000001:c:auth:{what}")
        return (
            f'Proxy-Authorization: Digest username="{USER}", realm="carrier", nonce="{nonce.group(1)}", uri="{uri}", '
            f'response="{response}", qop=auth, nc=00000001, cnonce="c"\r\n'
        )

    async def read(self) -> Answer:
        """The next message."""
        data = await asyncio.wait_for(asyncio.get_running_loop().sock_recv(self.sip, 4096), WAIT_SECONDS)
        text = data.decode()
        return Answer(text.split("\r\n")[0], text)

    async def until(self, wanted: Callable[[Answer], bool]) -> Answer:
        """Read until a message is wanted."""
        while not wanted(answer := await self.read()):
            pass
        return answer

    async def final(self) -> Answer:
        """The final response to the INVITE."""
        return await self.until(lambda answer: answer.status >= 200 and "INVITE" in answer.header("CSeq"))

    async def answered(self) -> Answer:
        """Invite and acknowledge the answer."""
        self.invite()
        answer = await self.final()
        assert answer.status == 200
        self.ack(answer)
        return answer

    async def hear(self, count: int) -> list[bytes]:
        """Payloads of the next RTP packets."""
        loop = asyncio.get_running_loop()
        return [(await asyncio.wait_for(loop.sock_recv(self.rtp, 2048), WAIT_SECONDS))[12:] for _ in range(count)]

    def speak(self, port: int, payload: bytes, payload_type: int = 0, timestamp: int = 0) -> None:
        """Send one RTP packet."""
        self._sequence += 1
        header = struct.pack("!BBHII", 0x80, payload_type, self._sequence, timestamp or 160 * self._sequence, 99)
        self.rtp.sendto(header + payload, ("127.0.0.1", port))

    def close(self) -> None:
        """Close both sockets."""
        self.sip.close()
        self.rtp.close()


@dataclass
class Net:
    """A carrier on loopback, its journal, and callers."""

    carrier: Carrier
    log: Path
    callers: list[RawUac] = field(default_factory=list)

    def caller(self, **fields: Any) -> RawUac:
        """A new raw caller."""
        self.callers.append(RawUac(self.carrier.port, **fields))
        return self.callers[-1]

    def lines(self, **wanted: Any) -> list[dict[str, Any]]:
        """Journal lines that have all these values."""
        return [line for line in journal.read(self.log) if all(line.get(key) == value for key, value in wanted.items())]

    async def line(self, **wanted: Any) -> dict[str, Any]:
        """The first such line, waited for."""
        for _ in range(int(WAIT_SECONDS / 0.02)):
            if found := self.lines(**wanted):
                return found[0]
            await asyncio.sleep(0.02)
        raise TimeoutError(f"no journal line with {wanted}")


Start = Callable[[Scenario], Awaitable[Net]]


@pytest.fixture
def world() -> Callable[..., Scenario]:
    """Makes scenarios of one kind."""
    return one_callee


@pytest.fixture
async def start(tmp_path: Path) -> AsyncIterator[Start]:
    """Starts a carrier for a scenario; everything is closed afterwards."""
    nets: list[Net] = []
    sounds = voices.synthetic()
    with journal.Journal(tmp_path / "carrier.jsonl") as log:

        async def begin(scenario: Scenario) -> Net:
            options = app.CarrierOptions(
                host="127.0.0.1",
                port=0,
                log=tmp_path / "carrier.jsonl",
                control_port=None,
                account=Account(user=USER, password=PASSWORD),
            )
            nets.append(Net(await app.start(scenario, sounds, log, options), options.log))
            return nets[-1]

        yield begin
        for net in nets:
            net.carrier.close()
            for caller in net.callers:
                caller.close()
        await asyncio.sleep(0)


def _udp() -> socket.socket:
    endpoint = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    endpoint.setblocking(False)
    endpoint.bind(("127.0.0.1", 0))
    return endpoint


def _md5(text: str) -> str:
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()
