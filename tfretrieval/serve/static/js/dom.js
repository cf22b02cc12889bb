/** Create an element with attributes, `on...` listeners, styles and children. Text is never parsed as HTML. */
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

/** Announce a message to screen readers. */
export function announce(text) {
  document.getElementById("announce").textContent = text;
}

/** A number with fixed decimals, or a dash. */
export const decimal = (value, digits = 3) => (value === null || value === undefined ? "–" : value.toFixed(digits));

/** A number with its noun. */
export const count = (n, one, many = `${one}s`) => `${n.toLocaleString("en")} ${n === 1 ? one : many}`;

/** Run `action`; show its error in `container`. */
export async function showingErrors(container, action) {
  try {
    return await action();
  } catch (error) {
    if (error.name === "AbortError") return undefined;
    container.replaceChildren(make("p", { class: "problem", role: "alert" }, error.message));
    return undefined;
  }
}

/** A path with line break opportunities after each slash. */
export const breakable = (path) => path.split("/").flatMap((part, i) => (i === 0 ? [part] : ["/", make("wbr"), part]));
