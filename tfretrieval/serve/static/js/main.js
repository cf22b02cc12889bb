import { ask } from "./api.js";
import { announce, make } from "./dom.js";
import { openErrors } from "./errors.js";
import { openEvaluation } from "./evaluation.js";
import { openMap } from "./map.js";
import { openSearch } from "./search.js";

const VIEWS = { search: openSearch, map: openMap, evaluation: openEvaluation, errors: openErrors };

/** What all views share: the collection, its items once they are asked for, and the query that was asked last. */
const shared = { collection: null, asked: null, items: null };

let shown = null;

async function start() {
  try {
    shared.collection = await ask("collection");
  } catch (error) {
    document.getElementById("content").replaceChildren(make("p", { class: "problem", role: "alert" }, error.message));
    return;
  }
  shared.loadItems = () => (shared.items ??= ask("items"));
  document.getElementById("name").textContent = shared.collection.name;
  window.addEventListener("hashchange", show);
  show();
}

function show() {
  const [name, parameters] = window.location.hash.slice(1).split("?");
  const view = name in VIEWS ? name : "search";
  for (const key of Object.keys(VIEWS)) document.getElementById(`view-${key}`).hidden = key !== view;
  for (const link of document.querySelectorAll("nav a")) {
    if (link.dataset.view === view) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  document.title = `${view[0].toUpperCase()}${view.slice(1)} – ${shared.collection.name}`;
  VIEWS[view](document.getElementById(`view-${view}`), shared, new URLSearchParams(parameters ?? ""));
  if (shown !== null && shown !== view) {
    document.getElementById("content").focus({ preventScroll: true });
    window.scrollTo(0, 0);
    announce(`${view} view`);
  }
  shown = view;
}

start();
