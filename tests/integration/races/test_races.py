"""The gate's races on four replicas, Kafka and a PostgreSQL that is killed too; counted by clients and in tables.

The full figures: python -m tests.integration.races --seed 1 --size full
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from outdial_world.bugs.hunt import copied
from outdial_world.bugs.patches import FOLDER, apply, import_path, read

from outdial_cli.embedded.postgres import PostgresNode
from tests.integration.races.__main__ import REPLICAS, table
from tests.integration.races.ground import Ground
from tests.integration.races.judge import judge
from tests.integration.races.run import SMALL, Size, run
from tests.integration.stranger import broken

pytestmark = [pytest.mark.stack, pytest.mark.storm, pytest.mark.timeout(600)]
SEED = 1
BUG = "02-redeem-without-uniqueness.patch"
CALM = Size(attempts=4, redeemers=20, crowd=0, rounds=0, opting_out=0, replica_kills=0, database_kills=0)


@pytest.fixture(scope="module")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PostgresNode]:
    """A server of our own, for it is killed."""
    node = PostgresNode(tmp_path_factory.mktemp("races"))
    node.start()
    yield node
    node.stop()


def test_races_under_kills_of_replicas_and_database(
    postgres: PostgresNode, kafka_bootstrap: str, tmp_path: Path
) -> None:
    with Ground(tmp_path, postgres, kafka_bootstrap, replicas=REPLICAS).running() as ground:
        seen = run(ground, SMALL, SEED, print)
    counts = judge(seen)
    print(f"seed {SEED}\n{table(counts)}")
    assert broken(counts) == []
    # The races were run: else none of the above could have failed.
    assert counts["granted"] > SMALL.attempts
    assert counts["invited"] > 0
    assert counts["opt-outs acknowledged"] == SMALL.opting_out
    assert counts["refused for an opt-out"] > 0
    assert counts["kills"].keys() == {"postgres", "replica"}
    assert set(counts["closed"]) == {"BLOCKED", "LAPSED", "REDEEMED", "REFUSED"}


def test_a_gate_without_uniqueness_is_found(postgres: PostgresNode, kafka_bootstrap: str, tmp_path: Path) -> None:
    """The world's deliberate bug (sim/world/bugs), in the code and in the tables, without any kill."""
    with copied() as tree:
        for folder in (FOLDER, FOLDER / "postgres"):
            apply(read(folder / BUG), tree)
        broken_gate = {"PYTHONPATH": import_path(tree), "PYTHONDONTWRITEBYTECODE": "1"}
        made = Ground(tmp_path, postgres, kafka_bootstrap, replicas=2, schema="broken-gate", variables=broken_gate)
        with made.running() as ground:
            counts = judge(run(ground, CALM, SEED, print))
    assert {"granted_to_two", "granted_twice_in_the_database"} <= set(broken(counts))
