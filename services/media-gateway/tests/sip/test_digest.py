"""Digest: the RFC's own numbers, and our challenge to phones."""

import pytest

from media_gateway.sip.digest import (
    Authenticator,
    Challenge,
    Credentials,
    Verdict,
    authorization,
    choose_challenge,
    username_of,
)
from media_gateway.sip.errors import LocalProtocolError, RemoteProtocolError

PHONE = Credentials(username="agent7", password="pass7")


def authenticator() -> Authenticator:
    return Authenticator(realm="phones", key=b"boot key", password_of={"agent7": "pass7"}.get, lifetime_seconds=60)


def header(challenge: str, credentials: Credentials = PHONE, count: int = 1, method: str = "INVITE") -> str:
    return authorization(
        choose_challenge((challenge,)),
        credentials,
        method=method,
        uri="sip:gateway@10.0.0.1",
        nonce_count=count,
        cnonce="c",
    )


@pytest.mark.parametrize(
    ("algorithm", "response"),
    [
        ("MD5", "8ca523f5e9506fed4657c9700eebdbec"),
        ("SHA-256", "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"),
    ],
)
def test_response_is_that_of_rfc_7616_section_3_9_1(algorithm: str, response: str) -> None:
    challenge = Challenge(
        realm="http-auth@example.org",
        nonce="7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v",
        algorithm=algorithm,
        qop="auth",
        opaque="FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS",
    )
    value = authorization(
        challenge,
        Credentials(username="Mufasa", password="Circle of Life"),
        method="GET",
        uri="/dir/index.html",
        nonce_count=1,
        cnonce="f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ",
    )
    assert f'response="{response}"' in value
    assert 'opaque="FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS"' in value
    assert "nc=00000001" in value


def test_strongest_known_challenge_is_chosen() -> None:
    values = (
        'Digest realm="r", nonce="1", algorithm=SHA-512-256',
        'Digest realm="r", nonce="2"',
        'DIGEST Realm="r,s", NONCE="3", algorithm=sha-256, qop="auth-int,auth", stale=TRUE',
    )
    chosen = choose_challenge(values)
    assert (chosen.nonce, chosen.realm, chosen.algorithm, chosen.qop, chosen.stale) == (
        "3",
        "r,s",
        "SHA-256",
        "auth",
        True,
    )


@pytest.mark.parametrize(
    "value", ["", 'Basic realm="r"', 'Digest realm="r"', 'Digest realm="r", nonce="1", qop="auth-int"']
)
def test_challenge_we_cannot_answer_is_refused(value: str) -> None:
    with pytest.raises(RemoteProtocolError):
        choose_challenge((value,))


def test_right_password_is_accepted_once_per_count() -> None:
    server = authenticator()
    challenge = server.challenge(100.0)
    value = header(challenge)
    assert server.verify(value, method="INVITE", now=101.0).verdict is Verdict.ACCEPTED
    assert server.verify(value, method="INVITE", now=101.0).verdict is Verdict.STALE
    again = header(challenge, count=2)
    assert server.verify(again, method="INVITE", now=102.0).verdict is Verdict.ACCEPTED
    assert username_of(again) == "agent7"


def test_old_nonce_is_stale_and_not_wrong() -> None:
    server = authenticator()
    value = header(server.challenge(100.0))
    assert server.verify(value, method="INVITE", now=161.0).verdict is Verdict.STALE
    assert "stale=true" in server.challenge(161.0, stale=True)


@pytest.mark.parametrize(
    "credentials", [Credentials(username="agent7", password="pass8"), Credentials(username="agent8", password="")]
)
def test_wrong_password_and_unknown_user_look_alike(credentials: Credentials) -> None:
    server = authenticator()
    value = header(server.challenge(100.0), credentials)
    assert server.verify(value, method="INVITE", now=101.0).verdict is Verdict.WRONG


def test_response_of_another_method_is_wrong() -> None:
    server = authenticator()
    value = header(server.challenge(100.0), method="REGISTER")
    assert server.verify(value, method="INVITE", now=101.0).verdict is Verdict.WRONG


def test_nonce_we_did_not_sign_is_stale() -> None:
    foreign = Authenticator(realm="phones", key=b"another boot", password_of={"agent7": "pass7"}.get)
    value = header(foreign.challenge(100.0))
    assert authenticator().verify(value, method="INVITE", now=101.0).verdict is Verdict.STALE


def test_two_phones_challenged_at_once_get_different_nonces() -> None:
    server = authenticator()
    assert server.challenge(100.0) != server.challenge(100.0)


@pytest.mark.parametrize("value", [None, "", "Basic x", "Digest", "Digest ,,,=", 'Digest nonce="zz-\udcff", nc=x'])
def test_nonsense_is_never_accepted(value: str | None) -> None:
    assert authenticator().verify(value, method="INVITE", now=1.0).verdict in {Verdict.MISSING, Verdict.WRONG}


def test_user_name_that_breaks_the_quoting_never_leaves() -> None:
    with pytest.raises(LocalProtocolError):
        header(authenticator().challenge(1.0), Credentials(username='a"b', password="x"))
