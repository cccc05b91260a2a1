"""The pages as people use them: they show, follow, search by keyboard alone, and say so when they are cut off."""

from __future__ import annotations

import re
import uuid
from pathlib import Path

import pytest
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import BrowserContext, Page, expect

from tests.browser.conftest import Witness
from tests.browser.seeds import (
    ATTEMPT,
    CAMPAIGN,
    CONSENT_ADDRESS,
    LEAD,
    NUMBER,
    OTHER_CAMPAIGN,
    PACER_SENTENCE,
    progress,
    why,
    write_reports,
)
from tests.browser.site import Site, open_site

pytestmark = pytest.mark.peers
EVERY_PAGE = (
    "/",
    "/attempts",
    f"/campaigns/{CAMPAIGN}/attempts",
    f"/leads/{LEAD}",
    f"/attempts/{ATTEMPT}",
    f"/attempts/{ATTEMPT}/evidence",
    "/report",
)


def field(page: Page, name: str, campaign_id: str = CAMPAIGN) -> object:
    return page.get_by_role("region", name=campaign_id, exact=True).locator(f"[data-field={name}]")


async def opened(context: BrowserContext, witness: Witness, site: Site, path: str = "/") -> Page:
    """A page, live where it can be."""
    page = await context.new_page()
    witness.watch(page)
    await page.goto(site.url + path)
    if path == "/":
        await page.locator("#link[data-state=live]").wait_for()
    return page


async def test_tiles_show_the_figures_with_numerator_and_denominator(context: BrowserContext, witness: Witness) -> None:
    async with open_site() as site:
        page = await opened(context, witness, site)
        for name, text in {
            "agents": "18",
            "agents_sub": "2 available · 1 reserved · 11 talking · 4 wrap-up · 2 paused",
            "live": "27",
            "connect": "30.9 %",
            "connect_sub": "191 of 618 attempts",
            "drop_today": "1.5 %",
            "drop_window": "1.7 %",
            "drop_window_sub": "7 dropped of 412 human answers; the limit is 3.0 %",
            "budget": "8 calls",
            "lines": "1.4",
            "sentence": PACER_SENTENCE,
        }.items():
            await expect(field(page, name)).to_have_text(text)  # type: ignore[call-overload]
        await expect(page.get_by_text("abandon", exact=True)).to_have_count(4)
        await expect(page.get_by_role("heading", level=2)).to_have_text([CAMPAIGN, OTHER_CAMPAIGN])
        assert not witness.complaints
        assert not witness.strangers(site.port)


async def test_an_event_and_an_answer_of_the_pacer_change_the_page(context: BrowserContext, witness: Witness) -> None:
    async with open_site() as site:
        page = await opened(context, witness, site)
        before = int(await field(page, "n_calls").inner_text())  # type: ignore[attr-defined]
        await site.publish(progress(str(uuid.uuid4()), "INVITED", site.clock.now()))
        await expect(field(page, "n_calls")).to_have_text(str(before + 1))  # type: ignore[call-overload]
        stopped = why(CAMPAIGN, live_calls=31) | {"binding": "STOP_BUTTON", "sentence": "A stop button is pressed."}
        site.upstreams.answers[f"/v1/why/{CAMPAIGN}"] = stopped
        await expect(field(page, "live")).to_have_text("31")  # type: ignore[call-overload]
        await expect(field(page, "word")).to_have_text("Not dialing.")  # type: ignore[call-overload]
        await expect(page.get_by_role("status")).to_contain_text("A stop button is pressed.")
        assert not witness.complaints


async def test_every_plot_is_also_a_table(context: BrowserContext, witness: Witness) -> None:
    async with open_site() as site:
        page = await opened(context, witness, site)
        card = page.get_by_role("region", name=CAMPAIGN, exact=True)
        await expect(card.get_by_role("img")).to_have_count(3)
        for summary in await card.get_by_text("As a table").all():
            await summary.click()
        hours = card.get_by_role("region", name=f"Connect rate by hour, {CAMPAIGN}")
        await expect(hours.get_by_role("row").nth(3)).to_have_text("10:005817161" + "33.9 %")
        await expect(card.get_by_role("table")).to_have_count(3)


async def test_the_page_says_stale_when_the_console_goes_and_comes_back_by_itself(
    context: BrowserContext, witness: Witness, artefacts: Path
) -> None:
    async with open_site() as site:
        page = await opened(context, witness, site)
        await site.stop()
        await expect(page.locator("#link")).to_contain_text("Stale since")
        await expect(page.locator("#stale")).to_be_visible()
        await expect(field(page, "live")).to_have_text("27")  # type: ignore[call-overload]
        await page.screenshot(path=artefacts / "stale-1440-light.png")
        await site.start()
        await expect(page.locator("#link")).to_contain_text("Live", timeout=20_000)
        await expect(page.locator("#stale")).to_be_hidden()


async def test_search_timeline_and_evidence_by_keyboard_alone(context: BrowserContext, witness: Witness) -> None:
    async with open_site() as site:
        page = await opened(context, witness, site, "/attempts")
        await page.keyboard.press("Tab")
        await expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
        await page.keyboard.press("Enter")
        await page.keyboard.press("Tab")
        await expect(page.get_by_role("searchbox", name="Find attempts")).to_be_focused()
        assert await page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
        await page.keyboard.type(f" {ATTEMPT.upper()} ")
        await page.keyboard.press("Enter")
        await page.wait_for_url(f"**/attempts/{ATTEMPT}")
        stages = page.get_by_role("region", name="Stages").locator("tbody th")
        await expect(stages).to_have_text(
            ["ready", "cleared", "dial", "redeemed", "invited", "alerting", "answered", "verdict", "assigned",
             "bridged", "ended", "wrap-up", "disposition"]
        )  # fmt: skip
        await expect(page.get_by_role("img", name="before the INVITE")).to_be_visible()
        for _ in range(20):
            await page.keyboard.press("Tab")
            if await page.evaluate("document.activeElement.textContent") == "Evidence of this attempt":
                break
        await page.keyboard.press("Enter")
        await page.wait_for_url("**/evidence")
        await expect(page.get_by_role("heading", level=1)).to_contain_text(ATTEMPT)
        assert not witness.complaints
        assert not witness.strangers(site.port)


async def test_a_telephone_number_is_refused_and_is_in_no_address(context: BrowserContext, witness: Witness) -> None:
    async with open_site() as site:
        page = await opened(context, witness, site, "/attempts")
        await page.get_by_role("searchbox").fill(f"{NUMBER[:2]} {NUMBER[2:5]}-{NUMBER[5:]}")
        await page.keyboard.press("Enter")
        await expect(page.get_by_role("alert")).to_contain_text("telephone number")
        assert not [url for url in [*witness.requests, page.url] if re.search(r"555.?0123", url)]
        assert "0123" not in await page.content()


async def test_a_lead_and_a_campaign_are_found(context: BrowserContext, witness: Witness) -> None:
    async with open_site() as site:
        page = await opened(context, witness, site, "/attempts")
        await page.get_by_role("searchbox").fill(LEAD)
        await page.keyboard.press("Enter")
        await expect(page.get_by_role("heading", level=1)).to_contain_text(LEAD)
        await page.get_by_role("link", name=ATTEMPT, exact=True).click()
        await expect(page.get_by_role("heading", level=1)).to_contain_text(ATTEMPT)
        await page.get_by_role("link", name=CAMPAIGN).click()
        await expect(page.get_by_role("row")).to_have_count(101)


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_axe_finds_nothing(context: BrowserContext, witness: Witness, scheme: str, tmp_path: Path) -> None:
    write_reports(tmp_path)
    async with open_site(tmp_path) as site:
        page = await opened(context, witness, site)
        await page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
        for path in (*EVERY_PAGE, "/attempts/none"):
            await page.goto(site.url + path)
            for summary in await page.locator("summary").all():
                await summary.click()
            found = await Axe().run(page)
            assert found.violations_count == 0, f"{path}: {found.generate_report()}"


async def test_no_page_holds_anything_of_a_person(context: BrowserContext, witness: Witness) -> None:
    async with open_site() as site:
        site.upstreams.answers[f"/v1/leads/{LEAD}"] |= {"external_id": "crm-77", "first_name": "Maxine"}
        for path in EVERY_PAGE:
            page = await opened(context, witness, site, path)
            content = await page.content()
            for secret in (NUMBER, CONSENT_ADDRESS, "crm-77", "Maxine"):
                assert secret not in content, path
            await page.close()
        assert not witness.complaints
        assert not witness.strangers(site.port)


async def test_evidence_prints_without_the_navigation(
    context: BrowserContext, witness: Witness, artefacts: Path
) -> None:
    async with open_site() as site:
        page = await opened(context, witness, site, f"/attempts/{ATTEMPT}/evidence")
        for text in (
            "US-FED-HOURS",
            "47 CFR 64.1200(c)(1)",
            "2026.11-1+house-1",
            "granted",
            "PEWC",
            "decision",
        ):
            await expect(page.get_by_text(text).first).to_be_visible()
        await page.emulate_media(media="print")
        await expect(page.get_by_role("navigation")).to_be_hidden()
        await page.screenshot(path=artefacts / "evidence-print.png", full_page=True)


async def test_the_demos_newest_report_is_shown_in_a_frame_that_runs_nothing(
    context: BrowserContext, witness: Witness, tmp_path: Path
) -> None:
    write_reports(tmp_path)
    async with open_site(tmp_path) as site:
        page = await opened(context, witness, site, "/report")
        frame = page.frame_locator("iframe")
        await expect(frame.get_by_role("heading", level=1)).to_have_text("outdial demo, 2026-11-17 15:00 UTC")
        await expect(frame.get_by_text("The books balance")).to_be_visible()
        await page.get_by_text("2 runs, the newest first").click()
        await page.get_by_role("link", name="UTC").nth(1).click()
        await expect(page.frame_locator("iframe").get_by_role("heading", level=1)).to_contain_text("14:00")
        assert not witness.complaints
        assert not witness.strangers(site.port)


async def test_with_no_campaign_it_says_what_to_do(context: BrowserContext, witness: Witness, artefacts: Path) -> None:
    async with open_site(seeded=False) as site:
        page = await opened(context, witness, site)
        await expect(page.get_by_role("heading", name="No campaign yet")).to_be_visible()
        await page.screenshot(path=artefacts / "empty-1440-light.png")
        assert not witness.complaints


async def test_services_that_are_away_are_named_and_what_they_said_is_kept(
    context: BrowserContext, witness: Witness, artefacts: Path
) -> None:
    async with open_site() as site:
        page = await opened(context, witness, site)
        await expect(field(page, "connect")).to_have_text("30.9 %")  # type: ignore[call-overload]
        site.upstreams.away = True
        await expect(field(page, "sources")).to_contain_text(  # type: ignore[call-overload]
            re.compile(r"pacer answers with status 503\. Tried since .* Its figures are of ")
        )
        await expect(field(page, "connect")).to_have_text("30.9 %")  # type: ignore[call-overload]
        await page.screenshot(path=artefacts / "away-1440-light.png")
        reply = await page.goto(f"{site.url}/attempts/{uuid.uuid4()}")
        assert reply is not None
        assert reply.status == 503
        await expect(page.get_by_role("heading", level=1)).to_have_text("Not known now")
