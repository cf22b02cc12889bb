"""The page in a browser: mouse, keyboard and touch, without console messages."""

from __future__ import annotations

import base64
import itertools
import re
from urllib.parse import quote, unquote

import numpy as np
import pytest

pytestmark = pytest.mark.browser

TIMEOUT = 60_000  # milliseconds


@pytest.fixture
def open_page(browser, client):
    """Open a view of the page; afterwards there must be no console messages, failed or external requests."""
    base = str(client.base_url).rstrip("/")
    contexts, problems = [], []

    def opened(view: str = "search", **options):
        context = browser.new_context(viewport={"width": 1280, "height": 900}, **options)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(TIMEOUT)
        page.on("console", lambda message: problems.append(message.text) if is_problem(message) else None)
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.on("request", lambda r: problems.append(r.url) if not r.url.startswith((base, "blob:", "data:")) else None)
        page.on("response", lambda r: problems.append(f"{r.status} {r.url}") if r.status >= 400 else None)
        page.goto(f"{base}/#{view}")
        page.wait_for_selector(f"nav a[data-view={view.partition('?')[0]}][aria-current=page]")
        return page

    yield opened
    for context in contexts:
        context.close()
    assert not problems


def is_problem(message) -> bool:
    """Whether a console message is an error or warning of the page, not of software rendering."""
    return message.type in ("error", "warning") and "GL Driver Message" not in message.text


def ids_of(page, method: str = "knn") -> list[str]:
    page.wait_for_selector(f".result[data-method='{method}']")
    page.wait_for_function("!document.querySelector('.results').hasAttribute('aria-busy')")
    return page.eval_on_selector_all(f".result[data-method='{method}'] .image", "all => all.map(one => one.dataset.id)")


def expected(client, k: int = 12, **values) -> list[str]:
    results = client.get("/api/search", params={"k": k, **values}).json()
    return [item["id"] for item in results["results"][0]["hits"]]


def upload(client, path) -> list[str]:
    results = client.post("/api/search", files={"image": path.read_bytes()}, data={"k": 12}).json()
    return [item["id"] for item in results["results"][0]["hits"]]


def drawn_map(open_page, service, **options):
    assert service.maps["umap"].result(300) is not None
    page = open_page("map", **options)
    page.wait_for_selector("canvas[data-ready]")
    page.wait_for_timeout(300)
    return page


def point_at(page, index: int) -> tuple[float, float]:
    """Page position of a point of the map."""
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


def test_an_invalid_upload_shows_an_error_and_no_preview(browser, client, query_file, tmp_path):
    file = tmp_path / "a.png"
    file.write_bytes(b"no image")
    page = browser.new_page()
    page.goto(f"{client.base_url}#search")
    page.set_input_files("input[type=file]", query_file)
    ids_of(page)
    page.set_input_files("input[type=file]", file)
    assert "not a readable image" in page.inner_text("[role=alert]")
    assert page.inner_text(".query-name").strip() == "a.png"
    page.wait_for_selector(".query img", state="hidden")
    assert page.inner_text("#announce") == ""
    page.set_input_files("input[type=file]", query_file)
    ids_of(page)
    page.fill("#k", "")
    page.keyboard.press("Enter")
    page.wait_for_selector("[role=alert]")
    assert "must be an integer from 1 to" in page.inner_text("[role=alert]")
    page.close()


def test_a_clicked_image_is_searched_and_the_back_button_works(open_page, client):
    page = open_page()
    first = page.get_attribute(".image", "data-id")
    page.click(".image button")
    results = ids_of(page)
    assert results == expected(client, id=first)
    page.click(f".result .image[data-id='{results[2]}'] button")
    page.wait_for_function(f"document.querySelector('.query-name').textContent.includes({results[2]!r})")
    assert ids_of(page) == expected(client, id=results[2])
    page.go_back()
    page.wait_for_function(f"document.querySelector('.query-name').textContent.includes({first!r})")


def test_k_and_class_change_the_results(open_page, client, service):
    name = str(service.collection.queries.items.ids[0])
    wanted = service.collection.gallery.items.class_names[7]
    page = open_page(f"search?id={quote(name, safe='')}")
    assert len(ids_of(page)) == 12
    page.fill("#k", "30")
    page.press("#k", "Enter")
    page.wait_for_function("document.querySelectorAll('.result .image').length === 30")
    page.select_option("#filter", wanted)
    page.wait_for_function(
        f"[...document.querySelectorAll('.result strong')].every(one => one.textContent === {wanted!r})"
    )
    assert ids_of(page) == expected(client, id=name, k=30, **{"class": wanted})


def test_retrievers_and_rerankers_stand_side_by_side(open_page, client, service):
    name = str(service.collection.queries.items.ids[1])
    page = open_page(f"search?id={quote(name, safe='')}")
    page.get_by_label("faiss").check()
    page.get_by_label("k-reciprocal").check()
    for method, by in (
        ("knn", "knn"),
        ("faiss", "faiss"),
        ("knn, reciprocal", "knn:reciprocal"),
        ("faiss, reciprocal", "faiss:reciprocal"),
    ):
        assert ids_of(page, method) == expected(client, id=name, by=by)
    boxes = [column.bounding_box() for column in page.query_selector_all(".result")]
    assert boxes[0]["y"] == boxes[1]["y"]


def test_correct_and_wrong_hits_differ_by_more_than_color(open_page, service):
    name = str(service.collection.queries.items.ids[0])
    page = open_page(f"search?id={quote(name, safe='')}")
    ids_of(page)
    own = service.collection.queries.items.class_of(0)
    for image in page.query_selector_all(".result .image"):
        same = image.query_selector("strong").inner_text() == own
        assert image.query_selector(".mark").inner_text().strip() == ("✓" if same else "✗")
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
    points = service.maps["umap"].result().points
    alone = int(np.argmax(np.partition(np.abs(points[:, None] - points[None]).sum(2), 1, axis=1)[:, 1]))
    x, y = point_at(page, alone)
    page.mouse.move(x - 40, y - 40)
    page.mouse.move(x, y, steps=4)
    page.wait_for_selector(".hint:not([hidden])")
    assert str(gallery.items.ids[alone]) in page.inner_text(".hint")
    page.mouse.click(x, y)
    page.wait_for_selector(".selection .image")
    assert page.get_attribute(".selection .image", "data-id") == gallery.items.ids[alone]
    page.mouse.move(5, 5)
    page.click(".selection .image button")
    assert unquote(page.url.partition("id=")[2]) == gallery.items.ids[alone]


def test_a_lasso_selects_the_points_inside(open_page, service):
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
    page.wait_for_selector(".selection h2")
    selected = int(re.sub(r"\D", "", page.inner_text(".selection h2").partition("selected")[0]))
    inside = page.evaluate(
        """() => { const plot = document.querySelector('.canvas').plot; const n = plot.get('points').length;
            let count = 0; for (let i = 0; i < n; i++) if (plot.getScreenPosition(i)) count++; return count; }"""
    )
    assert inside * 0.97 <= selected <= inside
    assert len(page.query_selector_all(".selection .image")) == min(60, selected)


def test_the_query_is_marked_at_its_neighbors(open_page, client, service):
    service.maps["umap"].result(120)
    name = str(service.collection.queries.items.ids[5])
    page = open_page(f"search?id={quote(name, safe='')}")
    ids_of(page)
    page.click("nav a[data-view=map]")
    page.wait_for_selector(".marker:not([hidden])")
    page.wait_for_timeout(400)
    page.locator(".canvas").scroll_into_view_if_needed()
    marker = page.locator(".marker").bounding_box()
    nearest = [service.collection.locate(one)[1] for one in expected(client, k=5, id=name)]
    center = np.array([marker["x"] + marker["width"] / 2, marker["y"] + marker["height"] / 2])
    assert min(np.linalg.norm(center - point_at(page, row)) for row in nearest) < 3


def test_the_other_projection_is_drawn(open_page, service):
    service.maps["tsne"].result(120)
    page = drawn_map(open_page, service)
    page.select_option("#method", "tsne")
    page.wait_for_selector("canvas[data-ready=tsne]")


def test_a_cell_of_the_confusion_matrix_shows_its_queries(open_page, client, service):
    evaluation = service.collection.evaluations["knn"]
    counts = evaluation.confusion.copy()
    np.fill_diagonal(counts, 0)
    i, j = np.unravel_index(counts.argmax(), counts.shape)
    label, nearest = evaluation.class_names[i], evaluation.class_names[j]
    page = open_page("evaluation")
    page.click(f".matrix button[data-label='{label}'][data-nearest='{nearest}']")
    page.wait_for_selector("#cell .pair")
    share = 100 * counts[i, j] / evaluation.confusion[i].sum()
    assert page.inner_text(".matrix button[aria-pressed=true]").split() == [str(counts[i, j]), f"{share:.1f}", "%"]
    shown = page.eval_on_selector_all("#cell .pair", "all => all.map(one => one.dataset.id)")
    queries = client.get("/api/evaluation/knn/confused", params={"class": label, "nearest": nearest}).json()["queries"]
    assert shown == [query["id"] for query in queries]
    assert len(shown) == counts[i, j]


def test_the_evaluation_shows_metrics_and_curves(open_page, service):
    page = open_page("evaluation?retriever=faiss")
    metrics = service.collection.evaluations["faiss"].metrics
    page.wait_for_selector(".facts")
    facts = dict(zip(page.locator(".facts dt").all_inner_texts(), page.locator(".facts dd").all_inner_texts()))
    assert facts["mAP"].startswith(f"{metrics['map']:.3f}")
    assert page.locator(".curves polyline").count() == len(service.collection.gallery.items.class_names)
    page.click(".legend button >> nth=2")
    assert page.locator(".curves polyline.faint").count() == len(service.collection.gallery.items.class_names) - 1


def test_errors_are_listed_worst_first(open_page, client, service):
    page = open_page("errors")
    page.wait_for_selector(".hardest .pair")
    worst = client.get("/api/evaluation/knn/hardest").json()["queries"]
    shown = page.eval_on_selector_all(".hardest .pair", "all => all.map(one => one.dataset.id)")
    assert shown == [query["id"] for query in worst][:12]
    page.locator(".hardest .more button").click()
    assert page.locator(".hardest .pair").count() == len(worst)
    assert service.audit.result(240)["label_issues"]
    page.wait_for_selector(".audit .pair")
    issues = client.get("/api/audit").json()["label_issues"]
    shown = page.eval_on_selector_all(".audit .pair[data-id]", "all => all.map(one => one.dataset.id)")
    assert shown == [issue["id"] for issue in issues][:12]
    page.locator(".audit .more button >> nth=0").click()
    assert page.locator(".audit .pair[data-id]").count() == len(issues)
    page.locator(".contents").get_by_role("button", name="Duplicates").click()
    assert page.evaluate("document.activeElement.textContent") == "Duplicates"
    assert page.evaluate("scrollY") > 1000
    page.click("#view-errors table a >> nth=0")
    page.wait_for_selector("#cell .pair")


def test_all_views_work_by_keyboard(open_page, client, service):
    assert service.maps["umap"].result(300) is not None
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
    page.wait_for_selector(".selection .image")
    page.goto(f"{client.base_url}#evaluation")
    page.wait_for_selector(".matrix button")
    tab_to(".matrix button")
    page.keyboard.press("Enter")
    page.wait_for_selector("#cell .pair")
    assert page.evaluate("document.activeElement.id") == "cell-title"


@pytest.mark.parametrize("view", ["search", "map", "evaluation", "errors"])
def test_a_phone_needs_no_horizontal_scrolling(open_page, service, view):
    assert service.maps["umap"].result(300) is not None
    page = open_page(view, has_touch=True)
    page.set_viewport_size({"width": 390, "height": 844})
    page.wait_for_selector(
        {"search": ".image", "map": "canvas[data-ready]", "evaluation": ".matrix", "errors": ".pair"}[view]
    )
    page.wait_for_timeout(200)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


CENTRAL_POINT = """() => {
    const frame = document.querySelector('.canvas'), plot = frame.plot;
    const distance = (point) => {
        const at = plot.getScreenPosition(point);
        return at ? Math.hypot(at[0] - frame.clientWidth / 2, at[1] - frame.clientHeight / 2) : Infinity;
    };
    const points = [...Array(plot.get('points').length).keys()];
    return points.reduce((best, point) => (distance(point) < distance(best) ? point : best));
}"""


def test_touch_pans_zooms_and_draws_a_lasso(open_page, service):
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

    central = page.evaluate(CENTRAL_POINT)
    x, y = point_at(page, central)
    box = page.locator(".canvas").bounding_box()
    middle = np.array([box["x"] + box["width"] / 2, box["y"] + box["height"] / 2])
    whole = distance()
    move(line(middle, middle + np.array([60, 30])))
    moved = point_at(page, central)
    assert np.subtract(moved, (x, y)) == pytest.approx([60, 30], abs=8)
    assert distance() == pytest.approx(whole, rel=1e-6)
    between = np.array(moved)
    near, far = np.array([20, 0]), np.array([50, 0])
    move(line(between - near, between - far), line(between + near, between + far))
    assert distance() == pytest.approx(whole * 0.4, rel=0.02)
    assert point_at(page, central) == pytest.approx(moved, abs=3)
    assert page.evaluate("scrollX") == 0
    page.get_by_label("Show the whole map").click()
    page.get_by_role("button", name="Lasso").click()
    left, top, right, bottom = *(middle - 120), *(middle + 120)
    corners = [(left, top), (right, top), (right, bottom), (left, bottom), (left, top + 3)]
    move([place for pair in itertools.pairwise(corners) for place in line(*pair)])
    page.wait_for_selector(".selection .image")


def test_dark_mode_is_followed(open_page, service):
    page = drawn_map(open_page, service, color_scheme="dark")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(20, 23, 26)"
    assert page.evaluate("document.querySelector('.canvas').plot.get('backgroundColor')")[0] < 0.2
    page.emulate_media(color_scheme="light")
    page.wait_for_function("document.querySelector('.canvas').plot.get('backgroundColor')[0] > 0.9")
