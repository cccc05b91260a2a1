"""Several processes of one service: their names, addresses and environments."""

from __future__ import annotations

from pathlib import Path

from outdial_cli.stack.environment import RunClock, Settings, environment_of
from outdial_cli.stack.layout import (
    SERVICES,
    Addresses,
    Secrets,
    StackState,
    load,
    new_addresses,
    process_name,
    process_names,
    replica_of,
    save,
)

THREE = dict.fromkeys(SERVICES, 3)


def settings(addresses: Addresses) -> Settings:
    return Settings(
        bootstrap="127.0.0.1:9",
        topic_prefix="",
        otlp_endpoint="http://127.0.0.1:8",
        addresses=addresses,
        secrets=Secrets(token_keys="1:00", agent_secret="s", trunk_password="p"),
        keys_dir=Path("keys"),
        prompts_dir=Path("prompts"),
        lists_dir=Path("lists"),
        clock=RunClock(),
        dsns=dict.fromkeys(SERVICES, "postgresql://"),
    )


def test_first_replica_keeps_its_services_name() -> None:
    assert process_name("pacer", 0) == "pacer"
    assert process_name("lead-router", 2) == "lead-router-2"
    assert [replica_of(name) for name in ("pacer", "lead-router-2")] == [("pacer", 0), ("lead-router", 2)]
    assert process_names({}) == SERVICES


def test_no_two_processes_listen_on_one_port() -> None:
    addresses = new_addresses(replicas=THREE, gate_proxy=True)
    tcp = [*addresses.http_ports.values(), *addresses.grpc_ports.values(), addresses.carrier_control_port]
    udp = [port for ordinal in range(3) for port in addresses.sip_ports(ordinal)] + [addresses.carrier_sip_port]
    assert addresses.gate_port is not None
    assert len({*tcp, addresses.gate_port}) == len(tcp) + 1 == 2 * 21 + 2
    assert len(set(udp)) == len(udp) == 7


def test_gateways_share_the_media_ports_without_overlap() -> None:
    addresses = new_addresses("20000-21999", replicas=THREE)
    ranges = [tuple(map(int, addresses.rtp_range(ordinal).split("-"))) for ordinal in range(3)]
    assert all(first % 2 == 0 and first < last <= 21999 for first, last in ranges)
    assert all(ranges[i][1] < ranges[i + 1][0] for i in range(2))
    assert new_addresses("20000-21999").rtp_range(0) == "20000-21999"


def test_each_gateway_has_its_own_partition_and_each_console_a_gateway() -> None:
    addresses = new_addresses(replicas=THREE, gate_proxy=True)
    gateways = [environment_of(process_name("media-gateway", i), settings(addresses)) for i in range(3)]
    assert [one["OUTDIAL_ORDINAL"] for one in gateways] == ["0", "1", "2"]
    assert len({one["OUTDIAL_TRUNK_SIP_PORT"] for one in gateways}) == 3
    consoles = [environment_of(process_name("console", i), settings(addresses)) for i in range(3)]
    phones = [one["OUTDIAL_AGENT_SIP_ADDRESS"] for one in consoles]
    assert phones == [f"127.0.0.1:{one['OUTDIAL_AGENT_SIP_PORT']}" for one in gateways]
    assert {one["OUTDIAL_GATE_ADDRESS"] for one in gateways} == {f"127.0.0.1:{addresses.gate_port}"}


def test_state_of_a_replicated_stack_is_read_back_whole(tmp_path: Path) -> None:
    state = StackState(
        pid=1,
        bootstrap="b",
        collector_url="c",
        topic_prefix="",
        addresses=new_addresses(replicas=THREE, gate_proxy=True),
        started_at=1.0,
        clock_start=None,
    )
    save(tmp_path, state)
    assert load(tmp_path) == state
