"""The page as axe-core judges it, in light and dark."""

from __future__ import annotations

import pytest

axe_core = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe-playwright-python is not installed")

pytestmark = pytest.mark.browser

READY = {"search": ".image", "map": "canvas[data-ready]", "evaluation": ".matrix", "errors": ".pair"}


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("view", READY)
def test_axe_finds_nothing_serious(browser, client, service, view, scheme):
    assert service.maps["umap"].value(300) is not None
    page = browser.new_page(color_scheme=scheme)
    page.goto(f"{client.base_url}#{view}")
    page.wait_for_selector(READY[view], timeout=60_000)
    if view == "search":
        page.click(".image button")
        page.wait_for_selector(".result .image")
    if view == "map":
        page.click(".legend button")
        page.wait_for_selector(".chosen .image")
    found = axe_core.Axe().run(page, options={"resultTypes": ["violations"]}).response["violations"]
    page.close()
    grave = [fault for fault in found if fault["impact"] in ("serious", "critical")]
    assert [(fault["id"], fault["nodes"][0]["html"]) for fault in grave] == []
