"""The POST against real servers: verified at the other end, timed, over TLS that is checked, to no address of ours."""

from __future__ import annotations

import asyncio
import base64
import logging
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from ipaddress import ip_address, ip_network
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from disposition.adapters.webhook_http import HttpPoster
from disposition.adapters.webhook_signing import StandardSigner
from disposition.domain.addresses import Address, Policy
from disposition.domain.delivery import Answer, Trouble
from disposition.ports import SecretAbsent
from outdial_sim.crm_webhooks import WebhookReceiver, recount_webhooks
from outdial_sim.http_server import Reply, Request, serving
from outdial_sim.journal import Journal

OLD = "whsec_" + base64.b64encode(b"o" * 32).decode()
NEW = "whsec_" + base64.b64encode(b"n" * 32).decode()
LOOPBACK = Policy(networks=(ip_network("127.0.0.0/8"),))
BODY = '{"type":"lead.state","data":{"source":"Grüße"}}'


async def to_loopback(host: str, port: int) -> list[Address]:
    """Every name is this machine's."""
    return [ip_address("127.0.0.1")]


@asynccontextmanager
async def poster(
    policy: Policy = LOOPBACK, *, ca_file: str | None = None, timeout_seconds: float = 5.0
) -> AsyncIterator[HttpPoster]:
    made = HttpPoster(policy=policy, timeout_seconds=timeout_seconds, ca_file=ca_file, resolve=to_loopback)
    async with made:
        yield made


async def posted(reply: Reply, path: str = "/") -> tuple[Answer, list[Request]]:
    """What a server that answers so makes of one POST, and what it saw."""
    seen: list[Request] = []

    def handle(request: Request) -> Reply:
        seen.append(request)
        return reply

    async with serving("127.0.0.1", 0, handle) as port, poster() as post:
        return await post.post(f"http://crm.test:{port}{path}", {"webhook-id": "w1"}, BODY), seen


async def test_signed_posts_are_verified_by_the_crm_also_while_the_secret_is_rotated(tmp_path: Path) -> None:
    log = tmp_path / "crm.jsonl"
    signer = StandardSigner({"OUTDIAL_WEBHOOK_SECRET": (NEW, OLD)})
    headers = signer.headers("OUTDIAL_WEBHOOK_SECRET", "w1", BODY)
    assert headers["webhook-signature"].count(" ") == 1
    for place, secret in enumerate((OLD, NEW)):
        with Journal(tmp_path / f"{place}.jsonl") as journal:
            receiver = WebhookReceiver(journal, secret)
            async with serving("127.0.0.1", 0, receiver.handle) as port, poster() as post:
                assert await post.post(f"http://127.0.0.1:{port}/hook", headers, BODY) == Answer(status=204)
    with Journal(log) as journal:
        receiver = WebhookReceiver(journal, NEW)
        async with serving("127.0.0.1", 0, receiver.handle) as port, poster() as post:
            url = f"http://127.0.0.1:{port}/hook"
            assert (await post.post(url, headers, BODY + " ")).status == 401
            assert (await post.post(url, {**headers, "webhook-id": "w2"}, BODY)).status == 401
    assert recount_webhooks(log).forged == 2


async def test_a_repeated_old_delivery_is_refused_as_stale(tmp_path: Path) -> None:
    stale = StandardSigner({"S": (NEW,)}, real_time=lambda: datetime.now(UTC) - timedelta(minutes=6))
    with Journal(tmp_path / "crm.jsonl") as journal:
        receiver = WebhookReceiver(journal, NEW)
        async with serving("127.0.0.1", 0, receiver.handle) as port, poster() as post:
            answer = await post.post(f"http://127.0.0.1:{port}/", stale.headers("S", "w1", BODY), BODY)
    assert answer.status == 401


def test_without_a_secret_nothing_is_signed() -> None:
    for name in (None, "OUTDIAL_WEBHOOK_SECRET_B"):
        with pytest.raises(SecretAbsent):
            StandardSigner({"OUTDIAL_WEBHOOK_SECRET": (NEW,)}).headers(name, "w1", BODY)


async def test_path_query_host_and_body_arrive_as_they_are() -> None:
    answer, [seen] = await posted(Reply(status=200, body=b"{}"), "/hook")
    assert answer == Answer(status=200)
    assert (seen.method, seen.path, seen.body.decode()) == ("POST", "/hook", BODY)
    assert seen.headers["host"].startswith("crm.test:")
    assert seen.headers["content-type"] == "application/json"


async def test_redirects_are_not_followed() -> None:
    answer, seen = await posted(Reply(status=307, headers={"Location": "/elsewhere"}))
    assert answer == Answer(status=307, trouble=Trouble.STATUS)
    assert len(seen) == 1


@pytest.mark.parametrize("form", ["seconds", "date", "nonsense"])
def test_retry_after_is_read_in_both_forms(form: str) -> None:
    date = format_datetime(datetime.now(UTC) + timedelta(seconds=120), usegmt=True)
    text = {"seconds": "120", "date": date, "nonsense": "soon"}[form]
    answer, _ = asyncio.run(posted(Reply(status=429, headers={"Retry-After": text})))
    if form == "nonsense":
        assert answer.retry_after_seconds is None
    else:
        assert answer.retry_after_seconds == pytest.approx(120, abs=10)


async def test_a_body_without_end_is_not_read_to_the_end() -> None:
    answer, _ = await posted(Reply(status=200, body=b"x" * 1_000_000))
    assert answer == Answer(status=200)


async def test_a_server_that_does_not_answer_times_out() -> None:
    async with (
        serving("127.0.0.1", 0, lambda request: Reply(status=204, hold_seconds=60)) as port,
        poster(timeout_seconds=0.2) as post,
    ):
        assert await post.post(f"http://127.0.0.1:{port}/", {}, BODY) == Answer(trouble=Trouble.TIMED_OUT)


async def test_a_server_that_is_away_is_not_reached() -> None:
    async with serving("127.0.0.1", 0, lambda request: Reply(status=204)) as port:
        pass
    async with poster() as post:
        assert await post.post(f"http://127.0.0.1:{port}/", {}, BODY) == Answer(trouble=Trouble.NOT_REACHED)


async def test_nothing_reaches_our_own_network() -> None:
    seen: list[Request] = []

    def handle(request: Request) -> Reply:
        seen.append(request)
        return Reply(status=204)

    async with serving("127.0.0.1", 0, handle) as port, poster(Policy()) as post:
        for scheme in ("http", "https"):
            answer = await post.post(f"{scheme}://innocent.example.test:{port}/", {}, BODY)
            assert answer == Answer(trouble=Trouble.ADDRESS_REFUSED)
        assert await post.post("gopher://crm.test/", {}, BODY) == Answer(trouble=Trouble.URL_REFUSED)
    assert seen == []


async def test_neither_url_nor_secret_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        await posted(Reply(status=204), "/hook?token=hush")
    assert "hush" not in caplog.text


def certificate(folder: Path, name: str) -> tuple[ssl.SSLContext, str]:
    """(a server's context, the PEM file that trusts it) for a host name."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(datetime.now(UTC) - timedelta(days=1))
        .not_valid_after(datetime.now(UTC) + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    chain, private = folder / "chain.pem", folder / "key.pem"
    chain.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    plain = serialization.NoEncryption()
    private.write_bytes(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(chain, private)
    return context, str(chain)


async def test_tls_is_verified_for_the_name_although_the_address_is_pinned(tmp_path: Path) -> None:
    context, trusted = certificate(tmp_path, "crm.test")

    async def answer_one(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer_one, "127.0.0.1", 0, ssl=context)
    port = server.sockets[0].getsockname()[1]
    async with poster(ca_file=trusted) as post:
        good = await post.post(f"https://crm.test:{port}/", {}, BODY)
        wrong_name = await post.post(f"https://other.test:{port}/", {}, BODY)
    async with poster() as post:
        unknown_authority = await post.post(f"https://crm.test:{port}/", {}, BODY)
    server.close()
    await server.wait_closed()
    assert good == Answer(status=204)
    assert wrong_name == unknown_authority == Answer(trouble=Trouble.NOT_REACHED)
