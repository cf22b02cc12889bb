"""Accessibility of the page by axe-core, in light and dark mode."""

from __future__ import annotations

import pytest

axe_core = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe-playwright-python is not installed")

pytestmark = pytest.mark.browser

READY = {"search": ".image", "map": "canvas[data-ready]", "evaluation": ".matrix", "errors": ".pair"}


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("view", READY)
def test_axe_finds_no_serious_violations(browser, client, service, view, scheme):
    assert service.maps["umap"].result(300) is not None
    page = browser.new_page(color_scheme=scheme)
    page.goto(f"{client.base_url}#{view}")
    page.wait_for_selector(READY[view], timeout=60_000)
    if view == "search":
        page.click(".image button")
        page.wait_for_selector(".result .image")
    if view == "map":
        page.click(".legend button")
        page.wait_for_selector(".selection .image")
    violations = axe_core.Axe().run(page, options={"resultTypes": ["violations"]}).response["violations"]
    page.close()
    serious = [item for item in violations if item["impact"] in ("serious", "critical")]
    assert [(item["id"], item["nodes"][0]["html"]) for item in serious] == []
