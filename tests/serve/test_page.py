"""The page, driven as a person would: in a browser, by mouse, keyboard and touch, without a word on the console."""

from __future__ import annotations

import base64
import itertools
import re
from urllib.parse import quote, unquote

import numpy as np
import pytest

pytestmark = pytest.mark.browser

PATIENCE = 60_000  # milliseconds


@pytest.fixture
def open_page(browser, client):
    """Opens the page at a view; afterwards its console must be empty and all requests must have gone to the server."""
    base = str(client.base_url).rstrip("/")
    contexts, faults = [], []

    def opened(view: str = "search", **options):
        context = browser.new_context(viewport={"width": 1280, "height": 900}, **options)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(PATIENCE)
        page.on("console", lambda message: faults.append(message.text) if is_fault(message) else None)
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on("request", lambda r: faults.append(r.url) if not r.url.startswith((base, "blob:", "data:")) else None)
        page.on("response", lambda r: faults.append(f"{r.status} {r.url}") if r.status >= 400 else None)
        page.goto(f"{base}/#{view}")
        page.wait_for_selector(f"nav a[data-view={view.partition('?')[0]}][aria-current=page]")
        return page

    yield opened
    for context in contexts:
        context.close()
    assert not faults


def is_fault(message) -> bool:
    """Whether the page says this; a browser that draws by software complains of its own slowness."""
    return message.type in ("error", "warning") and "GL Driver Message" not in message.text


def ids_of(page, way: str = "knn") -> list[str]:
    page.wait_for_selector(f".way[data-way='{way}']")
    page.wait_for_function("!document.querySelector('.results').hasAttribute('aria-busy')")
    return page.eval_on_selector_all(f".way[data-way='{way}'] .image", "all => all.map(one => one.dataset.id)")


def expected(client, k: int = 12, **values) -> list[str]:
    found = client.get("/api/search", params={"k": k, **values}).json()
    return [item["id"] for item in found["answers"][0]["neighbors"]]


def upload(client, path) -> list[str]:
    found = client.post("/api/search", files={"image": path.read_bytes()}, data={"k": 12}).json()
    return [item["id"] for item in found["answers"][0]["neighbors"]]


def drawn_map(open_page, service, **options):
    assert service.maps["umap"].value(300) is not None
    page = open_page("map", **options)
    page.wait_for_selector("canvas[data-ready]")
    page.wait_for_timeout(300)
    return page


def point_at(page, index: int) -> tuple[float, float]:
    """Where a point of the map is on the page."""
    page.locator(".canvas").scroll_into_view_if_needed()
    box = page.locator(".canvas").bounding_box()
    x, y = page.evaluate(f"document.querySelector('.canvas').plot.getScreenPosition({index})")
    return box["x"] + x, box["y"] + y


def test_a_chosen_file_is_searched(open_page, client, query_file):
    page = open_page()
    page.set_input_files("input[type=file]", query_file)
    assert ids_of(page) == upload(client, query_file)
    assert page.inner_text(".query-name").strip() == query_file.name


TRANSFER = """([data, action]) => {
    const bytes = Uint8Array.from(atob(data), letter => letter.charCodeAt(0));
    const transfer = new DataTransfer();
    transfer.items.add(new File([bytes], "image.png", { type: "image/png" }));
    const [place, event] = action === "paste"
        ? [document, new ClipboardEvent("paste", { clipboardData: transfer })]
        : [document.querySelector(".drop"), new DragEvent("drop", { dataTransfer: transfer, cancelable: true })];
    place.dispatchEvent(event);
}"""


@pytest.mark.parametrize("action", ["drop", "paste"])
def test_a_dropped_or_pasted_image_is_searched(open_page, client, query_file, action):
    page = open_page()
    page.evaluate(TRANSFER, [base64.b64encode(query_file.read_bytes()).decode(), action])
    assert ids_of(page) == upload(client, query_file)


def test_what_is_no_image_is_said_to_be_none_and_the_last_one_is_gone(browser, client, query_file, tmp_path):
    file = tmp_path / "a.png"
    file.write_bytes(b"no image")
    page = browser.new_page()
    page.goto(f"{client.base_url}#search")
    page.set_input_files("input[type=file]", query_file)
    ids_of(page)
    page.set_input_files("input[type=file]", file)
    assert "not an image" in page.inner_text("[role=alert]")
    assert page.inner_text(".query-name").strip() == "a.png"
    page.wait_for_selector(".asked img", state="hidden")
    assert page.inner_text("#announce") == ""
    page.set_input_files("input[type=file]", query_file)
    ids_of(page)
    page.fill("#k", "")
    page.keyboard.press("Enter")
    page.wait_for_selector("[role=alert]")
    assert "give a whole number from 1 to" in page.inner_text("[role=alert]")
    page.close()


def test_any_image_can_be_clicked_and_the_way_back_leads_back(open_page, client):
    page = open_page()
    first = page.get_attribute(".image", "data-id")
    page.click(".image button")
    found = ids_of(page)
    assert found == expected(client, id=first)
    page.click(f".way .image[data-id='{found[2]}'] button")
    page.wait_for_function(f"document.querySelector('.query-name').textContent.includes({found[2]!r})")
    assert ids_of(page) == expected(client, id=found[2])
    page.go_back()
    page.wait_for_function(f"document.querySelector('.query-name').textContent.includes({first!r})")


def test_k_and_the_class_change_what_is_found(open_page, client, service):
    name = str(service.collection.queries.ids[0])
    wanted = service.collection.gallery.class_names[7]
    page = open_page(f"search?id={quote(name, safe='')}")
    assert len(ids_of(page)) == 12
    page.fill("#k", "30")
    page.press("#k", "Enter")
    page.wait_for_function("document.querySelectorAll('.way .image').length === 30")
    page.select_option("#filter", wanted)
    page.wait_for_function(
        f"[...document.querySelectorAll('.way strong')].every(one => one.textContent === {wanted!r})"
    )
    assert ids_of(page) == expected(client, id=name, k=30, **{"class": wanted})


def test_retrievers_and_rerankers_stand_side_by_side(open_page, client, service):
    name = str(service.collection.queries.ids[1])
    page = open_page(f"search?id={quote(name, safe='')}")
    page.get_by_label("faiss").check()
    page.get_by_label("k-reciprocal").check()
    for way, by in (
        ("knn", "knn"),
        ("faiss", "faiss"),
        ("knn, reciprocal", "knn:reciprocal"),
        ("faiss, reciprocal", "faiss:reciprocal"),
    ):
        assert ids_of(page, way) == expected(client, id=name, by=by)
    boxes = [way.bounding_box() for way in page.query_selector_all(".way")]
    assert boxes[0]["y"] == boxes[1]["y"]


def test_right_and_wrong_are_told_by_more_than_color(open_page, service):
    name = str(service.collection.queries.ids[0])
    page = open_page(f"search?id={quote(name, safe='')}")
    ids_of(page)
    own = service.collection.class_of(service.collection.queries, 0)
    for image in page.query_selector_all(".way .image"):
        same = image.query_selector("strong").inner_text() == own
        assert image.query_selector(".verdict").inner_text().strip() == ("✓" if same else "✗")
        assert (", same class" if same else ", another class") in image.query_selector("img").get_attribute("alt")


def test_the_map_is_zoomed_and_moved(open_page, service):
    page = drawn_map(open_page, service)
    distance = lambda: page.evaluate("document.querySelector('.canvas').plot.get('cameraDistance')")  # noqa: E731
    whole = distance()
    x, y = point_at(page, 0)
    page.mouse.move(x, y)
    page.mouse.wheel(0, -400)
    page.wait_for_timeout(300)
    near = distance()
    assert near < whole * 0.95
    page.mouse.down()
    page.mouse.move(x + 120, y + 40, steps=5)
    page.mouse.up()
    page.wait_for_timeout(200)
    moved = point_at(page, 0)
    assert moved[0] - x == pytest.approx(120, abs=12)
    page.get_by_label("Show the whole map").click()
    page.wait_for_timeout(300)
    assert distance() == pytest.approx(whole, rel=0.02)


def test_a_point_shows_its_image_and_a_click_selects_it(open_page, service):
    page = drawn_map(open_page, service)
    gallery = service.collection.gallery
    points = service.maps["umap"].value().points
    alone = int(np.argmax(np.partition(np.abs(points[:, None] - points[None]).sum(2), 1, axis=1)[:, 1]))
    x, y = point_at(page, alone)
    page.mouse.move(x - 40, y - 40)
    page.mouse.move(x, y, steps=4)
    page.wait_for_selector(".hint:not([hidden])")
    assert str(gallery.ids[alone]) in page.inner_text(".hint")
    page.mouse.click(x, y)
    page.wait_for_selector(".chosen .image")
    assert page.get_attribute(".chosen .image", "data-id") == gallery.ids[alone]
    page.mouse.move(5, 5)
    page.click(".chosen .image button")
    assert unquote(page.url.partition("id=")[2]) == gallery.ids[alone]


def test_a_lasso_selects_what_is_in_it(open_page, service):
    page = drawn_map(open_page, service)
    page.get_by_role("button", name="Lasso").click()
    box = page.locator(".canvas").bounding_box()
    left, top, right, bottom = box["x"] + 5, box["y"] + 5, box["x"] + box["width"] - 5, box["y"] + box["height"] - 5
    page.mouse.move(left, top)
    page.mouse.down()
    for x, y in ((right, top), (right, bottom), (left, bottom), (left, top + 3)):
        page.mouse.move(x, y, steps=12)
        page.wait_for_timeout(60)
    page.mouse.up()
    page.wait_for_selector(".chosen h2")
    selected = int(re.sub(r"\D", "", page.inner_text(".chosen h2").partition("selected")[0]))
    inside = page.evaluate(
        """() => { const plot = document.querySelector('.canvas').plot; const n = plot.get('points').length;
            let count = 0; for (let i = 0; i < n; i++) if (plot.getScreenPosition(i)) count++; return count; }"""
    )
    assert inside * 0.97 <= selected <= inside
    assert len(page.query_selector_all(".chosen .image")) == min(60, selected)


def test_the_query_drops_in_where_it_belongs(open_page, client, service):
    service.maps["umap"].value(120)
    name = str(service.collection.queries.ids[5])
    page = open_page(f"search?id={quote(name, safe='')}")
    ids_of(page)
    page.click("nav a[data-view=map]")
    page.wait_for_selector(".marker:not([hidden])")
    page.wait_for_timeout(400)
    page.locator(".canvas").scroll_into_view_if_needed()
    marker = page.locator(".marker").bounding_box()
    nearest = [service.collection.row_of[one] for one in expected(client, k=5, id=name)]
    center = np.array([marker["x"] + marker["width"] / 2, marker["y"] + marker["height"] / 2])
    assert min(np.linalg.norm(center - point_at(page, row)) for row in nearest) < 3


def test_the_other_layout_is_drawn_too(open_page, service):
    service.maps["tsne"].value(120)
    page = drawn_map(open_page, service)
    page.select_option("#method", "tsne")
    page.wait_for_selector("canvas[data-ready=tsne]")


def test_a_cell_of_the_confusion_shows_its_images(open_page, client, service):
    evaluation = service.collection.evaluations["knn"]
    counts = evaluation.confusion.copy()
    np.fill_diagonal(counts, 0)
    i, j = np.unravel_index(counts.argmax(), counts.shape)
    label, nearest = evaluation.class_names[i], evaluation.class_names[j]
    page = open_page("evaluation")
    page.click(f".matrix button[data-label='{label}'][data-nearest='{nearest}']")
    page.wait_for_selector("#cell .pair")
    shown = page.eval_on_selector_all("#cell .pair", "all => all.map(one => one.dataset.id)")
    asked = client.get("/api/evaluation/knn/confused", params={"class": label, "nearest": nearest}).json()["queries"]
    assert shown == [query["id"] for query in asked]
    assert len(shown) == counts[i, j]


def test_the_evaluation_shows_what_was_measured(open_page, service):
    page = open_page("evaluation?retriever=faiss")
    metrics = service.collection.evaluations["faiss"].metrics
    page.wait_for_selector(".facts")
    facts = dict(zip(page.locator(".facts dt").all_inner_texts(), page.locator(".facts dd").all_inner_texts()))
    assert facts["mAP"].startswith(f"{metrics['map']:.3f}")
    assert page.locator(".curves polyline").count() == len(service.collection.gallery.class_names)
    page.click(".legend button >> nth=2")
    assert page.locator(".curves polyline.faint").count() == len(service.collection.gallery.class_names) - 1


def test_errors_come_first_with_the_worst(open_page, client, service):
    page = open_page("errors")
    page.wait_for_selector(".hardest .pair")
    worst = client.get("/api/evaluation/knn/hardest").json()["queries"]
    shown = page.eval_on_selector_all(".hardest .pair", "all => all.map(one => one.dataset.id)")
    assert shown == [query["id"] for query in worst][:12]
    page.locator(".hardest .more button").click()
    assert page.locator(".hardest .pair").count() == len(worst)
    assert service.audit.value(240)["suspects"]
    page.wait_for_selector(".faults .pair")
    suspects = client.get("/api/audit").json()["suspects"]
    shown = page.eval_on_selector_all(".faults .pair[data-id]", "all => all.map(one => one.dataset.id)")
    assert shown == [suspect["id"] for suspect in suspects][:12]
    page.locator(".faults .more button >> nth=0").click()
    assert page.locator(".faults .pair[data-id]").count() == len(suspects)
    page.locator(".parts").get_by_role("button", name="Images that are there twice").click()
    assert page.evaluate("document.activeElement.textContent") == "Images that are there twice"
    assert page.evaluate("scrollY") > 1000
    page.click("#view-errors table a >> nth=0")
    page.wait_for_selector("#cell .pair")


def test_everything_can_be_done_by_keyboard(open_page, client, service):
    assert service.maps["umap"].value(300) is not None
    page = open_page()
    page.wait_for_selector(".image")

    def tab_to(selector: str, most: int = 120):
        for _ in range(most):
            page.keyboard.press("Tab")
            if page.evaluate(f"document.activeElement.matches({selector!r})"):
                return
        raise AssertionError(f"the keyboard does not reach {selector}")

    page.keyboard.press("Tab")
    assert page.inner_text(":focus") == "Skip to the content"
    tab_to("input[type=file]")
    assert page.evaluate("getComputedStyle(document.querySelector('.file span')).outlineStyle") == "solid"
    tab_to(".image button")
    chosen = page.evaluate("document.activeElement.closest('.image').dataset.id")
    page.keyboard.press("Enter")
    assert ids_of(page) == expected(client, id=chosen)
    tab_to("nav a[data-view=map]")
    page.keyboard.press("Enter")
    page.wait_for_selector("canvas[data-ready]")
    tab_to("canvas")
    assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    view = lambda: page.evaluate("[...document.querySelector('.canvas').plot.get('cameraView')]")  # noqa: E731
    page.wait_for_timeout(300)
    seen = [view()]
    for key in ("+", "ArrowRight", "ArrowUp", "-", "0"):
        page.keyboard.press(key)
        page.wait_for_timeout(250)
        seen.append(view())
    assert all(not np.allclose(a, b) for a, b in itertools.pairwise(seen))
    tab_to(".legend button")
    page.keyboard.press("Enter")
    page.wait_for_selector(".chosen .image")
    page.goto(f"{client.base_url}#evaluation")
    page.wait_for_selector(".matrix button")
    tab_to(".matrix button")
    page.keyboard.press("Enter")
    page.wait_for_selector("#cell .pair")
    assert page.evaluate("document.activeElement.id") == "cell-title"


@pytest.mark.parametrize("view", ["search", "map", "evaluation", "errors"])
def test_a_phone_shows_it_without_scrolling_sideways(open_page, service, view):
    assert service.maps["umap"].value(300) is not None
    page = open_page(view, has_touch=True)
    page.set_viewport_size({"width": 390, "height": 844})
    page.wait_for_selector(
        {"search": ".image", "map": "canvas[data-ready]", "evaluation": ".matrix", "errors": ".pair"}[view]
    )
    page.wait_for_timeout(200)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


def test_fingers_move_the_map_pinch_it_and_draw_a_lasso(open_page, service):
    page = drawn_map(open_page, service, has_touch=True)
    page.set_viewport_size({"width": 390, "height": 844})
    page.get_by_label("Show the whole map").click()
    page.wait_for_timeout(300)
    distance = lambda: page.evaluate("document.querySelector('.canvas').plot.get('cameraDistance')")  # noqa: E731
    hand = page.context.new_cdp_session(page)

    def move(*paths):
        """Put a finger down at the start of each path, move all along, and lift them."""
        for step, places in enumerate(zip(*paths)):
            points = [{"x": x, "y": y, "id": finger} for finger, (x, y) in enumerate(places)]
            hand.send(
                "Input.dispatchTouchEvent", {"type": "touchMove" if step else "touchStart", "touchPoints": points}
            )
            page.wait_for_timeout(40)
        hand.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
        page.wait_for_timeout(250)

    def line(start, end, steps=8):
        return [tuple(np.array(start) + (np.array(end) - start) * part) for part in np.linspace(0, 1, steps)]

    x, y = point_at(page, 0)
    box = page.locator(".canvas").bounding_box()
    middle = np.array([box["x"] + box["width"] / 2, box["y"] + box["height"] / 2])
    whole = distance()
    move(line(middle, middle + np.array([60, 30])))
    moved = point_at(page, 0)
    assert np.subtract(moved, (x, y)) == pytest.approx([60, 30], abs=8)
    assert distance() == pytest.approx(whole, rel=1e-6)
    between = np.array(moved)
    near, far = np.array([20, 0]), np.array([50, 0])
    move(line(between - near, between - far), line(between + near, between + far))
    assert distance() == pytest.approx(whole * 0.4, rel=0.02)
    assert point_at(page, 0) == pytest.approx(moved, abs=3)
    assert page.evaluate("scrollX") == 0
    page.get_by_label("Show the whole map").click()
    page.get_by_role("button", name="Lasso").click()
    left, top, right, bottom = *(middle - 120), *(middle + 120)
    corners = [(left, top), (right, top), (right, bottom), (left, bottom), (left, top + 3)]
    move([place for pair in itertools.pairwise(corners) for place in line(*pair)])
    page.wait_for_selector(".chosen .image")


def test_in_the_dark_it_is_dark(open_page, service):
    page = drawn_map(open_page, service, color_scheme="dark")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(20, 23, 26)"
    assert page.evaluate("document.querySelector('.canvas').plot.get('backgroundColor')")[0] < 0.2
    page.emulate_media(color_scheme="light")
    page.wait_for_function("document.querySelector('.canvas').plot.get('backgroundColor')[0] > 0.9")
