import { decimal, make } from "./dom.js";
import { card, cards } from "./pictures.js";

/** Queries side by side with what came nearest. */
export function pairsOf(queries) {
  if (!queries.length) return make("p", {}, "There are none.");
  return make("ul", { class: "pairs" }, queries.map((query) => make(
    "li", { class: "pair", "data-id": query.id },
    cards([
      card({ id: query.id, label: query.label }, ["query"]),
      ...(query.nearest_id ? [card({ id: query.nearest_id, label: query.nearest_label }, [`nearest, ${decimal(query.nearest_distance, 4)}`], query.nearest_label === query.label)] : []),
    ]),
    make("p", { class: "muted" }, `AP ${decimal(query.average_precision)}`),
  )));
}
