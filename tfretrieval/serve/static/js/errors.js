import { ask } from "./api.js";
import { breakable, count, decimal, make, showingErrors } from "./dom.js";
import { pairOf } from "./pairs.js";
import { card, cards } from "./images.js";

const ASK_AGAIN = 1000; // milliseconds
const AT_FIRST = 12; // pairs of a list

let built = false;

/** The view of what went wrong: the hardest queries, the most confused pairs. */
export function openErrors(section, shared) {
  if (built) return;
  built = true;
  const { evaluated } = shared.collection;
  const retriever = make("select", { id: "errors-of", onchange: load }, evaluated.map((kind) => make("option", { value: kind }, kind)));
  const body = make("div", {});
  const faults = make("div", { class: "faults" });
  const parts = make("ul", { class: "parts", "aria-label": "Parts of this view" });
  section.append(
    make("h1", { id: "errors-title" }, "Errors first"),
    evaluated.length
      ? make("div", { class: "controls" }, make("div", {}, make("label", { class: "label", for: "errors-of" }, "Retriever"), retriever))
      : make("p", {}, "Nothing was measured of this collection."),
    parts, body, faults,
  );
  if (evaluated.length) load();
  showingErrors(faults, loadFaults);

  async function loadFaults() {
    if (!shared.collection.audits) return;
    let answer = await ask("audit");
    while (answer.state === "working") {
      faults.replaceChildren(make("h2", {}, "The data itself"), make("p", { class: "muted" }, "Looking for wrong labels and for images that are there twice. This takes a while."));
      await new Promise((done) => setTimeout(done, ASK_AGAIN));
      answer = await ask("audit");
    }
    if (answer.state === "failed") throw new Error(answer.reason);
    faults.replaceChildren(
      make("h2", {}, "Labels that are probably wrong"),
      make("p", { class: "muted" }, answer.suspects.length ? `${count(answer.n_suspects, "label")} are doubtful; the worst come first, each with images of the class that it looks like.` : "None was found."),
      ...someOf(answer.suspects.map(suspect)),
      make("h2", {}, "Images that are there twice"),
      make("p", { class: "muted" }, answer.twins.length ? "Equal files, and images that show the same." : "None was found."),
      ...someOf(answer.twins.map(twins)),
    );
    listParts();
  }

  async function load() {
    const kind = retriever.value;
    await showingErrors(body, async () => {
      const [pairs, worst] = await Promise.all([ask(`evaluation/${kind}/pairs`, { n: 12 }), ask(`evaluation/${kind}/hardest`, { n: 24 })]);
      if (kind !== retriever.value) return;
      body.replaceChildren(
        make("h2", {}, "Confused pairs"), pairTable(kind, pairs.pairs),
        make("h2", {}, "Hardest queries"),
        make("p", { class: "muted" }, "The queries of least average precision, the worst first, each with its nearest neighbor."),
        make("div", { class: "hardest" }, ...someOf(worst.queries.map(pairOf))),
      );
      listParts();
    });
  }

  /** Links to the parts of the view, at its top. */
  function listParts() {
    parts.replaceChildren(...[...section.querySelectorAll("h2")].map((heading) => {
      heading.tabIndex = -1;
      return make("li", {}, make("button", { type: "button", onclick: () => { heading.scrollIntoView(); heading.focus({ preventScroll: true }); } }, heading.textContent));
    }));
  }
}

/** The first of a list of pairs, and a button that shows the others. */
function someOf(pairs) {
  const list = make("ul", { class: "pairs" }, pairs.slice(0, AT_FIRST));
  if (pairs.length <= AT_FIRST) return [list];
  const more = make("button", { type: "button", onclick: () => {
    list.append(...pairs.slice(AT_FIRST));
    pairs[AT_FIRST].querySelector("button").focus();
    more.parentElement.remove();
  } }, `${pairs.length - AT_FIRST} more`);
  return [list, make("p", { class: "more" }, more)];
}

function pairTable(kind, pairs) {
  if (!pairs.length) return make("p", {}, "No query has a nearest neighbor of another class.");
  return make("div", { class: "scroll" }, make(
    "table", {},
    make("thead", {}, make("tr", {}, ["Query", "Nearest", "Queries", "Share"].map((name) => make("th", { scope: "col", class: name === "Nearest" ? "text" : null }, name)))),
    make("tbody", {}, pairs.map((pair) => make(
      "tr", {}, make("th", { scope: "row" }, pair.label), make("td", { class: "text" }, pair.nearest_label),
      make("td", {}, make("a", { href: `#evaluation?${new URLSearchParams({ retriever: kind, class: pair.label, nearest: pair.nearest_label })}`, "aria-label": `Show ${count(pair.count, "query", "queries")} of ${pair.label} taken for ${pair.nearest_label}` }, String(pair.count))),
      make("td", {}, `${decimal(100 * pair.share, 1)} %`),
    ))),
  ));
}

function suspect(found) {
  return make(
    "li", { class: "pair", "data-id": found.id },
    cards([card({ id: found.id, label: found.label }, ["labelled so"]), ...found.neighbors.slice(0, 3).map((like) => card(like, ["looks like it"]))]),
    make("p", {}, make("strong", {}, `${found.label} → ${found.suggested}? `), make("span", { class: "muted" }, `score ${decimal(found.score)}`)),
  );
}

function twins(found) {
  const faults = [found.labels_differ ? "two labels" : null, found.splits_differ ? "two splits: a leak" : null].filter(Boolean);
  return make(
    "li", { class: "pair" },
    cards(found.items.map((item) => card(item, [breakable(item.id)]))),
    make("p", {}, found.kind, faults.length ? make("strong", {}, `, ${faults.join(", ")}`) : null),
  );
}
