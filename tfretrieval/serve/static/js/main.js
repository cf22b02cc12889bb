import { getJSON } from "./api.js";
import { announce, make } from "./dom.js";
import { openErrors } from "./errors.js";
import { openEvaluation } from "./evaluation.js";
import { openMap } from "./map.js";
import { openSearch } from "./search.js";

const VIEWS = { search: openSearch, map: openMap, evaluation: openEvaluation, errors: openErrors };

/** State shared by all views: the collection, its items once loaded, and the last search response. */
const shared = { collection: null, query: null, items: null };

let currentView = null;

async function start() {
  try {
    shared.collection = await getJSON("collection");
  } catch (error) {
    document.getElementById("content").replaceChildren(make("p", { class: "problem", role: "alert" }, error.message));
    return;
  }
  shared.loadItems = () => (shared.items ??= getJSON("items"));
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
  if (currentView !== null && currentView !== view) {
    document.getElementById("content").focus({ preventScroll: true });
    window.scrollTo(0, 0);
    announce(`${view} view`);
  }
  currentView = view;
}

start();
