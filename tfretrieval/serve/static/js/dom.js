/** Make an element: attributes, properties and listeners by name, then what is in it. Text is never read as HTML. */
export function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "style") Object.entries(value).forEach(([key, v]) => element.style.setProperty(key, v));
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return element;
}

/** Say something to who listens instead of looking. */
export function announce(text) {
  document.getElementById("announce").textContent = text;
}

/** A number of a metric, three decimals. */
export const decimal = (value, digits = 3) => (value === null || value === undefined ? "–" : value.toFixed(digits));

export const count = (n, one, many = `${one}s`) => `${n.toLocaleString("en")} ${n === 1 ? one : many}`;

/** Run `action` and show its error, if it has one, in `place`. */
export async function showingErrors(place, action) {
  try {
    return await action();
  } catch (error) {
    if (error.name === "AbortError") return undefined;
    place.replaceChildren(make("p", { class: "problem", role: "alert" }, error.message));
    return undefined;
  }
}

/** An id or a path, which may be broken after a slash. */
export const breakable = (path) => path.split("/").flatMap((part, place) => (place === 0 ? [part] : ["/", make("wbr"), part]));
