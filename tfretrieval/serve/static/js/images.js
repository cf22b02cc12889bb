import { original, thumbnail } from "./api.js";
import { make } from "./dom.js";

/**
 * A clickable image of an item; a click searches its neighbors.
 *
 * lines: lines below the image, each a text or children of `make`; isCorrect: whether it has the query's class, null if unknown.
 */
export function card(item, lines = [], isCorrect = null) {
  const mark = isCorrect === null ? null : make("span", { class: "mark" }, isCorrect ? "✓ " : "✗ ");
  const suffix = isCorrect === null ? "" : isCorrect ? ", same class as the query" : ", another class than the query";
  return make(
    "li",
    { class: `image ${isCorrect === null ? "" : isCorrect ? "correct" : "wrong"}`, "data-id": item.id },
    make(
      "button",
      { type: "button", title: `Search for images similar to ${item.id}`, onclick: () => searchFor(item.id) },
      make("img", { src: thumbnail(item.id), alt: `${item.label ?? "no class"}: ${item.id}${suffix}`, loading: "lazy" }),
    ),
    make("div", { class: "caption" }, mark, make("strong", {}, item.label ?? "no class"), ...lines.map((line) => make("div", { class: "muted" }, line))),
  );
}

/** Cards in a grid. */
export const cards = (list) => make("ul", { class: "images" }, list);

/** Open the search view with an item as the query. */
export function searchFor(id) {
  window.location.hash = `search?id=${encodeURIComponent(id)}`;
}

/** A link to the original file. */
export const fullSize = (id) => make("a", { href: original(id), target: "_blank", rel: "noopener" }, "Full size");
