import { getJSON, searchByImage, thumbnail } from "./api.js";
import { announce, count, decimal, make, showingErrors } from "./dom.js";
import { card, cards, fullSize } from "./images.js";

const N_SUGGESTIONS = 24;
const RERANKERS = { none: "none", expansion: "query expansion", reciprocal: "k-reciprocal" };

let view = null;

/** The search view. The query is an item, by `?id=`, or an image that is chosen, dropped or pasted. */
export function openSearch(section, shared, parameters) {
  view ??= build(section, shared);
  const id = parameters.get("id");
  if (id !== null && id !== view.id) view.searchItem(id);
}

function build(section, shared) {
  const { collection } = shared;
  const state = { id: null, image: null, request: null };

  const file = make("input", { type: "file", accept: "image/jpeg,image/png,image/bmp,image/gif,image/webp", onchange: () => file.files[0] && searchImage(file.files[0]) });
  const query = make("div", { class: "query", hidden: true });
  const drop = make(
    "div",
    { class: "drop" },
    query,
    make("div", {}, make("p", {}, "Drop, paste or choose an image, or click an image below."), make("label", { class: "file" }, file, make("span", {}, "Choose an image"))),
  );

  const k = make("input", { type: "number", id: "k", min: 1, max: Math.min(collection.limits.neighbors, collection.n_gallery), value: Math.min(12, collection.n_gallery), onchange: search });
  const filter = make(
    "select", { id: "filter", onchange: search },
    make("option", { value: "" }, "all classes"), collection.class_names.map((name) => make("option", { value: name }, name)),
  );
  const retrievers = checkboxes("Retrievers", Object.entries(collection.retrievers).map(([kind, description]) => [kind, kind, description]), search);
  const rerankers = checkboxes("Re-ranking", collection.rerankers.map((name) => [name, RERANKERS[name] ?? name, ""]), search);

  const results = make("div", { class: "results" });
  const suggestions = make("div", {});
  section.append(
    make("h1", { id: "search-title" }, "Search by image"),
    drop,
    make(
      "div", { class: "controls" },
      make("div", {}, make("label", { class: "label", for: "k" }, "Neighbors"), k),
      make("div", {}, make("label", { class: "label", for: "filter" }, "Class"), filter),
      retrievers.element, rerankers.element,
    ),
    results, suggestions,
  );
  suggest();

  drop.addEventListener("dragover", (event) => { event.preventDefault(); drop.classList.add("over"); });
  drop.addEventListener("dragleave", () => drop.classList.remove("over"));
  drop.addEventListener("drop", (event) => {
    event.preventDefault();
    drop.classList.remove("over");
    if (event.dataTransfer.files[0]) searchImage(event.dataTransfer.files[0]);
  });
  document.addEventListener("paste", (event) => {
    const pasted = [...(event.clipboardData?.files ?? [])].find((one) => one.type.startsWith("image/"));
    if (pasted && !section.hidden) searchImage(pasted);
  });

  function searchItem(id) {
    Object.assign(state, { id, image: null });
    file.value = "";
    showQuery(thumbnail(id, 256), id, fullSize(id));
    search();
  }

  function searchImage(image) {
    Object.assign(state, { id: null, image });
    if (window.location.hash !== "#search") window.history.replaceState(null, "", "#search");
    const source = URL.createObjectURL(image);
    const preview = showQuery(source, image.name || "pasted image");
    for (const end of ["load", "error"]) preview.addEventListener(end, () => URL.revokeObjectURL(source), { once: true });
    search();
  }

  async function search() {
    if (state.id === null && state.image === null) return;
    state.request?.abort();
    const request = (state.request = new AbortController());
    const parameters = { k: k.value, by: methods(), class: filter.value ? [filter.value] : [] };
    results.setAttribute("aria-busy", "true");
    shared.query = null;
    announce("");
    await showingErrors(results, async () => {
      if (!k.checkValidity() || k.value === "") throw new Error(`Neighbors must be an integer from 1 to ${k.max}.`);
      if (state.image !== null && state.image.size > collection.limits.upload_bytes) {
        throw new Error(`The file is too large; the limit is ${collection.limits.upload_bytes.toLocaleString("en")} bytes.`);
      }
      const response = state.id !== null
        ? await getJSON("search", { id: state.id, ...parameters }, { signal: request.signal })
        : await searchByImage(state.image, parameters, request.signal).catch((error) => { throw withFileName(error, state.image); });
      if (request.signal.aborted) return;
      shared.query = { ...response, image: state.image };
      query.querySelector(".query-class").textContent = response.label ? ` · ${response.label}` : "";
      results.replaceChildren(make("div", { class: "columns-of-results" }, response.results.map((result) => resultColumn(result, response.label))));
      announce(count(response.results[0].hits.length, "result"));
    });
    if (state.request !== request) return;
    results.removeAttribute("aria-busy");
    suggestions.hidden = results.querySelector(".columns-of-results") !== null;
  }

  function methods() {
    return retrievers.selected().flatMap((kind) => rerankers.selected().map((reranker) => (reranker === "none" ? kind : `${kind}:${reranker}`)));
  }

  /** Show the query; if the browser cannot decode the image, only its name. */
  function showQuery(source, name, ...more) {
    const image = make("img", { src: source, alt: `The query: ${name}`, onerror: () => { image.hidden = true; } });
    query.replaceChildren(image, make("small", { class: "query-name" }, name, make("span", { class: "query-class" }), " "), ...more);
    query.hidden = false;
    return image;
  }

  async function suggest() {
    await showingErrors(suggestions, async () => {
      const items = await shared.loadItems();
      const suggested = sample(items.ids.length, N_SUGGESTIONS).map((row) => ({ id: items.ids[row], label: collection.class_names[items.labels[row]] }));
      suggestions.replaceChildren(
        make("h2", {}, "From the gallery"),
        cards(suggested.map((item) => card(item))),
        make("p", {}, make("button", { type: "button", style: { "margin-top": "1rem" }, onclick: suggest }, "Show others")),
      );
    });
  }

  return { searchItem, get id() { return state.id; } };
}

/** Prefix an upload error with the file name. */
function withFileName(error, file) {
  return error.name === "AbortError" ? error : new Error(`${file.name || "The pasted image"}: ${error.message}`);
}

/** The hits of one retriever and re-ranker. */
function resultColumn(result, label) {
  const reranked = result.reranker !== "none";
  const method = reranked ? `${result.retriever}, ${result.reranker}` : result.retriever;
  const title = reranked ? `${result.retriever}, ${RERANKERS[result.reranker] ?? result.reranker}` : result.retriever;
  const list = result.hits.map((hit) =>
    card(hit, [`${hit.rank} · ${decimal(hit.distance, 4)}`], label ? hit.label === label : null),
  );
  const vote = result.vote ? `Majority ${result.vote}; ` : "";
  return make(
    "section", { class: "result", "data-method": method },
    make("header", {}, make("h2", {}, title), make("small", {}, `${vote}${result.metric} distance, ${decimal(result.search_ms, 1)} ms`)),
    list.length ? cards(list) : make("p", {}, "No results."),
  );
}

/** Check boxes, at least one of which stays checked. */
function checkboxes(title, choices, changed) {
  const inputs = choices.map(([value], i) =>
    make("input", { type: "checkbox", value, checked: i === 0, onchange: (event) => {
      if (inputs.some((input) => input.checked)) { changed(); return; }
      event.target.checked = true;
      announce(`${title}: at least one must be selected`);
    } }),
  );
  const labels = choices.map(([, name, description], i) => make("label", { title: description || null }, inputs[i], name));
  return {
    element: make("fieldset", {}, make("legend", {}, title), make("div", { class: "choices" }, labels)),
    selected: () => inputs.filter((input) => input.checked).map((input) => input.value),
  };
}

/** A random sample of `size` distinct integers below n, or all. */
function sample(n, size) {
  const rows = new Set();
  while (rows.size < Math.min(n, size)) rows.add(Math.floor(Math.random() * n));
  return [...rows];
}
