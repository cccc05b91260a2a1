"""`python -m tools.contracts generate | check | release`; see the package's docstring."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

from tools.contracts import python_types, release, tables
from tools.contracts.sources import ROOT, SCHEMAS, Contract, ContractError, digest, load

PACKAGE = ROOT / "libs" / "contracts" / "outdial_contracts"
PIPELINE = ROOT / "docs" / "pipeline.md"


def main(argv: list[str]) -> int:
    """Exit code 0 when all is well, 1 when the contract is broken or stale, 2 for a wrong call."""
    if argv not in (["generate"], ["check"], ["release"]):
        print(__doc__)
        return 2
    try:
        contract = load()
        if argv == ["release"]:
            for added in release.append_changed(contract):
                print(f"released {added.event} version {added.version} as id {added.id}")
        if argv == ["check"]:
            return _check(contract)
        for path, text in _outputs(contract).items():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
    except ContractError as error:
        print(f"contract: {error}", file=sys.stderr)
        return 1
    return 0


def _outputs(contract: Contract) -> dict[Path, str]:
    releases = release.released()
    page = (
        PIPELINE.read_text() if PIPELINE.exists() else f"# The pipeline\n\n{tables.GRAPH_START}\n{tables.GRAPH_END}\n"
    )
    return {
        PACKAGE / "events.py": python_types.events_module(contract),
        PACKAGE / "topics.py": tables.topics_module(contract),
        PACKAGE / "registry.py": tables.registry_module(releases, contract),
        PIPELINE: tables.page_with_graph(page, contract),
        **_rpc_stubs(),
    }


def _rpc_stubs() -> dict[Path, str]:
    """The rpc modules as protoc writes them, imports made absolute."""
    with tempfile.TemporaryDirectory() as folder:
        protoc = [sys.executable, "-m", "grpc_tools.protoc", f"-I{SCHEMAS / 'rpc'}", "outdial.proto"]
        tools = Path(sys.executable).parent
        plugins = [f"--plugin=protoc-gen-{name}={tools / f'protoc-gen-{name}'}" for name in ("mypy", "mypy_grpc")]
        outs = [f"--{kind}_out={folder}" for kind in ("python", "grpc_python", "mypy", "mypy_grpc")]
        subprocess.run([*protoc, *plugins, *outs], check=True, capture_output=True)
        stubs = {PACKAGE / "rpc" / p.name: p.read_text() for p in sorted(Path(folder).iterdir())}
    fixed = {
        p: t.replace("import outdial_pb2 as", "from outdial_contracts.rpc import outdial_pb2 as")
        for p, t in stubs.items()
    }
    return {
        PACKAGE / "rpc" / "__init__.py": '"""rpc stubs, generated from schemas/rpc by `make contracts`."""\n',
        **fixed,
    }


def _check(contract: Contract) -> int:
    newest = release.latest(release.released())
    problems = [str(p.relative_to(ROOT)) for p, t in _outputs(contract).items() if not p.exists() or p.read_text() != t]
    for event in contract.events:
        old, schema = newest.get(event), contract.expanded(event)
        if old is not None:
            release.check_compatible(event, old.schema, schema)
        if old is None or digest(old.schema) != digest(schema):
            problems.append(f"schemas/events/{event}.avsc is not released")
    for problem in problems:
        print(f"contract: stale: {problem}; run `make contracts`", file=sys.stderr)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
