import { original, thumbnail } from "./api.js";
import { make } from "./dom.js";

/**
 * An image of an item that searches for what is like it when it is chosen.
 *
 * words: lines below it, each a text or what `make` takes; verdict: true, false or null, whether it is of the class that was asked for.
 */
export function card(item, words = [], verdict = null) {
  const mark = verdict === null ? null : make("span", { class: "verdict" }, verdict ? "✓ " : "✗ ");
  const spoken = verdict === null ? "" : verdict ? ", same class as the query" : ", another class than the query";
  return make(
    "li",
    { class: `image ${verdict === null ? "" : verdict ? "right" : "wrong"}`, "data-id": item.id },
    make(
      "button",
      { type: "button", title: `Search for images like ${item.id}`, onclick: () => searchFor(item.id) },
      make("img", { src: thumbnail(item.id), alt: `${item.label ?? "no class"}: ${item.id}${spoken}`, loading: "lazy" }),
    ),
    make("div", { class: "words" }, mark, make("strong", {}, item.label ?? "no class"), ...words.map((line) => make("div", { class: "muted" }, line))),
  );
}

/** Cards of items in a grid. */
export const cards = (list) => make("ul", { class: "images" }, list);

/** Go to the search view with an item as the query. */
export function searchFor(id) {
  window.location.hash = `search?id=${encodeURIComponent(id)}`;
}

/** A link to the file as it is. */
export const fullSize = (id) => make("a", { href: original(id), target: "_blank", rel: "noopener" }, "Full size");
