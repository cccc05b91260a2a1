"""What is learnt from the calls themselves: who answers, how fast, and how long agents are busy.

All forgetting is per observation, never per second, so that a replay of the same inputs gives the same figures to the
last bit however often somebody looked in between.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from math import erfc, exp, log, sqrt

BINS = 32
"""Seconds after dialing, one bin each; the last one holds all that is later."""
ANSWER_MEMORY = 0.985
"""Weight that an observation keeps when the next one arrives: about the last 66 calls count."""
PRIOR_ANSWERS = 0.5
PRIOR_WEIGHT = 8.0
"""A campaign starts as if half of eight calls had been people: too careful rather than too bold."""
DURATION_MEMORY = 0.98
DURATION_PRIOR_WEIGHT = 3.0


@dataclass(kw_only=True)
class Answers:
    """Share of calls that need an agent, and how long after dialing they and the others are decided."""

    needing: float = 0.0
    others: float = 0.0
    needing_bins: list[float] = field(default_factory=lambda: [0.0] * BINS)
    other_bins: list[float] = field(default_factory=lambda: [0.0] * BINS)

    def observe(self, needs_agent: bool, after_seconds: float) -> None:
        """One call was decided so long after it was dialled."""
        self.needing *= ANSWER_MEMORY
        self.others *= ANSWER_MEMORY
        chosen = self.needing_bins if needs_agent else self.other_bins
        for index in range(BINS):
            chosen[index] *= ANSWER_MEMORY
        chosen[min(max(int(after_seconds), 0), BINS - 1)] += 1.0
        if needs_agent:
            self.needing += 1.0
        else:
            self.others += 1.0

    @property
    def share(self) -> float:
        """Expected share of calls that need an agent, 0..1 (mean of a Beta posterior)."""
        return (self.needing + PRIOR_ANSWERS * PRIOR_WEIGHT) / (self.needing + self.others + PRIOR_WEIGHT)

    @property
    def careful_share(self) -> float:
        """The share plus half a posterior standard deviation: people are told to wait by our errors upward only."""
        share = self.share
        return min(share + 0.5 * sqrt(share * (1 - share) / (self.needing + self.others + PRIOR_WEIGHT + 1)), 1.0)

    def share_at_age(self, age_seconds: float) -> float:
        """Share among calls that are still undecided so long after dialing (Bayes over both survival curves)."""
        p = self.careful_share
        needing = p * _survival(self.needing_bins, age_seconds, 5.0)
        others = (1 - p) * _survival(self.other_bins, age_seconds, 9.0)
        return needing / (needing + others)

    @property
    def mean_delay_seconds(self) -> float:
        """Mean time from dialing to the verdict that needs an agent; 5 s before anything is known."""
        total = sum(self.needing_bins)
        weighted = sum((index + 0.5) * weight for index, weight in enumerate(self.needing_bins))
        return (weighted + 5.0 * DURATION_PRIOR_WEIGHT) / (total + DURATION_PRIOR_WEIGHT)


@dataclass(kw_only=True)
class Duration:
    """A lognormal duration, fitted to logarithms of what was seen, from a prior median."""

    prior_seconds: float
    weight: float = DURATION_PRIOR_WEIGHT
    sum_log: float | None = None
    sum_square: float | None = None

    def observe(self, seconds: float) -> None:
        """One duration."""
        value = log(max(seconds, 0.1))
        total, square = self._sums()
        self.weight = self.weight * DURATION_MEMORY + 1.0
        self.sum_log = total * DURATION_MEMORY + value
        self.sum_square = square * DURATION_MEMORY + value * value

    @property
    def mean_seconds(self) -> float:
        """Mean of the fitted distribution."""
        mu, sigma = self._fit()
        return exp(mu + sigma * sigma / 2)

    def ends_within(self, more_seconds: float, elapsed_seconds: float) -> float:
        """Probability that one that has lasted `elapsed_seconds` ends in the next `more_seconds`, 0..1."""
        if more_seconds <= 0:
            return 0.0
        still = self._exceeds(elapsed_seconds)
        if still < 1e-6:
            return 1.0 - exp(-more_seconds / self.mean_seconds)
        return 1.0 - self._exceeds(elapsed_seconds + more_seconds) / still

    def _exceeds(self, seconds: float) -> float:
        if seconds <= 0:
            return 1.0
        mu, sigma = self._fit()
        return 0.5 * erfc((log(seconds) - mu) / (sigma * sqrt(2.0)))

    def _fit(self) -> tuple[float, float]:
        total, square = self._sums()
        mu = total / self.weight
        return mu, sqrt(max(square / self.weight - mu * mu, 0.04))

    def _sums(self) -> tuple[float, float]:
        if self.sum_log is not None and self.sum_square is not None:
            return self.sum_log, self.sum_square
        mu = log(self.prior_seconds)
        return mu * self.weight, (mu * mu + 0.5) * self.weight


def _survival(bins: list[float], age_seconds: float, prior_mean_seconds: float) -> float:
    """Share still undecided after the age; an exponential of the prior mean counts as two observations."""
    first = max(int(age_seconds), 0)
    later = sum(bins[first:]) if first < BINS else bins[-1]
    return (later + 2.0 * exp(-age_seconds / prior_mean_seconds)) / (sum(bins) + 2.0)
