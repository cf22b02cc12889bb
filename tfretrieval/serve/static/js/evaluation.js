import { getJSON } from "./api.js";
import { count, decimal, make, showingErrors } from "./dom.js";
import { queryList } from "./queries.js";
import { color, isDark, onThemeChange } from "./theme.js";

const METRICS = [["precision_at_1", "P@1"], ["precision_at_3", "P@3"], ["precision_at_5", "P@5"], ["precision_at_10", "P@10"], ["map", "mAP"], ["map_at_r", "MAP@R"], ["r_precision", "R-precision"], ["mrr", "MRR"], ["knn_accuracy", "KNN accuracy"]];

let view = null;

/** The evaluation view: `?retriever=`, and `class=` and `nearest=` of a cell of the confusion matrix. */
export function openEvaluation(section, shared, parameters) {
  view ??= build(section, shared);
  view.show(parameters);
}

function build(section, shared) {
  const { evaluated } = shared.collection;
  const retriever = make("select", { id: "evaluated", onchange: () => { window.location.hash = `evaluation?retriever=${retriever.value}`; } }, evaluated.map((kind) => make("option", { value: kind }, kind)));
  const body = make("div", {});
  section.append(
    make("h1", { id: "evaluation-title" }, "Evaluation"),
    make("div", { class: "controls" }, make("div", {}, make("label", { class: "label", for: "evaluated" }, "Retriever"), retriever)),
    body,
  );
  if (!evaluated.length) body.replaceChildren(make("p", {}, "This collection has no evaluation: no query has a class of the gallery."));
  let current = null; // retriever of `evaluation`
  let evaluation = null;
  onThemeChange(() => { if (evaluation) draw(); });

  async function show(parameters) {
    if (!evaluated.length) return;
    retriever.value = evaluated.includes(parameters.get("retriever")) ? parameters.get("retriever") : evaluated[0];
    await showingErrors(body, async () => {
      if (current !== retriever.value) {
        evaluation = await getJSON(`evaluation/${retriever.value}`);
        current = retriever.value;
        draw();
      }
      if (parameters.has("class")) await showCell(parameters.get("class"), parameters.get("nearest"));
    });
  }

  function draw() {
    body.replaceChildren(
      summary(evaluation),
      make("div", { class: "columns" }, make("div", {}, make("h2", {}, "Confusion matrix"), matrix()), make("div", {}, make("h2", {}, "Precision-recall by class"), curves(evaluation, shared.collection.class_names))),
      make("div", { class: "cell", id: "cell" }),
      make("h2", {}, "Metrics by class"), classTable(evaluation),
    );
  }

  async function showCell(label, nearest) {
    const cell = document.getElementById("cell");
    for (const button of body.querySelectorAll(".matrix button")) {
      button.setAttribute("aria-pressed", String(button.dataset.label === label && button.dataset.nearest === nearest));
    }
    await showingErrors(cell, async () => {
      const result = await getJSON(`evaluation/${current}/confused`, { class: label, nearest, n: 60 });
      const title = label === nearest ? `${label}, correct` : `${label} with nearest neighbor ${nearest}`;
      const more = result.total > result.queries.length ? `, the ${result.queries.length} nearest shown` : "";
      cell.replaceChildren(make("h2", { tabindex: -1, id: "cell-title" }, `${title}: ${count(result.total, "query", "queries")}${more}`), queryList(result.queries));
      document.getElementById("cell-title").focus();
    });
  }

  function matrix() {
    const names = evaluation.class_names;
    const totals = evaluation.confusion.map((row) => Math.max(1, row.reduce((a, b) => a + b, 0)));
    const rows = evaluation.confusion.map((row, i) => make(
      "tr", {}, make("th", { scope: "row" }, names[i]),
      row.map((n, j) => make("td", {}, make(
        "button",
        {
          type: "button", disabled: n === 0, "data-label": names[i], "data-nearest": names[j], "aria-pressed": "false", style: shade(n / totals[i]),
          "aria-label": `${count(n, "query", "queries")} of ${names[i]}, ${percent(n / totals[i])} of the row, nearest neighbor ${names[j]}`,
          onclick: () => { window.location.hash = `evaluation?${new URLSearchParams({ retriever: current, class: names[i], nearest: names[j] })}`; },
        },
        String(n), make("small", {}, percent(n / totals[i])),
      ))),
    ));
    return make(
      "div", { class: "scroll" },
      make("table", { class: "matrix" }, make("caption", {}, "Rows: true class. Columns: class of the nearest neighbor. Each cell: number of queries and share of the row. Select a cell to see its queries."),
        make("thead", {}, make("tr", {}, make("th", {}, ""), names.map((name) => make("th", { scope: "col" }, name)))), make("tbody", {}, rows)),
    );
  }

  return { show };
}

const percent = (share) => `${decimal(100 * share, 1)} %`;

/** Background and text color of a cell by its share of the row. */
function shade(share) {
  const dark = isDark();
  const intensity = Math.round(Math.sqrt(share) * 100);
  const ground = dark ? "#1d2226" : "#ffffff";
  const full = dark ? "#7cc4f0" : "#00598c";
  const inked = share > 0.3 ? (dark ? "#0c1f2c" : "#ffffff") : dark ? "#e6e9ec" : "#1b1f24";
  const mixed = share > 0.3 ? Math.max(intensity, 85) : Math.min(intensity, dark ? 35 : 45);
  return { "--cell": `color-mix(in srgb, ${full} ${mixed}%, ${ground})`, "--cell-ink": inked };
}

function summary(evaluation) {
  const known = METRICS.filter(([name]) => name in evaluation.metrics);
  return make(
    "div", {},
    make("p", { class: "muted" }, `${count(evaluation.n_queries, "query", "queries")} against ${count(evaluation.n_gallery, "gallery item")}, ${count(evaluation.dim, "dimension")}. Chance precision ${decimal(evaluation.chance_precision)}. Below each metric: its 95 % interval.`),
    make("dl", { class: "facts" }, known.map(([name, short]) => {
      const interval = evaluation.intervals[name];
      return make("div", {}, make("dt", {}, short), make("dd", {}, decimal(evaluation.metrics[name]), interval ? make("small", {}, `${decimal(interval[0])} to ${decimal(interval[1])}`) : null));
    })),
  );
}

function classTable(evaluation) {
  const columns = [["n_queries", "Queries", 0], ["n_gallery", "Gallery", 0], ["precision_at_1", "P@1", 3], ["map", "mAP", 3], ["ap", "AP (pooled)", 3]];
  return make(
    "div", { class: "scroll", tabindex: 0, role: "region", "aria-label": "Metrics by class" },
    make("table", {}, make("thead", {}, make("tr", {}, make("th", { scope: "col" }, "Class"), columns.map(([, name]) => make("th", { scope: "col" }, name)))),
      make("tbody", {}, Object.entries(evaluation.per_class).map(([name, row]) => make("tr", {}, make("th", { scope: "row" }, name), columns.map(([key, , digits]) => make("td", {}, decimal(row[key], digits))))))),
  );
}

/** Dash pattern of a class; differs between classes of the same color. */
const dashes = (label) => ["", "10 3", "3 3", "10 3 3 3"][(label + Math.floor(label / 4)) % 4];

/** Line sample of a class, for the legend. */
const swatch = (label) => svg("svg", { class: "swatch", viewBox: "0 0 32 8", "aria-hidden": "true" }, svg("line", { x1: 0, x2: 32, y1: 4, y2: 4, stroke: color(label), "stroke-dasharray": dashes(label) }));

function svg(tag, attributes, ...children) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

/** Precision-recall curves with a legend that highlights one. */
function curves(evaluation, classNames) {
  const [width, height, left, bottom] = [640, 440, 76, 48];
  const x = (recall) => left + recall * (width - left - 10);
  const y = (precision) => 10 + (1 - precision) * (height - bottom - 10);
  const lines = Object.entries(evaluation.curves).map(([name, points]) => {
    const label = Math.max(0, classNames.indexOf(name));
    return svg("polyline", { points: points.map(([recall, precision]) => `${x(recall).toFixed(1)},${y(precision).toFixed(1)}`).join(" "), stroke: color(label), "stroke-dasharray": dashes(label), "data-class": name });
  });
  const ticks = [0, 0.25, 0.5, 0.75, 1];
  const plot = svg(
    "svg", { class: "curves", viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": "Precision against recall, one curve per class; the table by class has the average precision of each" },
    ...ticks.map((t) => svg("line", { class: "grid", x1: x(0), x2: x(1), y1: y(t), y2: y(t) })),
    ...ticks.map((t) => svg("text", { x: left - 8, y: y(t) + 4, "text-anchor": "end" }, String(t))),
    ...ticks.map((t) => svg("text", { x: x(t), y: height - 26, "text-anchor": "middle" }, String(t))),
    svg("text", { x: x(0.5), y: height - 3, "text-anchor": "middle" }, "recall"),
    svg("text", { x: 12, y: y(0.5), "text-anchor": "middle", transform: `rotate(-90 12 ${y(0.5)})` }, "precision"),
    svg("line", { class: "chance", x1: x(0), x2: x(1), y1: y(evaluation.chance_precision), y2: y(evaluation.chance_precision) }),
    svg("text", { x: x(0) + 6, y: y(evaluation.chance_precision) - 5 }, "chance"),
    ...lines,
  );
  const buttons = Object.keys(evaluation.curves).map((name) => make(
    "li", {},
    make("button", { type: "button", "aria-pressed": "false", onclick: (event) => {
      const on = event.currentTarget.getAttribute("aria-pressed") !== "true";
      for (const button of buttons) button.firstChild.setAttribute("aria-pressed", "false");
      event.currentTarget.setAttribute("aria-pressed", String(on));
      for (const line of lines) line.classList.toggle("faint", on && line.dataset.class !== name);
    } }, swatch(Math.max(0, classNames.indexOf(name))), name, make("small", {}, `AP ${decimal(evaluation.per_class[name]?.ap)}`)),
  ));
  return make("div", {}, plot, make("ul", { class: "legend", style: { display: "grid", "grid-template-columns": "repeat(auto-fill, minmax(13rem, 1fr))" } }, buttons));
}
