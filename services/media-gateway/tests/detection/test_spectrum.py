"""Levels and lines: every later threshold trusts them."""

from __future__ import annotations

import numpy as np
import pytest

from media_gateway.detection.spectrum import Ear, Heard, hear_windows

from .line import frames, noisy, silence, tone


def last_heard(samples: np.ndarray[tuple[int], np.dtype[np.int16]]) -> Heard:
    ear = Ear()
    return [ear.hear(frame) for frame in frames(samples)][-1]


@pytest.mark.parametrize("hz", [350.0, 425.0, 440.0, 913.8, 1000.0, 1776.7, 2100.0])
@pytest.mark.parametrize("level_dbov", [-35.0, -10.0])
def test_a_tones_frequency_and_level_are_read_true(hz: float, level_dbov: float) -> None:
    heard = last_heard(tone(0.2, hz, level_dbov=level_dbov))
    assert heard.first_hz == pytest.approx(hz, abs=1.0)
    assert heard.level_dbov == pytest.approx(level_dbov, abs=0.5)
    assert heard.first_share > 0.98


@pytest.mark.parametrize("pair", [(440.0, 480.0), (400.0, 450.0), (480.0, 620.0), (350.0, 440.0)])
def test_the_two_lines_of_a_dual_tone_are_told_apart(pair: tuple[float, float]) -> None:
    heard = last_heard(tone(0.2, *pair))
    assert sorted((heard.first_hz, heard.second_hz)) == pytest.approx(pair, abs=8.0)
    assert heard.second_share > 0.4


def test_noise_has_no_line() -> None:
    heard = last_heard(noisy(silence(0.5), -30))
    assert heard.first_share + heard.second_share < 0.5


def test_digital_silence_has_a_finite_level() -> None:
    assert last_heard(silence(0.2)).level_dbov == -80.0


def test_many_channels_in_one_call_hear_what_each_alone_does() -> None:
    ears = [Ear(), Ear()]
    for one, other in zip(frames(tone(0.2, 440.0)), frames(noisy(silence(0.2), -40)), strict=True):
        alone = [ears[0].hear(one), ears[1].hear(other)]
    together = hear_windows(np.stack([ear.window for ear in ears]))
    for a, b in zip(alone, together, strict=True):
        assert (a.level_dbov, a.first_hz, a.second_hz) == pytest.approx((b.level_dbov, b.first_hz, b.second_hz))


def test_a_frame_of_another_size_is_refused() -> None:
    with pytest.raises(ValueError, match="shape"):
        Ear().hear(np.zeros(80, dtype=np.int16))
