/** What the server says to a request: JSON, or an error with its words. */
export async function ask(path, parameters = {}, options = {}) {
  const response = await fetched(`api/${path}${query(parameters)}`, options);
  return response.json();
}

/** Raw bytes. */
export async function bytes(path) {
  return (await fetched(`api/${path}`)).arrayBuffer();
}

/** Search by an image: a File or a Blob. */
export async function upload(image, parameters, signal) {
  const form = new FormData();
  form.append("image", image, "image");
  for (const [name, value] of pairs(parameters)) form.append(name, value);
  return (await fetched("api/search", { method: "POST", body: form, signal })).json();
}

export const thumbnail = (id, side = 192) => `api/item/thumbnail${query({ id, side })}`;
export const original = (id) => `api/item/image${query({ id })}`;

async function fetched(address, options) {
  let response;
  try {
    response = await fetch(address, options);
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Error("The server does not answer. Is it still running?");
  }
  if (response.ok) return response;
  let words = `The server answered ${response.status}.`;
  try {
    words = (await response.json()).error ?? words;
  } catch { /* no JSON: the status is all there is */ }
  throw new Error(words);
}

function query(parameters) {
  const text = new URLSearchParams(pairs(parameters)).toString();
  return text ? `?${text}` : "";
}

function pairs(parameters) {
  return Object.entries(parameters).flatMap(([name, value]) =>
    (Array.isArray(value) ? value : [value]).filter((v) => v !== null && v !== undefined).map((v) => [name, String(v)]),
  );
}
