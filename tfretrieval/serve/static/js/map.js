import { ask, bytes, thumbnail, upload } from "./api.js";
import { announce, count, make, showingErrors } from "./dom.js";
import { directRenderer } from "./drawing.js";
import { listenToFingers } from "./fingers.js";
import { card, cards } from "./images.js";
import { color, isDark, onThemeChange, palette, token } from "./theme.js";
import createScatterplot from "../vendor/scatterplot.js";

const NAMES = { umap: "UMAP", tsne: "t-SNE" };
const SHOWN = 60;
const ASK_AGAIN = 700; // milliseconds
const STEP = 0.15; // of the width, an arrow key
const ZOOM = 1.4;
const MOST_NAMES = 40;

let view = null;

/** The view of the gallery in the plane. */
export function openMap(section, shared) {
  if (view === null) view = build(section, shared);
  else view.showQuery();
}

function build(section, shared) {
  const { collection } = shared;
  const state = { plot: null, rows: null, labels: null, points: null, items: null, chosen: null, mode: "panZoom", named: [], query: null };

  const method = make("select", { id: "method", onchange: load }, collection.maps.map((name) => make("option", { value: name }, NAMES[name] ?? name)));
  const lasso = make("button", { type: "button", "aria-pressed": "false", onclick: () => setMode(state.mode === "lasso" ? "panZoom" : "lasso") }, "Lasso");
  const tools = [
    ["+", "Zoom in", () => zoom(ZOOM)], ["−", "Zoom out", () => zoom(1 / ZOOM)], ["Whole", "Show the whole map", () => state.plot && showWhole()],
  ].map(([text, name, onclick]) => make("button", { type: "button", "aria-label": name, title: name, onclick }, text));

  const canvas = make("canvas", { tabindex: 0, role: "img", "aria-describedby": "map-help" });
  const hint = make("div", { class: "hint", hidden: true });
  const marker = make("div", { class: "marker", hidden: true }, make("span", {}, "query"));
  const labels = make("div", { class: "labels", "aria-hidden": "true" });
  const message = make("p", { class: "state" }, "");
  const image = make("canvas", { class: "image", "aria-hidden": "true" });
  const frame = make("div", { class: "canvas" }, image, canvas, labels, marker, hint, message);
  const legend = make("ul", { class: "legend" });
  const chosen = make("div", { class: "chosen" });

  section.append(
    make("h1", { id: "map-title" }, "Map of the gallery"),
    make("p", { class: "muted", id: "map-help" }, "Drag to move, scroll or pinch to zoom, click a point, or draw a lasso around many. With the keyboard: arrows move, + and − zoom, 0 shows all; a class of the list shows its images. Near points are alike; distances between far groups mean little."),
    make("div", { class: "controls" }, make("div", {}, make("label", { class: "label", for: "method" }, "Layout"), method), make("div", { class: "choices" }, lasso, tools)),
    make("div", { class: "mapping" }, frame, make("div", {}, make("h3", {}, "Classes"), legend)),
    chosen,
  );
  canvas.addEventListener("keydown", onKey);
  onThemeChange(() => { if (state.plot) { state.plot.set({ backgroundColor: token("--page"), pointColor: colors() }); drawLegend(); } });
  load();

  async function load() {
    const wanted = method.value;
    await showingErrors(message, async () => {
      message.hidden = false;
      message.textContent = `Laying out ${count(collection.n_gallery, "image")}. The first time this takes a while.`;
      let answer = await ask(`map/${wanted}`);
      while (answer.state === "working") {
        await new Promise((done) => setTimeout(done, ASK_AGAIN));
        if (method.value !== wanted) return;
        answer = await ask(`map/${wanted}`);
      }
      if (answer.state === "failed") throw new Error(answer.reason);
      const [data, items] = await Promise.all([bytes(`map/${wanted}/points`), shared.loadItems()]);
      if (method.value !== wanted) return;
      state.items = items;
      state.rows = new Int32Array(data, 0, answer.n);
      state.points = new Float32Array(data, 4 * answer.n, 2 * answer.n);
      await showQuery();
      message.hidden = true;
      canvas.dataset.ready = wanted;
      canvas.setAttribute("aria-label", `${NAMES[wanted]} of ${count(answer.n, "image")} in ${count(collection.class_names.length, "class", "classes")}`);
      announce(`${NAMES[wanted]} is drawn`);
    });
  }

  async function draw() {
    const n = state.rows.length;
    state.plot ??= createPlot(n);
    const place = queryPlace();
    const total = n + (place ? 1 : 0);
    const [x, y, kind] = [new Float32Array(total), new Float32Array(total), new Float32Array(total)];
    for (let i = 0; i < n; i++) {
      x[i] = state.points[2 * i];
      y[i] = state.points[2 * i + 1];
      kind[i] = kindOf(i);
    }
    if (place) [x[n], y[n], kind[n]] = [place[0], place[1], collection.class_names.length];
    state.query = place ? n : null;
    await state.plot.draw({ x, y, valueA: kind }, { zDataType: "categorical" });
    state.named = middles();
    labels.replaceChildren(...state.named.map(([name]) => make("span", {}, name)));
    state.named.forEach((named, i) => named.push(labels.children[i].offsetWidth / 2)); // names stay within the frame
    drawLegend();
    showWhole();
  }

  /** The point in the middle of each class, for its name to stand at. */
  function middles() {
    return collection.class_names.slice(0, MOST_NAMES).flatMap((name, label) => {
      const points = [];
      for (let i = 0; i < state.rows.length; i++) if (kindOf(i) === label) points.push(i);
      if (!points.length) return [];
      const middle = [0, 1].map((axis) => points.map((point) => state.points[2 * point + axis]).sort((a, b) => a - b)[points.length >> 1]);
      const distance = (point) => Math.hypot(state.points[2 * point] - middle[0], state.points[2 * point + 1] - middle[1]);
      return [[name, points.reduce((best, point) => (distance(point) < distance(best) ? point : best))]];
    });
  }

  /** Bring all points into the frame. */
  function showWhole() {
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
    plot.subscribe("select", ({ points }) => showChosen(points.filter((point) => point !== state.query)));
    plot.subscribe("deselect", () => showChosen([]));
    plot.subscribe("lassoEnd", () => setMode("panZoom"));
    plot.subscribe("view", moveMarker);
    listenToFingers(canvas, plot);
    frame.plot = plot;
    return plot;
  }

  /** The place of a class in the list of colors; what has no class comes last but for the query. */
  function kindOf(point) {
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
        "button", { type: "button", "aria-pressed": String(state.chosen === label), onclick: () => chooseClass(label) },
        make("i", { style: { background: palette()[label % palette().length] } }), name, make("small", {}, collection.class_counts[label].toLocaleString("en")),
      ),
    )));
  }

  function chooseClass(label) {
    if (state.plot === null) return;
    if (state.chosen === label) { state.plot.deselect(); return; }
    const points = [];
    for (let i = 0; i < state.rows.length; i++) if (kindOf(i) === label) points.push(i);
    state.plot.select(points, { preventEvent: true });
    showChosen(points, label);
  }

  function showChosen(points, label = null) {
    state.chosen = label;
    drawLegend();
    if (points.length === 0) { chosen.replaceChildren(); return; }
    const shown = points.slice(0, SHOWN).map((point) => itemOf(point));
    const more = points.length > SHOWN ? `, the first ${SHOWN} shown` : "";
    chosen.replaceChildren(make("h2", {}, `${count(points.length, "image")} selected${more}`), cards(shown.map((item) => card(item))));
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

  function queryPlace() {
    return shared.asked?.places?.[method.value] ?? null;
  }

  /** Put the query on the map; its place is asked for anew where the map was not ready when it was searched. */
  async function showQuery() {
    if (state.rows === null) return;
    if (shared.asked && !queryPlace()) {
      const { id, image } = shared.asked;
      const found = await (image ? upload(image, { k: 5 }) : ask("search", { id, k: 5 })).catch(() => null);
      if (found) shared.asked.places = found.places;
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
    const moves = { ArrowLeft: [-STEP, 0], ArrowRight: [STEP, 0], ArrowUp: [0, STEP], ArrowDown: [0, -STEP] };
    if (plot === null || event.altKey || event.ctrlKey || event.metaKey) return;
    if (event.key in moves) {
      const [[x, y], distance] = [plot.get("cameraTarget"), plot.get("cameraDistance")];
      const [dx, dy] = moves[event.key];
      plot.zoomToLocation([x + dx * distance, y + dy * distance], distance, { transition: false });
    } else if (event.key === "+" || event.key === "=") zoom(ZOOM);
    else if (event.key === "-") zoom(1 / ZOOM);
    else if (event.key === "0") showWhole();
    else return;
    event.preventDefault();
  }

  return { showQuery };
}
