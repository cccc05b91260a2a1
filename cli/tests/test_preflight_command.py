"""`outdial preflight`: an unlawful campaign is refused unasked; batches of one instant are summed up."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from outdial_cli.__main__ import app
from outdial_cli.preflight import merged, never, waiting
from outdial_cli.report.preflight import letters_of, shares, summary, zone_of
from outdial_cli.stack.layout import Addresses, StackState, save

EXAMPLE = Path(__file__).parents[2] / "examples" / "campaign.yaml"
AT = datetime(2026, 11, 17, 15, 0, tzinfo=UTC)
MORNING = AT + timedelta(hours=1)


def result(n: int) -> dict[str, Any]:
    """Every fifth lead waits for the morning, every seventh has no consent."""
    if n % 7 == 0:
        return {"lead_id": f"L{n}", "reasons": ["CONSENT_MISSING"], "rule_ids": ["US-PEWC"], "next_allowed_at": None}
    if n % 5 == 0:
        at = (MORNING + timedelta(minutes=n % 3)).isoformat()
        return {"lead_id": f"L{n}", "reasons": ["HOURS"], "rule_ids": ["US-FED-HOURS"], "next_allowed_at": at}
    return {"lead_id": f"L{n}", "reasons": [], "rule_ids": [], "next_allowed_at": AT.isoformat()}


def judged(numbers: range) -> dict[str, Any]:
    """What a gate says to these leads, as far as the command looks at it."""
    results = [result(n) for n in numbers]
    reasons = [r["reasons"][0] for r in results if r["reasons"]]
    blocked = {reason: reasons.count(reason) for reason in sorted(set(reasons))}
    now = {"callable": len(results) - len(reasons), "blocked": blocked}
    missing = blocked.get("CONSENT_MISSING", 0)
    later = {"callable": len(results) - missing, "blocked": {"CONSENT_MISSING": missing} if missing else {}}
    copy = {"list": "US-NDNC", "state": "STALE", "leads": len(results), "max_age_days": 31}
    return {
        "at": AT.isoformat(), **now, "blocked_total": len(reasons), "results": results,
        "hours": [{"at": AT.isoformat(), **now}, {"at": MORNING.isoformat(), **later}],
        "places": {"US-<NY>": {"leads": len(results), **now}}, "zones": {"America/New_York": len(results)},
        "lists": [{**copy, "as_of": (AT - timedelta(days=40)).isoformat()}],
        "rule_pack": "2026.11-1", "tzdata": "2026f", "not_legal_advice": "Not legal advice.",
    }  # fmt: skip


class Services:
    """lead-router and gate on one port; remembers what it was asked."""

    def __init__(self) -> None:
        self.leads = 1100
        self.asked: list[tuple[str, Any]] = []
        services = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                raw = self.rfile.read(int(self.headers["content-length"]))
                path = self.path.partition("?")[0]
                body = raw.decode() if path == "/v1/imports" else json.loads(raw)
                services.asked.append((path, body))
                answer = services.trial() if path == "/v1/imports" else judged(range(*services.span(body["leads"])))
                self.send_response(200)
                self.end_headers()
                self.wfile.write(json.dumps(answer).encode())

            def log_message(self, *args: Any) -> None:
                """Says nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)

    def trial(self) -> dict[str, Any]:
        rejected = {"BAD_NUMBER": 2}
        valid = [{"lead_id": f"L{n}", "n": n} for n in range(self.leads)]
        return {"rows": self.leads + 2, "leads": self.leads, "rejected": rejected, "errors": [], "valid": valid}

    @staticmethod
    def span(leads: list[dict[str, Any]]) -> tuple[int, int]:
        return (leads[0]["n"], leads[-1]["n"] + 1) if leads else (0, 0)

    @property
    def batches(self) -> list[Any]:
        return [body for path, body in self.asked if path == "/v1/preflight"]


@pytest.fixture
def services() -> Iterator[Services]:
    made = Services()
    thread = threading.Thread(target=made.server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield made
    made.server.shutdown()
    thread.join()
    made.server.server_close()


@pytest.fixture
def said(services: Services, tmp_path: Path) -> Any:
    """Runs the command on a campaign: (exit code, stdout, stderr)."""
    port = services.server.server_port
    addresses = Addresses(
        http_ports={"compliance-gate": port, "lead-router": port}, grpc_ports={}, agent_sip_port=0, trunk_sip_port=0,
        rtp_ports="20000-20001", carrier_sip_port=0, carrier_control_port=0,
    )  # fmt: skip
    state = StackState(
        pid=1, bootstrap="", collector_url="", topic_prefix="", addresses=addresses, started_at=time.time(),
        clock_start=None,
    )  # fmt: skip
    (tmp_path / "up").mkdir()
    save(tmp_path / "up", state)
    leads = tmp_path / "leads.csv"
    leads.write_text("lead_id,person_id,phone\n")

    def run(*words: str, **changes: Any) -> tuple[int, str, str]:
        campaign = tmp_path / "campaign.yaml"
        campaign.write_text(yaml.safe_dump({**yaml.safe_load(EXAMPLE.read_text("utf-8")), **changes}))
        files = ("--campaign", str(campaign), "--leads", str(leads), "--data-dir", str(tmp_path))
        done = CliRunner().invoke(app, ["preflight", *files, *words])
        return done.exit_code, done.stdout, done.stderr

    return run


@pytest.mark.parametrize("changes, told", [
    ({"safe_harbour": "prompts/safe_harbour.wav"}, "safe_harbour.text: must give the words"),
    ({"safe_harbour": {"prompt": "m.wav", "text": "Example Ltd here."}}, "SAFE-HARBOUR-OPT-OUT, 47 CFR 64.1200"),
    ({"seller": {"id": "S1", "name": "Other Ltd", "callback": "+12125550100"}}, "SAFE-HARBOUR-IDENTITY"),
])  # fmt: skip
def test_unlawful_message_is_refused_before_anything_is_asked(
    services: Services, said: Any, changes: dict[str, Any], told: str
) -> None:
    code, out, err = said(**changes)
    assert (code, out, len(err.splitlines())) == (2, "", 1)
    assert told in err
    assert services.asked == []


def test_words_may_stand_beside_the_recording(services: Services, said: Any, tmp_path: Path) -> None:
    text = yaml.safe_load(EXAMPLE.read_text("utf-8"))["safe_harbour"]["text"]
    (tmp_path / "prompts").mkdir()
    (tmp_path / "prompts" / "mine.txt").write_text(text)
    assert said(safe_harbour="prompts/mine.wav")[0] == 0
    assert services.batches[0]["campaign"]["safe_harbour"] == {"prompt": "prompts/mine.wav", "text": text}
    (tmp_path / "prompts" / "mine.txt").write_bytes(b"\xff\xfe")
    code, _, err = said(safe_harbour="prompts/mine.wav")
    assert (code, "mine.txt: not UTF-8" in err) == (2, True)


def test_a_large_file_is_judged_in_batches_of_one_instant(services: Services, said: Any) -> None:
    code, out, _ = said("--json", "--until", "2026-11-17T16:00:00Z")
    answer = json.loads(out)["preflight"]
    assert code == 0
    assert [len(batch["leads"]) for batch in services.batches] == [500, 500, 100]
    assert [batch.get("at") for batch in services.batches] == [None, AT.isoformat(), AT.isoformat()]
    assert {batch["until"] for batch in services.batches} == {"2026-11-17T16:00:00Z"}
    whole = judged(range(1100))
    for name in ("callable", "blocked", "blocked_total", "hours", "places", "zones", "lists", "results"):
        assert answer[name] == whole[name], name
    assert sum(one["leads"] for one in (*answer["waiting"], *answer["never"])) == answer["blocked_total"]


def test_a_file_without_leads_is_answered_too(services: Services, said: Any) -> None:
    services.leads = 0
    code, out, _ = said()
    assert code == 0
    assert "0 of 0 would be skipped now: none" in out


def test_on_screen_every_hour_group_list_and_place_is_told_without_colour(said: Any) -> None:
    code, out, _ = said()
    assert code == 0
    assert "\x1b" not in out
    for words in (
        "2 rows rejected: BAD_NUMBER 2", "346 of 1100 would be skipped now: CONSENT_MISSING 158, HOURS 188",
        "754 can be called now", "a CONSENT_MISSING", "b HOURS", "US-FED-HOURS", "2026-11-17 16:02 UTC", "US-NDNC",
        "STALE", "40 d", "US-<NY>", "Not legal advice.",
    ):  # fmt: skip
        assert words in out, words
    [now] = [line for line in out.splitlines() if "Tue 10:00" in line]
    assert now.split("│")[-1].strip() == "█" * 21 + "a" * 4 + "b" * 5


def test_page_draws_every_hour_and_fetches_nothing(said: Any, tmp_path: Path) -> None:
    page = tmp_path / "preflight.html"
    assert said("--html", str(page))[1].endswith(f"wrote {page}\n")
    text = page.read_text("utf-8")
    svg = text[text.index("<svg role=img") : text.index("</svg></div>") + 6]
    assert [svg.count(f"{hour}: {name} ") for hour in ("Tue 10:00", "Tue 11:00") for name in ("callable", "HOURS")] == [
        1, 1, 1, 0,
    ]  # fmt: skip
    assert "US-&lt;NY&gt;" in text
    assert "<script" not in text
    assert "http" not in text.replace("http-equiv", "")


def test_bars_of_an_hour_are_as_high_as_its_leads(said: Any, tmp_path: Path) -> None:
    page = tmp_path / "preflight.html"
    said("--html", str(page))
    text = page.read_text("utf-8")
    svg = text[text.index("<svg role=img") : text.index("</svg></div>")]
    rects = [part.split("<title>") for part in svg.split("<rect ")[1:]]
    heights = {told.split("<")[0]: float(attributes.split("height=")[1].split()[0]) for attributes, told in rects}
    assert heights["Tue 10:00: callable 754"] == pytest.approx(220 * 754 / 1100, abs=0.01)
    assert sum(high for told, high in heights.items() if told.startswith("Tue 10:00")) == pytest.approx(220, abs=0.1)


def test_groups_say_when_the_first_the_middle_and_the_last_become_callable() -> None:
    results = [result(n) for n in range(100)]
    [hours] = waiting(results)
    times = sorted(r["next_allowed_at"] for r in results if r["reasons"] == ["HOURS"])
    assert (hours["leads"], hours["reasons"], hours["rule_ids"]) == (len(times), ["HOURS"], ["US-FED-HOURS"])
    assert (hours["earliest"], hours["last"]) == (times[0], times[-1])
    assert sum(time <= hours["median"] for time in times) * 2 >= len(times)
    assert [(one["leads"], one["rule_ids"]) for one in never(results)] == [(15, ["US-PEWC"])]


def test_batches_of_different_reasons_places_and_lists_are_all_summed() -> None:
    one, other = judged(range(1, 5)), judged(range(5, 8))
    other = {**other, "places": {"GB": {"leads": 3, "callable": 1, "blocked": {"HOURS": 2}}}, "zones": {}, "lists": []}
    whole = merged([one, other])
    assert whole["places"] == {**one["places"], **other["places"]}
    assert whole["lists"] == one["lists"]
    assert whole["blocked"] == {"CONSENT_MISSING": 1, "HOURS": 1}
    assert list(letters_of(whole).values()) == ["a", "b"]


@pytest.mark.parametrize("counts", [[0, 0], [1, 0, 0], [1, 1, 1], [999, 1], [7, 11, 13, 17]])
def test_stacked_parts_fill_the_bar(counts: list[int]) -> None:
    assert sum(shares(counts, 30)) == (30 if sum(counts) else 0)
    assert min(shares(counts, 30)) >= 0


def test_zone_is_where_most_callees_live_and_utc_when_nobody_knows() -> None:
    assert zone_of({"zones": {"America/Chicago": 2, "America/Denver": 3}}).key == "America/Denver"
    assert zone_of({"zones": {"Mars/Olympus": 5}}).key == "UTC"


def test_summary_names_every_reason() -> None:
    lines = list(summary({"rows": 5, "leads": 5, "rejected": {}}, judged(range(5, 8))))
    assert lines[1] == "2 of 5 would be skipped now: CONSENT_MISSING 1, HOURS 1"
