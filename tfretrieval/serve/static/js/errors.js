import { getJSON } from "./api.js";
import { breakable, count, decimal, make, showingErrors } from "./dom.js";
import { card, cards } from "./images.js";
import { queryPair } from "./queries.js";

const POLL_INTERVAL = 1000; // milliseconds
const PAGE_SIZE = 12; // entries of a list before "more"

let built = false;

/** The view of retrieval errors and data issues: confused pairs, hardest queries, label issues, duplicates. */
export function openErrors(section, shared) {
  if (built) return;
  built = true;
  const { evaluated } = shared.collection;
  const retriever = make("select", { id: "errors-retriever", onchange: loadErrors }, evaluated.map((kind) => make("option", { value: kind }, kind)));
  const errors = make("div", {});
  const audit = make("div", { class: "audit" });
  const contents = make("ul", { class: "contents", "aria-label": "Contents of this view" });
  section.append(
    make("h1", { id: "errors-title" }, "Errors"),
    evaluated.length
      ? make("div", { class: "controls" }, make("div", {}, make("label", { class: "label", for: "errors-retriever" }, "Retriever"), retriever))
      : make("p", {}, "This collection has no evaluation."),
    contents, errors, audit,
  );
  if (evaluated.length) loadErrors();
  showingErrors(audit, loadAudit);

  async function loadAudit() {
    let result = await getJSON("audit");
    while (result.state === "running") {
      audit.replaceChildren(make("h2", {}, "Audit"), make("p", { class: "muted" }, "Checking labels and duplicates. This takes a while."));
      await new Promise((done) => setTimeout(done, POLL_INTERVAL));
      result = await getJSON("audit");
    }
    if (result.state === "failed") throw new Error(result.error);
    audit.replaceChildren(
      make("h2", {}, "Label issues"),
      make("p", { class: "muted" }, result.label_issues.length ? `${count(result.n_label_issues, "label issue")}, highest score first, each with similar images of the suggested class.` : "None."),
      ...firstOf(result.label_issues.map(labelIssue)),
      make("h2", {}, "Duplicates"),
      make("p", { class: "muted" }, result.duplicates.length ? "Equal files and near duplicates." : "None."),
      ...firstOf(result.duplicates.map(duplicateGroup)),
    );
    listContents();
  }

  async function loadErrors() {
    const kind = retriever.value;
    await showingErrors(errors, async () => {
      const [{ pairs }, { queries }] = await Promise.all([getJSON(`evaluation/${kind}/pairs`, { n: 12 }), getJSON(`evaluation/${kind}/hardest`, { n: 24 })]);
      if (kind !== retriever.value) return;
      errors.replaceChildren(
        make("h2", {}, "Confused pairs"), pairTable(kind, pairs),
        make("h2", {}, "Hardest queries"),
        make("p", { class: "muted" }, "Queries with the lowest average precision, each with its nearest neighbor."),
        make("div", { class: "hardest" }, ...firstOf(queries.map(queryPair))),
      );
      listContents();
    });
  }

  /** Buttons that scroll to the headings of the view. */
  function listContents() {
    contents.replaceChildren(...[...section.querySelectorAll("h2")].map((heading) => {
      heading.tabIndex = -1;
      return make("li", {}, make("button", { type: "button", onclick: () => { heading.scrollIntoView(); heading.focus({ preventScroll: true }); } }, heading.textContent));
    }));
  }
}

/** The first entries of a list, and a button that shows the others. */
function firstOf(entries) {
  const list = make("ul", { class: "pairs" }, entries.slice(0, PAGE_SIZE));
  if (entries.length <= PAGE_SIZE) return [list];
  const more = make("button", { type: "button", onclick: () => {
    list.append(...entries.slice(PAGE_SIZE));
    entries[PAGE_SIZE].querySelector("button").focus();
    more.parentElement.remove();
  } }, `${entries.length - PAGE_SIZE} more`);
  return [list, make("p", { class: "more" }, more)];
}

function pairTable(kind, pairs) {
  if (!pairs.length) return make("p", {}, "Every nearest neighbor has the class of its query.");
  return make("div", { class: "scroll" }, make(
    "table", {},
    make("thead", {}, make("tr", {}, ["Query", "Nearest", "Queries", "Share of class"].map((name) => make("th", { scope: "col", class: name === "Nearest" ? "text" : null }, name)))),
    make("tbody", {}, pairs.map((pair) => make(
      "tr", {}, make("th", { scope: "row" }, pair.label), make("td", { class: "text" }, pair.nearest_label),
      make("td", {}, make("a", { href: `#evaluation?${new URLSearchParams({ retriever: kind, class: pair.label, nearest: pair.nearest_label })}`, "aria-label": `Show ${count(pair.count, "query", "queries")} of ${pair.label} with nearest neighbor ${pair.nearest_label}` }, String(pair.count))),
      make("td", {}, `${decimal(100 * pair.share, 1)} %`),
    ))),
  ));
}

function labelIssue(issue) {
  return make(
    "li", { class: "pair", "data-id": issue.id },
    cards([card({ id: issue.id, label: issue.label }, ["given label"]), ...issue.neighbors.slice(0, 3).map((item) => card(item, ["similar"]))]),
    make("p", {}, make("strong", {}, `${issue.label} → ${issue.suggested_label}? `), make("span", { class: "muted" }, `score ${decimal(issue.score)}`)),
  );
}

function duplicateGroup(group) {
  const differences = [group.labels_differ ? "different labels" : null, group.splits_differ ? "different splits (leak)" : null].filter(Boolean);
  return make(
    "li", { class: "pair" },
    cards(group.items.map((item) => card(item, [breakable(item.id)]))),
    make("p", {}, group.kind, differences.length ? make("strong", {}, `, ${differences.join(", ")}`) : null),
  );
}
