"""campaign.yaml as the commands hand it on: with the words of its recording, and only when they are lawful."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from outdial_cli.demo.inputs import BadInput
from outdial_contracts.safe_harbour import campaign_faults


def with_transcript(campaign: Mapping[str, Any], file: Path) -> dict[str, Any]:
    """The document; one that names its recording only (formats.md) gets the words from the text file beside that.

    Raises:
        BadInput: that file is there and is no text.
    """
    prompt = campaign.get("safe_harbour")
    if not isinstance(prompt, str):
        return dict(campaign)
    beside = (file.parent / prompt).with_suffix(".txt") if Path(prompt).name else file.parent
    if not beside.is_file():
        return dict(campaign)
    try:
        return {**campaign, "safe_harbour": {"prompt": prompt, "text": beside.read_text("utf-8")}}
    except UnicodeDecodeError:
        raise BadInput(f"{beside}: not UTF-8") from None


def refuse_unlawful(campaign: Mapping[str, Any], file: Path) -> None:
    """Raises BadInput, which names every fault of the message with its field and rule."""
    if found := campaign_faults(campaign):
        raise BadInput(f"{file}: {'; '.join(map(str, found))}")
