import { decimal, make } from "./dom.js";
import { card, cards } from "./images.js";

/** A list of evaluated queries with their nearest neighbors. */
export function queryList(queries) {
  return queries.length ? make("ul", { class: "pairs" }, queries.map(queryPair)) : make("p", {}, "None.");
}

/** An evaluated query beside its nearest neighbor. */
export function queryPair(query) {
  return make(
    "li", { class: "pair", "data-id": query.id },
    cards([
      card({ id: query.id, label: query.label }, ["query"]),
      ...(query.nearest_id ? [card({ id: query.nearest_id, label: query.nearest_label }, [`nearest, ${decimal(query.nearest_distance, 4)}`], query.nearest_label === query.label)] : []),
    ]),
    make("p", { class: "muted" }, `AP ${decimal(query.average_precision)}`),
  );
}
