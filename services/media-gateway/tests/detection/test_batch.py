"""The batch must not change a verdict: it is the same judgement, cheaper."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from media_gateway.detection.batch import Batch
from media_gateway.detection.greeting import AnswerDetector, Verdict

from .line import clip, clips, frames, noisy, silence


def test_a_batch_of_calls_gets_the_verdicts_each_alone_gets() -> None:
    names = [*clips("human_greeting")[:4], *clips("voicemail_greeting")[:4]]
    calls = [frames(noisy(np.concatenate([silence(0.3), clip(n), silence(2.0)])[:44_000], -60)) for n in names]
    alone: list[Verdict | None] = [
        next((v for frame in call if (v := detector.feed(frame)) is not None), None)
        for call, detector in ((call, AnswerDetector()) for call in calls)
    ]
    batch: Batch[Verdict] = Batch()
    together: list[Verdict | None] = [None] * len(calls)
    detectors = [AnswerDetector() for _ in calls]

    def keep(n: int) -> Callable[[Verdict], None]:
        return lambda verdict: together.__setitem__(n, verdict)

    for tick in range(max(map(len, calls))):
        for n, call in enumerate(calls):
            if tick < len(call):
                batch.submit(detectors[n], call[tick], keep(n))
        batch.judge()
    assert together == alone
    assert None not in together


def test_nothing_submitted_is_nothing_judged() -> None:
    Batch[Verdict]().judge()
