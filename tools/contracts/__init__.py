"""Turns schemas/ into outdial_contracts and docs/pipeline.md, and guards what was released.

`python -m tools.contracts generate` writes the generated files, `check` fails when they are stale or a schema broke
compatibility, `release` appends changed schemas to schemas/registry.yaml.
"""
