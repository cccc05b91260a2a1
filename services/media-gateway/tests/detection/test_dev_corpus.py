"""Modest floors on the development corpus beside the repository; a guard against regressions, not a benchmark."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from media_gateway.detection.early import EarlyMedia, EarlyMediaDetector
from media_gateway.detection.greeting import AnswerDetector, VerdictReason
from media_gateway.detection.spectrum import FRAME_SAMPLES, WINDOW_SAMPLES, Heard, hear_windows
from media_gateway.rtp import g711
from media_gateway.rtp.codec import Codec

MEDIA = Path(__file__).parents[5] / "shared" / "media"
CORPUS, SCORER = MEDIA / "amd_dev", MEDIA / "score_amd.py"
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not SCORER.exists(), reason="needs ../shared/media, the development corpus"),
]
LABEL_OF_EARLY = {EarlyMedia.REORDER: "busy", EarlyMedia.ANNOUNCEMENT: "machine"}


@pytest.fixture(scope="module")
def score(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    with (CORPUS / "manifest.csv").open(encoding="utf-8") as manifest:
        results = [judge(row["clip"], CORPUS / row["file"], row["phase"]) for row in csv.DictReader(manifest)]
    file = tmp_path_factory.mktemp("amd") / "results.jsonl"
    file.write_text("\n".join(map(json.dumps, results)), encoding="utf-8")
    command = [sys.executable, str(SCORER), str(CORPUS / "truth.csv"), str(file)]
    metrics: dict[str, Any] = json.loads(subprocess.run(command, check=True, capture_output=True, timeout=60).stdout)
    return metrics


def judge(clip: str, file: Path, phase: str) -> dict[str, str | int]:
    heard = hear_file(file)
    label, decision_ms = judge_answer(heard) if phase == "answered" else judge_early(heard)
    return {"clip": clip, "label": label, "decision_ms": decision_ms}


def judge_answer(heard: list[Heard]) -> tuple[str, int]:
    detector = AnswerDetector()
    for frame in heard:
        if (verdict := detector.feed_heard(frame)) is not None:
            network = verdict.reason is VerdictReason.NETWORK_TONE
            return "sit" if network else verdict.answerer.value, verdict.decided_ms
    return "silence", len(heard) * 20


def judge_early(heard: list[Heard]) -> tuple[str, int]:
    detector, label, decision_ms = EarlyMediaDetector(), "silence", len(heard) * 20
    for frame in heard:
        if (verdict := detector.feed_heard(frame)) is not None:
            label, decision_ms = LABEL_OF_EARLY.get(verdict.media, verdict.media.value), verdict.decided_ms
    return label, decision_ms


def hear_file(file: Path) -> list[Heard]:
    """All frames of a mu-law WAV in one transform; the same numbers as frame by frame."""
    data = file.read_bytes()
    start = data.index(b"data") + 8
    samples = g711.decode(Codec.PCMU, data[start : start + int.from_bytes(data[start - 4 : start], "little")])
    padded = np.concatenate([np.zeros(WINDOW_SAMPLES - FRAME_SAMPLES, dtype=np.int16), samples])
    return hear_windows(np.lib.stride_tricks.sliding_window_view(padded, WINDOW_SAMPLES)[::FRAME_SAMPLES])


@pytest.mark.parametrize("label", ["busy", "sit", "fax"])
def test_tones_are_named(score: dict[str, Any], label: str) -> None:
    assert score["per_class"][label]["rate"] >= 0.9


def test_few_people_are_taken_for_machines(score: dict[str, Any]) -> None:
    assert score["human_to_machine"]["rate"] <= 0.15


def test_people_and_machines_are_mostly_told_apart(score: dict[str, Any]) -> None:
    assert score["human_machine_accuracy"]["rate"] >= 0.6


def test_people_are_recognised_soon_enough_to_be_bridged(score: dict[str, Any]) -> None:
    assert score["human_after_greeting_ms"]["p95"] <= 1_200
