import { ask, thumbnail, upload } from "./api.js";
import { announce, count, decimal, make, showingErrors } from "./dom.js";
import { card, cards, fullSize } from "./images.js";

const SUGGESTED = 24;
const ORDERS = { none: "as found", expansion: "query expansion", reciprocal: "k-reciprocal" };

let view = null;

/** The view that finds what is like an image. Its query is an item, by `?id=`, or an image that was dropped or pasted. */
export function openSearch(section, shared, parameters) {
  view ??= build(section, shared);
  const id = parameters.get("id");
  if (id !== null && id !== view.id) view.askItem(id);
}

function build(section, shared) {
  const { collection } = shared;
  const state = { id: null, image: null, running: null };

  const file = make("input", { type: "file", accept: "image/jpeg,image/png,image/bmp,image/gif,image/webp", onchange: () => file.files[0] && askImage(file.files[0]) });
  const asked = make("div", { class: "asked", hidden: true });
  const words = collection.accepts_uploads
    ? "Drop an image here, paste one, or choose a file. Or click any image below."
    : "This collection has no model: click an image below.";
  const drop = make(
    "div",
    { class: "drop" },
    asked,
    make("div", {}, make("p", {}, words), collection.accepts_uploads ? make("label", { class: "file" }, file, make("span", {}, "Choose an image")) : null),
  );

  const k = make("input", { type: "number", id: "k", min: 1, max: Math.min(collection.limits.neighbors, collection.n_gallery), value: Math.min(12, collection.n_gallery), onchange: again });
  const filter = make(
    "select", { id: "filter", onchange: again },
    make("option", { value: "" }, "all classes"), collection.class_names.map((name) => make("option", { value: name }, name)),
  );
  const retrievers = boxes("Retrievers", Object.entries(collection.retrievers).map(([kind, how]) => [kind, kind, how]), again);
  const rerankers = boxes("Order", collection.rerankers.map((name) => [name, ORDERS[name] ?? name, ""]), again);

  const results = make("div", { class: "results" });
  const suggestions = make("div", {});
  section.append(
    make("h1", { id: "search-title" }, "Find images like this one"),
    drop,
    make(
      "div", { class: "controls" },
      make("div", {}, make("label", { class: "label", for: "k" }, "Neighbors"), k),
      make("div", {}, make("label", { class: "label", for: "filter" }, "Found among"), filter),
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
    if (event.dataTransfer.files[0]) askImage(event.dataTransfer.files[0]);
  });
  document.addEventListener("paste", (event) => {
    const pasted = [...(event.clipboardData?.files ?? [])].find((one) => one.type.startsWith("image/"));
    if (pasted && collection.accepts_uploads && !section.hidden) askImage(pasted);
  });

  function askItem(id) {
    Object.assign(state, { id, image: null });
    file.value = "";
    showAsked(thumbnail(id, 256), id, fullSize(id));
    again();
  }

  function askImage(image) {
    Object.assign(state, { id: null, image });
    if (window.location.hash !== "#search") window.history.replaceState(null, "", "#search");
    const source = URL.createObjectURL(image);
    const preview = showAsked(source, image.name || "pasted image");
    for (const end of ["load", "error"]) preview.addEventListener(end, () => URL.revokeObjectURL(source), { once: true });
    again();
  }

  async function again() {
    if (state.id === null && state.image === null) return;
    state.running?.abort();
    const running = (state.running = new AbortController());
    const parameters = { k: k.value, by: ways(), class: filter.value ? [filter.value] : [] };
    results.setAttribute("aria-busy", "true");
    shared.asked = null;
    announce("");
    await showingErrors(results, async () => {
      if (!k.checkValidity() || k.value === "") throw new Error(`Neighbors: give a whole number from 1 to ${k.max}.`);
      if (state.image !== null && state.image.size > collection.limits.upload_bytes) {
        throw new Error(`The file is too large: ${collection.limits.upload_bytes.toLocaleString("en")} bytes are the most.`);
      }
      const found = state.id !== null
        ? await ask("search", { id: state.id, ...parameters }, { signal: running.signal })
        : await upload(state.image, parameters, running.signal).catch((error) => { throw named(error, state.image); });
      if (running.signal.aborted) return;
      shared.asked = { ...found, image: state.image };
      asked.querySelector(".query-class").textContent = found.label ? ` · ${found.label}` : "";
      results.replaceChildren(make("div", { class: "ways" }, found.answers.map((answer) => column(answer, found.label))));
      announce(`${count(found.answers[0].neighbors.length, "neighbor")} found`);
    });
    if (state.running !== running) return;
    results.removeAttribute("aria-busy");
    suggestions.hidden = results.querySelector(".ways") !== null;
  }

  function ways() {
    return retrievers.chosen().flatMap((kind) => rerankers.chosen().map((order) => (order === "none" ? kind : `${kind}:${order}`)));
  }

  /** Put the query into its place; an image that the browser cannot show is left out, its name stays. */
  function showAsked(source, name, ...more) {
    const image = make("img", { src: source, alt: `The query: ${name}`, onerror: () => { image.hidden = true; } });
    asked.replaceChildren(image, make("small", { class: "query-name" }, name, make("span", { class: "query-class" }), " "), ...more);
    asked.hidden = false;
    return image;
  }

  async function suggest() {
    await showingErrors(suggestions, async () => {
      const items = await shared.loadItems();
      const chosen = sample(items.ids.length, SUGGESTED).map((row) => ({ id: items.ids[row], label: collection.class_names[items.labels[row]] }));
      suggestions.replaceChildren(
        make("h2", {}, "From the gallery"),
        cards(chosen.map((item) => card(item))),
        make("p", {}, make("button", { type: "button", style: { "margin-top": "1rem" }, onclick: suggest }, "Others")),
      );
    });
  }

  return { askItem, get id() { return state.id; } };
}

/** An error of an upload, with the name of the file. */
function named(error, file) {
  return error.name === "AbortError" ? error : new Error(`${file.name || "The pasted image"}: ${error.message}`);
}

/** The answer of one way of searching. */
function column(answer, label) {
  const way = answer.reranker === "none" ? answer.retriever : `${answer.retriever}, ${answer.reranker}`;
  const title = answer.reranker === "none" ? answer.retriever : `${answer.retriever}, ${ORDERS[answer.reranker] ?? answer.reranker}`;
  const list = answer.neighbors.map((found) =>
    card(found, [`${found.rank} · ${decimal(found.distance, 4)}`], label ? found.label === label : null),
  );
  const vote = answer.vote ? `Most are ${answer.vote}; ` : "";
  return make(
    "section", { class: "way", "data-way": way },
    make("header", {}, make("h2", {}, title), make("small", {}, `${vote}${answer.metric} distance, ${decimal(answer.milliseconds, 1)} ms`)),
    list.length ? cards(list) : make("p", {}, "Nothing was found."),
  );
}

/** Check boxes of which one stays checked at least. */
function boxes(title, choices, changed) {
  const inputs = choices.map(([value], place) =>
    make("input", { type: "checkbox", value, checked: place === 0, onchange: (event) => {
      if (inputs.some((input) => input.checked)) { changed(); return; }
      event.target.checked = true;
      announce(`${title}: one stays chosen`);
    } }),
  );
  const labels = choices.map(([, name, how], place) => make("label", { title: how || null }, inputs[place], name));
  return {
    element: make("fieldset", {}, make("legend", {}, title), make("div", { class: "choices" }, labels)),
    chosen: () => inputs.filter((input) => input.checked).map((input) => input.value),
  };
}

/** Different numbers below n, at most so many, in random order. */
function sample(n, most) {
  const chosen = new Set();
  while (chosen.size < Math.min(n, most)) chosen.add(Math.floor(Math.random() * n));
  return [...chosen];
}
