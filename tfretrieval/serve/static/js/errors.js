import { ask } from "./api.js";
import { count, decimal, make, showingErrors } from "./dom.js";
import { pairsOf } from "./pairs.js";

let built = false;

/** The view of what went wrong: the hardest queries, the most confused pairs. */
export function openErrors(section, shared) {
  if (built) return;
  built = true;
  const { evaluated } = shared.collection;
  const retriever = make("select", { id: "errors-of", onchange: load }, evaluated.map((kind) => make("option", { value: kind }, kind)));
  const body = make("div", {});
  section.append(
    make("h1", { id: "errors-title" }, "Errors first"),
    evaluated.length
      ? make("div", { class: "controls" }, make("div", {}, make("label", { class: "label", for: "errors-of" }, "Retriever"), retriever))
      : make("p", {}, "Nothing was measured of this collection."),
    body,
  );
  if (evaluated.length) load();

  async function load() {
    const kind = retriever.value;
    await showingErrors(body, async () => {
      const [pairs, worst] = await Promise.all([ask(`evaluation/${kind}/pairs`, { n: 12 }), ask(`evaluation/${kind}/hardest`, { n: 24 })]);
      if (kind !== retriever.value) return;
      body.replaceChildren(
        make("h2", {}, "Confused pairs"), pairTable(kind, pairs.pairs),
        make("h2", {}, "Hardest queries"),
        make("p", { class: "muted" }, "The queries of least average precision, the worst first, each with its nearest neighbour."),
        make("div", { class: "hardest" }, pairsOf(worst.queries)),
      );
    });
  }
}

function pairTable(kind, pairs) {
  if (!pairs.length) return make("p", {}, "No query has a nearest neighbour of another class.");
  return make("div", { class: "scroll" }, make(
    "table", {},
    make("thead", {}, make("tr", {}, ["Query", "Nearest", "Queries", "Share", "Pictures"].map((name) => make("th", { scope: "col" }, name)))),
    make("tbody", {}, pairs.map((pair) => make(
      "tr", {}, make("th", { scope: "row" }, pair.label), make("td", {}, pair.nearest_label), make("td", {}, String(pair.count)), make("td", {}, `${decimal(100 * pair.share, 1)} %`),
      make("td", {}, make("a", { href: `#evaluation?${new URLSearchParams({ retriever: kind, class: pair.label, nearest: pair.nearest_label })}`, "aria-label": `Show ${count(pair.count, "query", "queries")} of ${pair.label} taken for ${pair.nearest_label}` }, "Show")),
    ))),
  ));
}
