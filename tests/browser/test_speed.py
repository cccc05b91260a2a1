"""How soon the live page is painted, and how soon an event is on it; printed, and kept beside the screenshots."""

from __future__ import annotations

import asyncio
import json
import statistics
import time
import uuid
from pathlib import Path

import pytest
from playwright.async_api import BrowserContext, Page

from tests.browser.conftest import Witness
from tests.browser.seeds import CAMPAIGN, progress
from tests.browser.site import Site, open_site

pytestmark = pytest.mark.peers
LOADS, EVENTS = 5, 25
SANE_MS = 5_000
"""Far above any figure seen: this test measures, it does not judge a busy machine."""
PAINT = "performance.getEntriesByName('first-contentful-paint')[0].startTime"
WATCH = f"""
() => {{
  const field = document.querySelector('#campaign-{CAMPAIGN}').closest('section').querySelector('[data-field=n_calls]');
  window.changes = [];
  new MutationObserver(() => window.changes.push([field.textContent, performance.timeOrigin + performance.now()]))
    .observe(field, {{ childList: true, characterData: true, subtree: true }});
}}
"""


async def test_first_paint_and_update_latency_are_measured(
    context: BrowserContext, witness: Witness, artefacts: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async with open_site() as site:
        paints = [await _painted(context, site) for _ in range(LOADS)]
        page = await context.new_page()
        witness.watch(page)
        await page.goto(site.url)
        await page.locator("#link[data-state=live]").wait_for()
        latencies = await _latencies(page, site)
    figures = {
        "first_contentful_paint_ms": {
            "n": LOADS,
            "median": round(statistics.median(paints)),
            "max": round(max(paints)),
        },
        "event_to_dom_ms": {
            "n": EVENTS,
            "median": round(statistics.median(latencies)),
            "p95": round(sorted(latencies)[int(EVENTS * 0.95)]),
        },
    }
    (artefacts / "figures.json").write_text(json.dumps(figures, indent=2))
    with capsys.disabled():
        print(f"\nlive page: {json.dumps(figures)}")
    assert max(*paints, *latencies) < SANE_MS
    assert not witness.complaints


async def _painted(context: BrowserContext, site: Site) -> float:
    page = await context.new_page()
    await page.goto(site.url)
    await page.locator("#link[data-state=live]").wait_for()
    paint: float = await page.evaluate(PAINT)
    await page.close()
    return paint


async def _latencies(page: Page, site: Site) -> list[float]:
    """From the moment an event is on the broker to the change of the DOM, milliseconds; one clock for both."""
    await page.evaluate(WATCH)
    before = int(await page.locator("[data-field=n_calls]").first.inner_text())
    sent: list[float] = []
    for _ in range(EVENTS):
        sent.append(time.time() * 1000)
        site.broker.publish(progress(str(uuid.uuid4()), "INVITED", site.clock.now()))
        await asyncio.sleep(0.35)
    changes: list[tuple[str, float]] = await page.evaluate("window.changes")
    found = []
    for number, moment in enumerate(sent, before + 1):
        after = [at for text, at in changes if at >= moment and int(text) >= number]
        assert after, "an event never reached the page"
        found.append(min(after) - moment)
    return found
