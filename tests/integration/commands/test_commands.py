"""Every command of a running stack, as a subprocess: right input does the thing, wrong input is one line and code 2."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
import yaml
from bad_input.stand_in import StandIn, until
from campaign_run import EXAMPLES, wait_for
from commands.console_script import Outdial

from outdial_cli.stack.stack import Stack
from outdial_contracts.codec import encode
from outdial_contracts.events import CampaignPublished, CampaignState, StopChanged, SuppressionChanged
from outdial_contracts.identity import attempt_id

pytestmark = [pytest.mark.stack, pytest.mark.timeout(300)]
NOBODY = attempt_id("0d5a2b44-8d5c-5c0e-9a4f-6f7574646961", 1)
CSV = """lead_id,person_id,phone,consumer,region
K1,cmd-person-1,+17165550151,false,NY
K2,cmd-person-2,+17165550152,false,NY
K3,cmd-person-3,716-CALL-NOW,false,NY
"""


@pytest.fixture(scope="module")
def hand(stack: Stack) -> Iterator[StandIn]:
    """CRM and pacer of the campaign `commands`; not opened: the commands do that."""
    hand = StandIn(stack, "commands", "716")
    yield hand
    hand.close()


@pytest.fixture(scope="module")
def outdial(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Outdial:
    """The command, told where the stack is."""
    return Outdial(tmp_path_factory.mktemp("data"), stack)


@pytest.fixture(scope="module")
def campaign(hand: StandIn, outdial: Outdial) -> Path:
    """campaign.yaml of a campaign that runs, published with its route by commands."""
    file, route = outdial.data_dir / "campaign.yaml", outdial.data_dir / "route.yaml"
    file.write_text(yaml.safe_dump(hand.document()))
    route.write_text(yaml.safe_dump(hand.route(hand.route_id, ("127.0.0.1", hand.stack.addresses.carrier_sip_port))))
    assert outdial.at("routes", "apply", route).out == "published\n"
    first, second = outdial.at("campaign", "apply", file), outdial.at("campaign", "apply", file)
    assert first.out == second.out == "commands version 1\n", first.err + second.err
    hand.version = 1
    said = outdial.at("campaign", "state", hand.campaign_id, "running")
    assert (said.code, said.out) == (0, "commands running\n")
    url = f"{hand.stack.addresses.url('lead-router')}/v1/campaigns/{hand.campaign_id}/leads"
    wait_for(lambda: httpx.get(url, timeout=5).status_code == 200, "the campaign at lead-router")
    return file


def test_another_document_is_another_version_and_a_state_is_published(
    hand: StandIn, outdial: Outdial, campaign: Path, tmp_path: Path
) -> None:
    other = tmp_path / "other.yaml"
    other.write_text(yaml.safe_dump(hand.document(id="commands-other")))
    assert outdial.at("campaign", "apply", other).out == "commands-other version 1\n"
    other.write_text(yaml.safe_dump(hand.document(id="commands-other", ring_timeout_seconds=20)))
    assert outdial.at("campaign", "apply", other).out == "commands-other version 2\n"
    assert outdial.at("campaign", "state", "commands-other", "stopped").code == 0
    events = [r.event for r in hand.records("campaign.published")]
    states = [e.state for e in events if isinstance(e, CampaignPublished) and e.campaign_id == "commands-other"]
    assert states == [CampaignState.UNKNOWN, CampaignState.UNKNOWN, CampaignState.STOPPED]


def test_preflight_says_who_would_be_skipped_and_stores_nothing(outdial: Outdial, campaign: Path) -> None:
    answer = outdial.at("preflight", "--campaign", campaign, "--leads", EXAMPLES / "leads.csv", "--json").body
    intake, preflight = answer["intake"], answer["preflight"]
    assert intake["rows"] == intake["leads"] + sum(intake["rejected"].values())
    assert preflight["callable"] + preflight["blocked_total"] == intake["leads"]
    text = outdial.at("preflight", "--campaign", campaign, "--leads", EXAMPLES / "leads.csv")
    assert text.code == 0, text.err
    assert str(preflight["callable"]) in text.out


def test_leads_import_accounts_for_every_row(outdial: Outdial, campaign: Path, tmp_path: Path) -> None:
    file = tmp_path / "leads.csv"
    file.write_text(CSV)
    said = outdial.at("leads", "import", file, "--campaign", "commands")
    assert said.out.splitlines()[0] == "3 rows, 2 leads, 1 rejected"
    assert "row 3: BAD_NUMBER phone" in said.out
    assert "CALL-NOW" not in said.out
    again = outdial.at("leads", "import", file, "--campaign", "commands", "--json").body
    assert again["rejected"] == {"DUPLICATE_LEAD_ID": 2, "BAD_NUMBER": 1}


def test_dnc_import_is_in_force_when_it_returns(hand: StandIn, outdial: Outdial, tmp_path: Path) -> None:
    before = {r.ce_id for r in hand.records(SuppressionChanged.TOPIC)}
    file = tmp_path / "suppression.csv"
    file.write_text(
        "phone,person_id,seller_id,requested_at,source\n"
        "+17165550198,,*,2026-10-10T12:00:00Z,CRM\n"
        "12,,*,2026-10-10T12:00:00Z,CRM\n"
    )
    answer = outdial.at("dnc", "import", file).body
    assert (answer["rows"], answer["accepted"], sum(answer["rejected"].values())) == (2, 1, 1)
    assert len({r.ce_id for r in hand.records(SuppressionChanged.TOPIC)} - before) == 1


def test_suspension_is_declared_listed_and_lifted(outdial: Outdial) -> None:
    declared = outdial.at("suspension", "declare", "US-WY", "--source", "Executive Order 1", "--json").body
    listed = outdial.at("suspension", "list", "--json").body["suspensions"]
    assert [(row["suspension_id"], row["in_force"]) for row in listed] == [(declared["suspension_id"], True)]
    assert outdial.at("suspension", "lift", declared["suspension_id"]).code == 0
    assert outdial.at("suspension", "list").out.startswith("not in force")
    assert "region" in outdial.at("suspension", "declare", "Narnia", "--source", "x").problem


def test_trace_and_evidence_of_an_offer(hand: StandIn, outdial: Outdial, campaign: Path) -> None:
    cleared = hand.cleared("traced")
    attempt = cleared.attempt_id
    assert until(lambda: outdial.at("trace", attempt).code == 0, 20)
    spans = outdial.at("trace", attempt, "--json").body
    assert {"lead-router", "compliance-gate"} <= {span["service"] for span in spans}
    assert "lead.ready process" in outdial.at("trace", attempt).out
    page = outdial.at("evidence", attempt, "--json").body
    assert page["attempt_id"] == attempt
    assert page["decision"]["allowed"] is True
    text = outdial.at("evidence", attempt)
    assert text.out.startswith("Not legal advice")
    assert "55501" not in text.out
    file = outdial.data_dir / "evidence.html"
    assert outdial.at("evidence", attempt, "--html", file).code == 0
    assert attempt in file.read_text()


def test_ledger_is_taken_from_a_running_stack_and_verified_without_it(
    hand: StandIn, outdial: Outdial, campaign: Path, tmp_path: Path
) -> None:
    attempt = hand.cleared("proven").attempt_id
    export, checkpoints, keys = tmp_path / "e.jsonl", tmp_path / "c.jsonl", hand.stack.keys_dir / "ledger-jwks.json"
    assert until(lambda: _is_proven(outdial, attempt), 30)
    assert outdial.at("ledger", "checkpoints", "--out", checkpoints, "--json").body["checkpoints"] > 0
    taken = outdial.at("ledger", "export", "--out", export, "--json").body
    said = outdial("ledger", "verify", export, "--jwks", keys, "--checkpoints", checkpoints, "--json").body
    assert (said["ok"], said["records"], said["problems"]) == (True, taken["records"], [])
    whole = export.read_text()
    kinds = {json.loads(line).get("kind") for line in whole.splitlines()}
    assert {"GENESIS", "PACK", "KEY", "STATE", "DECISION"} <= kinds
    export.write_text(whole.replace(attempt, attempt[::-1], 1))
    said = outdial("ledger", "verify", export, "--jwks", keys)
    assert said.code == 1
    assert ".decisions:" in said.out


def _is_proven(outdial: Outdial, attempt: str) -> bool:
    [proof] = outdial.at("evidence", attempt, "--json").body["inclusion"]
    return bool(proof["checkpoint"] and proof["included"] and proof["signature_holds"])


def test_why_names_what_binds(outdial: Outdial, campaign: Path) -> None:
    said = outdial.at("why", "commands", "--json")
    assert said.code == 0, said.err
    answer = said.body
    assert answer["campaign_id"] == "commands"
    said = outdial.at("why", "commands")
    assert said.out.startswith(f"{answer['binding']}: {answer['sentence']}")


def test_health_says_that_the_gate_is_open_part_by_part(outdial: Outdial) -> None:
    said = outdial.at("health", "--json")
    assert said.code == 0, said.err
    parts = {part["name"]: part["state"] for part in said.body["parts"]}
    assert said.body["open"] is True
    assert (parts["restore"], parts["database"], parts["ledger"]) == ("open", "open", "open")
    assert outdial.at("health").out.startswith("the gate is open\n  restore ")


def test_dead_letters_are_listed_and_replayed_to_their_partition(
    hand: StandIn, outdial: Outdial, campaign: Path
) -> None:
    assert outdial.at("dead", "list", "campaign.published").out == "no dead letters\n"
    lead = hand.lead("replayed")
    headers = {"ce_id": b"replayed", "ce_type": b"lead.submitted", "ce_source": b"crm"}
    partition, offset = hand.send_bytes("lead.submitted", encode(lead), headers, partition=1)

    def listed() -> list[dict[str, object]]:
        rows = outdial.at("dead", "list", "lead.submitted", "--json").body
        return [r for r in rows if (r["partition"], r["offset"]) == (str(partition), str(offset))]

    wait_for(lambda: bool(listed()), "the dead letter")
    (row,) = listed()
    assert (row["topic"], row["reason"], row["bytes"]) == ("lead.submitted", "BAD_HEADERS", len(encode(lead)))
    assert "BAD_HEADERS" in outdial.at("dead", "list").out
    one = ("lead.submitted", "--partition", str(partition), "--offset", str(offset))
    assert outdial.at("dead", "replay", *one).out == "1 replayed to lead.submitted\n"
    replayed = [r for r in hand.records("lead.submitted") if r.headers.get("ce_id") == b"replayed"]
    assert [(r.partition, r.value) for r in replayed] == [(partition, encode(lead))] * 2
    assert not [name for name in replayed[-1].headers if name.startswith("dead_")]


def test_the_stop_button_is_pressed_and_released(hand: StandIn, outdial: Outdial) -> None:
    said = outdial.at("stop", "seller:S9", "--reason", "wrong list")
    assert (said.code, said.out) == (0, "stopped: seller:S9\n")
    said = outdial.at("stop", "seller:S9", "--release")
    assert (said.code, said.out) == (0, "released: seller:S9\n")
    events = [r.event for r in hand.records("stop.changed")]
    mine = [(e.stopped, e.reason) for e in events if isinstance(e, StopChanged) and e.scope == "seller:S9"]
    assert mine == [(True, "wrong list"), (False, "stopped by hand")]


WRONG = {
    "campaign apply no-such-file.yaml": "no-such-file.yaml: No such file",
    "campaign apply {bad_yaml}": "not YAML",
    "campaign apply {list_yaml}": "must be a mapping",
    "campaign apply {binary}": "not UTF-8",
    "campaign apply {short_yaml}": "422",
    "campaign apply {dated_yaml}": "422",
    "campaign apply {folder}": "directory",
    "campaign state commands sprinting": "RUNNING",
    "campaign state nobody-knows running": "no such campaign",
    "routes apply {short_yaml}": "422",
    "routes apply {list_yaml}": "must be a mapping",
    "leads import no-such-file.csv --campaign commands": "No such file",
    "leads import {leads} --campaign nobody-knows": "campaign_id",
    "leads import {bad_yaml} --campaign commands": "columns",
    "dnc import no-such-file.csv": "No such file",
    "dnc import {binary}": "UTF-8",
    "campaign apply {short_message}": "SAFE-HARBOUR-NUMBER",
    "preflight --campaign {short_message} --leads {leads}": "SAFE-HARBOUR-NUMBER",
    "preflight --campaign {unknown_yaml} --leads {leads}": "campaign_id",
    "preflight --campaign {unknown_yaml} --leads {leads} --until tomorrow": "--until",
    "preflight --campaign {no_id_yaml} --leads {leads}": "id is missing",
    "preflight --campaign {list_yaml} --leads {leads}": "must be a mapping",
    "why nobody-knows": "404",
    "trace not-an-attempt": "UUID",
    f"trace {NOBODY}": "no span",
    f"trace {NOBODY} --json": "no span",
    "evidence not-an-attempt": "UUID",
    f"evidence {NOBODY}": "404",
    "dead list no.such.topic": "no topic with dead letters",
    "dead list team.owner": "no topic with dead letters",
    "dead replay lead.submitted --offset 999999": "no such dead letter",
    "stop moon": "scope",
}


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Bad files by the names of WRONG."""
    folder, example = tmp_path_factory.mktemp("wrong"), (EXAMPLES / "campaign.yaml").read_bytes()
    contents = {
        "bad_yaml": b"id: [unclosed\nteam: x",
        "list_yaml": b"- a\n- b\n",
        "binary": b"\xff\xfe\x00\x01",
        "short_yaml": b"id: nobody-knows\nkind: ROUTE\n",
        "dated_yaml": b"id: 2026-11-17\nteam: 2026-11-17T15:00:00Z\n",
        "no_id_yaml": b"team: blue\n",
        "unknown_yaml": example.replace(b"id: spring-renewal", b"id: nobody-knows"),
        "short_message": example.replace(b"1 212 555 0100", b"555 0100"),
        "leads": CSV.encode(),
    }
    for name, content in contents.items():
        (folder / name).write_bytes(content)
    return {"folder": str(folder), **{name: str(folder / name) for name in contents}}


@pytest.mark.parametrize("words", WRONG)
def test_wrong_input_is_one_clear_line(outdial: Outdial, campaign: Path, files: dict[str, str], words: str) -> None:
    problem = outdial.at(*words.format_map(files).split()).problem
    assert WRONG[words] in problem
    print(f"shown: outdial {words}: {problem}")


NO_STACK = (
    "campaign apply {campaign}",
    "campaign state c running",
    "routes apply {campaign}",
    "leads import {leads} --campaign c",
    "dnc import {leads}",
    "preflight --campaign {campaign} --leads {leads}",
    "why c",
    f"trace {NOBODY}",
    f"evidence {NOBODY}",
    "dead list",
    "dead replay lead.submitted",
    "stop",
    "down",
)


@pytest.mark.parametrize("words", NO_STACK)
def test_without_a_stack_every_command_says_how_to_start_one(tmp_path: Path, words: str) -> None:
    names = {"campaign": str(EXAMPLES / "campaign.yaml"), "leads": str(EXAMPLES / "leads.csv")}
    assert "outdial up" in Outdial(tmp_path).at(*words.format_map(names).split()).problem


def test_a_stack_that_has_gone_is_told(stack: Stack, tmp_path: Path) -> None:
    outdial = Outdial(tmp_path, stack)
    file = tmp_path / "up" / "stack.json"
    ports = [*stack.addresses.http_ports.values()]
    text = file.read_text().replace(stack.bootstrap, "127.0.0.1:1")
    for port in ports:
        text = text.replace(f": {port}", ": 1")
    file.write_text(text)
    for words in ("why c", "campaign state c running", "dead list", "stop"):
        assert "is it up?" in outdial.at(*words.split()).problem
    file.write_text("{")
    assert "stack.json" in outdial.at("why", "c").problem


@pytest.mark.parametrize(
    "words",
    [
        *("demo", "up", "down", "why", "health", "trace", "evidence", "preflight", "stop"),
        *("campaign apply", "campaign state", "leads import", "dnc import", "routes apply", "dead list", "dead replay"),
        *("ledger export", "ledger checkpoints", "ledger verify"),
    ],
)
def test_help_of_every_command_has_an_example(tmp_path: Path, words: str) -> None:
    said = Outdial(tmp_path)(*words.split(), "--help")
    assert said.code == 0
    assert f"Example: outdial {words}" in said.out


@pytest.mark.parametrize("words", ["", "leads import", "campaign state only-one", "dead replay t --offset x", "dance"])
def test_wrong_usage_is_told_on_stderr(tmp_path: Path, words: str) -> None:
    said = Outdial(tmp_path)(*words.split())
    assert said.code == 2
    assert "Traceback" not in said.err + said.out
    assert "outdial" in said.err + said.out
