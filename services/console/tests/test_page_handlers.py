"""The pages over HTTP: safe headers, escaped words, what is missing is said, and nothing of a person."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from console.config import Config, ConfigError
from console.domain.sources import Source
from outdial_contracts.identity import attempt_id as id_of_offer
from outdial_runtime.service import HttpReply

LEAD = "405559c8-8b06-5a7d-a5a6-5a7d84c2c264"
ATTEMPT = id_of_offer(LEAD, 1)
GATE, DISPOSITION, ROUTER = Source.GATE, Source.DISPOSITION, Source.LEAD_ROUTER
ENV = {
    "OUTDIAL_GATE_ADDRESS": "127.0.0.1:1",
    "OUTDIAL_AGENT_SECRET": "s" * 16,
    "OUTDIAL_AGENT_SIP_ADDRESS": "127.0.0.1:5070",
}


async def searched(office: Any, typed: str) -> HttpReply:
    reply: HttpReply = await office.ask("POST", "/attempts", f"q={typed}".encode())
    return reply


@pytest.mark.parametrize("path", ["/", "/attempts", "/report", f"/attempts/{ATTEMPT}"])
async def test_every_page_runs_and_fetches_only_its_own(office: Any, path: str) -> None:
    reply = await office.ask("GET", path)
    policy = reply.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'")
    assert "unsafe" not in policy
    assert 'style="' not in reply.body
    assert "onclick" not in reply.body


async def test_a_campaign_named_like_the_end_of_a_script_ends_no_script(office: Any, published: Any) -> None:
    office.deps.hub.board.campaign_published(replace(published, team_id="</script><b>"))
    reply = await office.ask("GET", "/")
    assert "</script><b>" not in reply.body
    assert "\\u003c/script>\\u003cb>" in reply.body


async def test_a_search_leads_to_the_page_of_what_it_is(office: Any) -> None:
    office.sources.answers[(ROUTER, f"/v1/leads/{LEAD}")] = {}
    assert (await searched(office, ATTEMPT)).headers["location"] == f"/attempts/{ATTEMPT}"
    office.sources.answers[(ROUTER, f"/v1/leads/{LEAD}")] = {"lead_id": LEAD}
    assert (await searched(office, LEAD.upper())).headers["location"] == f"/leads/{LEAD}"
    assert (await searched(office, "spring-renewal")).headers["location"] == "/campaigns/spring-renewal/attempts"


async def test_a_number_is_refused_asked_of_nobody_and_not_said_again(office: Any) -> None:
    reply = await searched(office, "%2B1+212+555-0123")
    assert reply.status == 422
    assert "telephone number" in reply.body
    assert "0123" not in reply.body
    assert not office.sources.asked


@pytest.mark.parametrize(
    "path", ["/attempts/none", f"/attempts/{ATTEMPT}", f"/leads/{LEAD}", "/campaigns/none/attempts"]
)
async def test_what_nobody_knows_is_a_404_with_a_way_on(office: Any, path: str) -> None:
    reply = await office.ask("GET", path)
    assert reply.status == 404
    assert 'href="/attempts"' in reply.body


async def test_who_is_away_is_named_instead_of_denying_the_attempt(office: Any) -> None:
    office.sources.away = {GATE}
    reply = await office.ask("GET", f"/attempts/{ATTEMPT}")
    assert reply.status == 503
    assert "compliance-gate does not answer." in reply.body
    office.sources.answers[(DISPOSITION, f"/v1/attempts/{ATTEMPT}")] = {"invited_at": "2026-11-17T15:00:00+00:00"}
    reply = await office.ask("GET", f"/attempts/{ATTEMPT}")
    assert reply.status == 200
    assert "compliance-gate does not answer." in reply.body
    assert "invited" in reply.body


async def test_what_a_service_says_is_escaped(office: Any) -> None:
    record = {"wrapup": {"at": "2026-11-17T15:00:00+00:00", "code": "<img src=x>"}}
    office.sources.answers[(DISPOSITION, f"/v1/attempts/{ATTEMPT}")] = record
    reply = await office.ask("GET", f"/attempts/{ATTEMPT}")
    assert "<img" not in reply.body
    assert "&lt;img src=x&gt;" in reply.body


async def test_a_leads_page_lists_the_attempts_that_its_offers_became(office: Any) -> None:
    office.sources.answers[(ROUTER, f"/v1/leads/{LEAD}")] = {
        "campaign_id": "c1", "status": "WAITING", "is_final": False, "segment": "COLD", "offers": 3, "attempts": 1,
        "last_code": None, "block_reasons": ["HOURS"], "due_at": "2026-11-17T15:00:00+00:00", "external_id": "crm-77",
    }  # fmt: skip
    reply = await office.ask("GET", f"/leads/{LEAD}")
    places = [reply.body.index(id_of_offer(LEAD, number)) for number in (3, 2, 1)]
    assert places == sorted(places)
    assert "HOURS" in reply.body
    assert "crm-77" not in reply.body


async def test_a_file_the_browser_has_is_not_sent_again(office: Any) -> None:
    reply = await office.ask("GET", "/pages/board.js")
    assert reply.content_type.startswith("text/javascript")
    again = await office.ask("GET", "/pages/board.js", headers={"if-none-match": reply.headers["etag"]})
    assert (again.status, again.body) == (304, None)


@pytest.mark.parametrize("name", ["layout.html", "../app.py", "app.py"])
async def test_only_the_pages_files_are_served(office: Any, name: str) -> None:
    handler = next(r.handler for r in office.routes if r.path == "/pages/{name}")
    assert (await handler(office.request("GET", path={"name": name}), office.deps)).reply.status == 404


async def test_the_newest_report_is_shown_and_no_file_beside_it(office: Any, tmp_path: Path) -> None:
    for age, name in ((20, "old.html"), (10, "new.html")):
        (tmp_path / name).write_text(f"<h1>{name}</h1>")
        os.utime(tmp_path / name, (1000 - age, 1000 - age))
    (tmp_path / "secret.txt").write_text("no")
    office.reports_dir = tmp_path
    office.restart()
    page = await office.ask("GET", "/report")
    assert 'src="/reports/new.html"' in page.body
    assert 'src="/reports/old.html"' in (await office.ask("GET", "/report", query={"run": "old.html"})).body
    frame = await office.ask("GET", "/reports/new.html")
    assert frame.body == b"<h1>new.html</h1>"
    assert "script-src" not in frame.headers["content-security-policy"]
    assert (await office.ask("GET", "/reports/secret.txt")).status == 404


@pytest.mark.parametrize(
    "name, value",
    [("OUTDIAL_PACER_URL", "pacer:8080"), ("OUTDIAL_CONSOLE_ZONE", "Mars/Olympus"), ("OUTDIAL_GATE_URL", "x,http://a")],
)
def test_a_pages_variable_of_the_wrong_shape_is_named(name: str, value: str) -> None:
    with pytest.raises(ConfigError, match=f"^{name}:"):
        Config.from_env(ENV | {name: value})


def test_replicas_are_told_apart_by_commas() -> None:
    config = Config.from_env(ENV | {"OUTDIAL_PACER_URL": "http://a:1/, http://b:2"})
    assert config.pages.urls == {Source.PACER: ("http://a:1", "http://b:2")}
