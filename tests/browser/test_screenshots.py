"""Pictures of every page, light and dark, on a phone and on a desk: to be looked at; nothing may run over the edge."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import pytest
from playwright.async_api import Browser

from tests.browser.seeds import ATTEMPT, CAMPAIGN, LEAD, write_reports
from tests.browser.site import open_site

pytestmark = pytest.mark.peers
PAGES = {
    "live": "/",
    "search": "/attempts",
    "campaign": f"/campaigns/{CAMPAIGN}/attempts",
    "lead": f"/leads/{LEAD}",
    "attempt": f"/attempts/{ATTEMPT}",
    "evidence": f"/attempts/{ATTEMPT}/evidence",
    "report": "/report",
    "missing": "/attempts/none",
}
OVERFLOW = "document.documentElement.scrollWidth - document.documentElement.clientWidth"


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1440])
async def test_every_page_fits_and_is_pictured(
    browser: Browser, artefacts: Path, tmp_path: Path, width: int, scheme: Literal["light", "dark"]
) -> None:
    write_reports(tmp_path)
    async with open_site(tmp_path) as site:
        context = await browser.new_context(
            viewport={"width": width, "height": 900}, color_scheme=scheme, locale="en-GB", reduced_motion="reduce"
        )
        page = await context.new_page()
        for name, path in PAGES.items():
            await page.goto(site.url + path)
            if name == "live":
                await page.locator("#link[data-state=live]").wait_for()
            assert await page.evaluate(OVERFLOW) <= 0, f"{name} is wider than {width} px"
            await page.screenshot(path=artefacts / f"{name}-{width}-{scheme}.png", full_page=True)
        await context.close()
