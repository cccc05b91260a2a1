"""`outdial-sim`: carrier, agents, crm, recount. Options only; secrets come from the environment (config.py)."""

import argparse
import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import httpx
import uvloop

from outdial_sim import crm, crm_webhooks, voices
from outdial_sim.agents import app as agents_app
from outdial_sim.carrier import app as carrier_app
from outdial_sim.config import Config
from outdial_sim.recount import recount
from outdial_sim.scenario import load
from outdial_sim.shifts import recount_shifts
from outdial_sim.wire.digest import Account

EXAMPLES = """examples:
  outdial-sim carrier --scenario small.yaml --port 5090 --log carrier.jsonl --control-port 8190
  outdial-sim agents --scenario small.yaml --console http://127.0.0.1:8080 --team blue --campaign spring-renewal
  outdial-sim crm publish --leads leads.csv --router http://127.0.0.1:8081 --campaign spring-renewal
  outdial-sim crm receive --port 8099 --log crm.jsonl
  outdial-sim recount carrier.jsonl --json
"""


def run(arguments: Sequence[str] | None, config: Config) -> int:
    """Parse and run one command; the exit status. Bad scenarios and files raise ValueError or OSError."""
    options = _parser().parse_args(arguments)
    status: int = options.run(options, config)
    return status


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="outdial-sim",
        description="The outside world of outdial: never deployed.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    _carrier_parser(commands.add_parser("carrier", help="serve SIP and RTP for every callee of a scenario"))
    _agents_parser(commands.add_parser("agents", help="sign in, take calls and wrap them up"))
    _crm_parser(commands.add_parser("crm", help="publish leads, opt people out, receive webhooks"))
    counting = commands.add_parser("recount", help="count a carrier.jsonl (and an agents.jsonl)")
    counting.add_argument("journal", type=Path, help="carrier.jsonl")
    counting.add_argument("--agents", type=Path, help="agents.jsonl, for utilisation")
    counting.add_argument("--json", action="store_true", help="print JSON")
    counting.set_defaults(run=_recount)
    return parser


def _carrier_parser(parser: argparse.ArgumentParser) -> None:
    _scenario_options(parser, "carrier.jsonl")
    parser.add_argument("--port", type=int, required=True, help="SIP port (UDP)")
    parser.add_argument("--control-port", type=int, help="HTTP port for /healthz and /stats")
    parser.add_argument("--user", help="digest user (default: OUTDIAL_SIM_CARRIER_USER)")
    parser.set_defaults(run=_carrier)


def _agents_parser(parser: argparse.ArgumentParser) -> None:
    _scenario_options(parser, "agents.jsonl")
    parser.add_argument("--console", required=True, help="base URL of the console's API")
    parser.add_argument("--team", required=True, help="team_id")
    parser.add_argument("--campaign", action="append", default=[], help="campaign_id; may be repeated")
    parser.add_argument("--prefix", default="agent-", help="agents are PREFIX001, PREFIX002, ...")
    parser.add_argument(
        "--duration", type=float, metavar="SECONDS", help="leave after so long (default: until stopped)"
    )
    parser.set_defaults(run=_agents)


def _crm_parser(parser: argparse.ArgumentParser) -> None:
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    publish = commands.add_parser("publish", help="post the rows of a leads.csv one by one")
    publish.add_argument("--leads", type=Path, required=True, metavar="FILE")
    publish.add_argument("--router", required=True, help="base URL of lead-router")
    publish.add_argument("--campaign", required=True, help="campaign_id")
    publish.add_argument("--rate", type=float, metavar="PER_SECOND", help="at most so many leads a second")
    publish.set_defaults(run=_publish)
    suppress = commands.add_parser("suppress", help="opt one person out")
    who = suppress.add_mutually_exclusive_group(required=True)
    who.add_argument("--phone", help="E.164")
    who.add_argument("--person", help="person_id")
    suppress.add_argument("--seller", default="*", help="seller_id (default: all)")
    suppress.add_argument("--url", required=True, help="base URL of the gate, which takes opt-outs")
    suppress.set_defaults(run=_suppress)
    receive = commands.add_parser("receive", help="keep webhooks (OUTDIAL_WEBHOOK_SECRET checks signatures)")
    receive.add_argument("--host", default="127.0.0.1")
    receive.add_argument("--port", type=int, required=True)
    receive.add_argument("--log", type=Path, default=Path("crm.jsonl"))
    receive.set_defaults(run=_receive)


def _scenario_options(parser: argparse.ArgumentParser, log: str) -> None:
    parser.add_argument("--scenario", type=Path, required=True, metavar="FILE", help="scenario.yaml")
    parser.add_argument("--log", type=Path, default=Path(log), help=f"journal to append to (default: {log})")
    parser.add_argument("--host", default="127.0.0.1", help="address to bind (default: 127.0.0.1)")
    parser.add_argument("--audio", choices=["clips", "synthetic"], default="clips", help="recorded clips, or noise")


def _voices(options: argparse.Namespace) -> voices.Voices:
    return voices.load() if options.audio == "clips" else voices.synthetic()


def _carrier(options: argparse.Namespace, config: Config) -> int:
    account = Account(user=options.user or config.carrier_user, password=config.carrier_password)
    chosen = carrier_app.CarrierOptions(
        host=options.host, port=options.port, log=options.log, control_port=options.control_port, account=account
    )
    uvloop.run(carrier_app.run(load(options.scenario), _voices(options), chosen))
    return 0


def _agents(options: argparse.Namespace, config: Config) -> int:
    chosen = agents_app.AgentsOptions(
        console_url=options.console,
        team_id=options.team,
        campaign_ids=options.campaign,
        prefix=options.prefix,
        host=options.host,
        log=options.log,
        duration_seconds=options.duration,
    )
    uvloop.run(agents_app.run(load(options.scenario), _voices(options), chosen))
    return 0


def _publish(options: argparse.Namespace, config: Config) -> int:
    with _http(options.router, config) as http:
        answers = crm.CrmClient(http).publish(options.leads, options.campaign, per_second=options.rate)
    print(json.dumps(answers))
    return 0 if all(status.startswith("2") for status in answers) else 1


def _suppress(options: argparse.Namespace, config: Config) -> int:
    with _http(options.url, config) as http:
        status = crm.CrmClient(http).suppress(phone=options.phone, person_id=options.person, seller_id=options.seller)
    print(json.dumps({"status": status}))
    return 0 if 200 <= status < 300 else 1


def _receive(options: argparse.Namespace, config: Config) -> int:
    uvloop.run(crm_webhooks.receive(options.host, options.port, options.log, config.webhook_secret))
    return 0


def _recount(options: argparse.Namespace, config: Config) -> int:
    document = asdict(recount(options.journal))
    if options.agents is not None:
        document["agents"] = asdict(recount_shifts(options.agents))
    if options.json:
        print(json.dumps(document, indent=2))
        return 0
    for name, value in document.items():
        print(f"{name:26} {json.dumps(value)}")
    return 0


def _http(base_url: str, config: Config) -> httpx.Client:
    headers = {"Authorization": f"Bearer {config.api_key}"} if config.api_key else {}
    return httpx.Client(base_url=base_url, headers=headers, timeout=10.0)
