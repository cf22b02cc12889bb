import { getBytes, getJSON, searchByImage, thumbnail } from "./api.js";
import { announce, count, make, showingErrors } from "./dom.js";
import { directRenderer } from "./renderer.js";
import { card, cards } from "./images.js";
import { color, isDark, onThemeChange, palette, token } from "./theme.js";
import { addTouchGestures } from "./touch.js";
import createScatterplot from "../vendor/scatterplot.js";

const NAMES = { umap: "UMAP", tsne: "t-SNE" };
const MAX_IMAGES = 60; // of a selection
const POLL_INTERVAL = 700; // milliseconds
const PAN_STEP = 0.15; // of the width
const ZOOM_FACTOR = 1.4;
const MAX_NAMES = 40;

let view = null;

/** The map view. */
export function openMap(section, shared) {
  if (view === null) view = build(section, shared);
  else view.showQuery();
}

function build(section, shared) {
  const { collection } = shared;
  const state = { plot: null, rows: null, labels: null, points: null, items: null, selectedClass: null, mode: "panZoom", named: [], query: null };

  const method = make("select", { id: "method", onchange: load }, collection.maps.map((name) => make("option", { value: name }, NAMES[name] ?? name)));
  const lasso = make("button", { type: "button", "aria-pressed": "false", onclick: () => setMode(state.mode === "lasso" ? "panZoom" : "lasso") }, "Lasso");
  const tools = [
    ["+", "Zoom in", () => zoom(ZOOM_FACTOR)], ["−", "Zoom out", () => zoom(1 / ZOOM_FACTOR)], ["Fit", "Show the whole map", () => state.plot && fitView()],
  ].map(([text, name, onclick]) => make("button", { type: "button", "aria-label": name, title: name, onclick }, text));

  const canvas = make("canvas", { tabindex: 0, role: "img", "aria-describedby": "map-help" });
  const hint = make("div", { class: "hint", hidden: true });
  const marker = make("div", { class: "marker", hidden: true }, make("span", {}, "query"));
  const labels = make("div", { class: "labels", "aria-hidden": "true" });
  const message = make("p", { class: "state" }, "");
  const image = make("canvas", { class: "image", "aria-hidden": "true" });
  const frame = make("div", { class: "canvas" }, image, canvas, labels, marker, hint, message);
  const legend = make("ul", { class: "legend" });
  const selection = make("div", { class: "selection" });

  section.append(
    make("h1", { id: "map-title" }, "Map of the gallery"),
    make("p", { class: "muted", id: "map-help" }, "Drag to pan, scroll or pinch to zoom, click a point or draw a lasso to select. Keyboard: arrow keys pan, + and − zoom, 0 shows the whole map. Select a class to show its images. Close points are similar; distances between distant clusters are not meaningful."),
    make("div", { class: "controls" }, make("div", {}, make("label", { class: "label", for: "method" }, "Projection"), method), make("div", { class: "choices" }, lasso, tools)),
    make("div", { class: "mapping" }, frame, make("div", {}, make("h3", {}, "Classes"), legend)),
    selection,
  );
  canvas.addEventListener("keydown", onKey);
  onThemeChange(() => { if (state.plot) { state.plot.set({ backgroundColor: token("--page"), pointColor: colors() }); drawLegend(); } });
  load();

  async function load() {
    const name = method.value;
    await showingErrors(message, async () => {
      message.hidden = false;
      message.textContent = `Computing the map of ${count(collection.n_gallery, "image")}. This takes a while the first time.`;
      let result = await getJSON(`map/${name}`);
      while (result.state === "running") {
        await new Promise((done) => setTimeout(done, POLL_INTERVAL));
        if (method.value !== name) return;
        result = await getJSON(`map/${name}`);
      }
      if (result.state === "failed") throw new Error(result.error);
      const [data, items] = await Promise.all([getBytes(`map/${name}/points`), shared.loadItems()]);
      if (method.value !== name) return;
      state.items = items;
      state.rows = new Int32Array(data, 0, result.n);
      state.points = new Float32Array(data, 4 * result.n, 2 * result.n);
      await showQuery();
      message.hidden = true;
      canvas.dataset.ready = name;
      canvas.setAttribute("aria-label", `${NAMES[name]} of ${count(result.n, "image")} in ${count(collection.class_names.length, "class", "classes")}`);
      announce(`${NAMES[name]} map loaded`);
    });
  }

  async function draw() {
    const n = state.rows.length;
    state.plot ??= createPlot(n);
    const position = queryPosition();
    const total = n + (position ? 1 : 0);
    const [x, y, category] = [new Float32Array(total), new Float32Array(total), new Float32Array(total)];
    for (let i = 0; i < n; i++) {
      x[i] = state.points[2 * i];
      y[i] = state.points[2 * i + 1];
      category[i] = categoryOf(i);
    }
    if (position) [x[n], y[n], category[n]] = [position[0], position[1], collection.class_names.length];
    state.query = position ? n : null;
    await state.plot.draw({ x, y, valueA: category }, { zDataType: "categorical" });
    state.named = classCenters();
    labels.replaceChildren(...state.named.map(([name]) => make("span", {}, name)));
    state.named.forEach((named, i) => named.push(labels.children[i].offsetWidth / 2)); // half the width, to keep names inside the frame
    drawLegend();
    fitView();
  }

  /** The point nearest to the median of each class, where its name is written. */
  function classCenters() {
    return collection.class_names.slice(0, MAX_NAMES).flatMap((name, label) => {
      const points = [];
      for (let i = 0; i < state.rows.length; i++) if (categoryOf(i) === label) points.push(i);
      if (!points.length) return [];
      const median = [0, 1].map((axis) => points.map((point) => state.points[2 * point + axis]).sort((a, b) => a - b)[points.length >> 1]);
      const distance = (point) => Math.hypot(state.points[2 * point] - median[0], state.points[2 * point + 1] - median[1]);
      return [[name, points.reduce((best, point) => (distance(point) < distance(best) ? point : best))]];
    });
  }

  /** Zoom to all points. */
  function fitView() {
    const [low, high] = [[Infinity, Infinity], [-Infinity, -Infinity]];
    state.points.forEach((value, i) => {
      low[i % 2] = Math.min(low[i % 2], value);
      high[i % 2] = Math.max(high[i % 2], value);
    });
    const margin = 0.06;
    state.plot.zoomToArea(
      { x: low[0] - margin, y: low[1] - margin, width: high[0] - low[0] + 2 * margin, height: high[1] - low[1] + 2 * margin }, { transition: false },
    ).then(moveMarker);
  }

  function createPlot(n) {
    const renderer = directRenderer(image, frame.clientWidth, frame.clientHeight);
    new ResizeObserver(() => { renderer.resize(frame.clientWidth, frame.clientHeight); plot.redraw(); }).observe(frame);
    const plot = createScatterplot({
      canvas, renderer, width: "auto", height: "auto", backgroundColor: token("--page"), pointColor: colors(), colorBy: "valueA",
      pointSize: n > 20000 ? 2 : n > 4000 ? 4 : 6, pointSizeSelected: 2, opacity: n > 20000 ? 0.7 : 0.85, lassoMinDelay: 5,
      lassoInitiator: false, spatialIndexUseWorker: false, lassoColor: token("--accent"), pointColorHover: token("--ink"), performanceMode: n > 20000,
      deselectOnEscape: true, actionKeyMap: { lasso: ["shift"], merge: ["ctrl", "meta"], remove: ["alt"] },
    });
    plot.subscribe("pointOver", showHint);
    plot.subscribe("pointOut", () => { hint.hidden = true; });
    plot.subscribe("select", ({ points }) => showSelection(points.filter((point) => point !== state.query)));
    plot.subscribe("deselect", () => showSelection([]));
    plot.subscribe("lassoEnd", () => setMode("panZoom"));
    plot.subscribe("view", moveMarker);
    addTouchGestures(canvas, plot);
    frame.plot = plot;
    return plot;
  }

  /** Index of a point's color: its class; items without a class come after the query's color. */
  function categoryOf(point) {
    const label = state.items.labels[state.rows[point]];
    return label < 0 ? collection.class_names.length + 1 : label;
  }

  function colors() {
    const gray = isDark() ? "#8a939c" : "#7d868f";
    return [...collection.class_names.map((_, label) => color(label)), token("--ink"), gray];
  }

  function drawLegend() {
    legend.replaceChildren(...collection.class_names.map((name, label) => make(
      "li", {},
      make(
        "button", { type: "button", "aria-pressed": String(state.selectedClass === label), onclick: () => selectClass(label) },
        make("i", { style: { background: palette()[label % palette().length] } }), name, make("small", {}, collection.class_counts[label].toLocaleString("en")),
      ),
    )));
  }

  function selectClass(label) {
    if (state.plot === null) return;
    if (state.selectedClass === label) { state.plot.deselect(); return; }
    const points = [];
    for (let i = 0; i < state.rows.length; i++) if (categoryOf(i) === label) points.push(i);
    state.plot.select(points, { preventEvent: true });
    showSelection(points, label);
  }

  function showSelection(points, label = null) {
    state.selectedClass = label;
    drawLegend();
    if (points.length === 0) { selection.replaceChildren(); return; }
    const items = points.slice(0, MAX_IMAGES).map((point) => itemOf(point));
    const more = points.length > MAX_IMAGES ? `, the first ${MAX_IMAGES} shown` : "";
    selection.replaceChildren(make("h2", {}, `${count(points.length, "image")} selected${more}`), cards(items.map((item) => card(item))));
    announce(`${count(points.length, "image")} selected`);
  }

  function itemOf(point) {
    const row = state.rows[point];
    return { id: state.items.ids[row], label: collection.class_names[state.items.labels[row]] ?? null };
  }

  function showHint(point) {
    if (point === state.query) return;
    const item = itemOf(point);
    const [x, y] = state.plot.getScreenPosition(point);
    hint.replaceChildren(make("img", { src: thumbnail(item.id), alt: "" }), make("strong", {}, item.label ?? "no class"), make("div", {}, item.id));
    hint.hidden = false;
    hint.style.left = `${Math.min(Math.max(0, x + 14), frame.clientWidth - 160)}px`;
    hint.style.top = `${y + 230 > frame.clientHeight ? Math.max(0, y - 220) : y + 14}px`;
  }

  function queryPosition() {
    return shared.query?.positions?.[method.value] ?? null;
  }

  /** Show the query on the map; search again if the map was not ready at the time of the search. */
  async function showQuery() {
    if (state.rows === null) return;
    if (shared.query && !queryPosition()) {
      const { id, image } = shared.query;
      const response = await (image ? searchByImage(image, { k: 5 }) : getJSON("search", { id, k: 5 })).catch(() => null);
      if (response) shared.query.positions = response.positions;
    }
    state.plot?.deselect();
    await draw();
  }

  function moveMarker() {
    const position = state.query !== null ? state.plot.getScreenPosition(state.query) : null;
    state.named.forEach(([, point, half], i) => {
      const at = state.plot.getScreenPosition(point);
      labels.children[i].hidden = !at;
      if (!at) return;
      const left = Math.max(half, Math.min(at[0], frame.clientWidth - half));
      [labels.children[i].style.left, labels.children[i].style.top] = [`${left}px`, `${at[1]}px`];
    });
    marker.hidden = !position;
    if (position) [marker.style.left, marker.style.top] = [`${position[0]}px`, `${position[1]}px`];
  }

  function setMode(mode) {
    state.mode = mode;
    lasso.setAttribute("aria-pressed", String(mode === "lasso"));
    state.plot?.set({ mouseMode: mode });
  }

  function zoom(factor) {
    const plot = state.plot;
    if (plot) plot.zoomToLocation(plot.get("cameraTarget"), plot.get("cameraDistance") / factor, { transition: false });
  }

  function onKey(event) {
    const plot = state.plot;
    const moves = { ArrowLeft: [-PAN_STEP, 0], ArrowRight: [PAN_STEP, 0], ArrowUp: [0, PAN_STEP], ArrowDown: [0, -PAN_STEP] };
    if (plot === null || event.altKey || event.ctrlKey || event.metaKey) return;
    if (event.key in moves) {
      const [[x, y], distance] = [plot.get("cameraTarget"), plot.get("cameraDistance")];
      const [dx, dy] = moves[event.key];
      plot.zoomToLocation([x + dx * distance, y + dy * distance], distance, { transition: false });
    } else if (event.key === "+" || event.key === "=") zoom(ZOOM_FACTOR);
    else if (event.key === "-") zoom(1 / ZOOM_FACTOR);
    else if (event.key === "0") fitView();
    else return;
    event.preventDefault();
  }

  return { showQuery };
}
