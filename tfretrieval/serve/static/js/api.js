/** Get JSON from an API path. */
export async function getJSON(path, parameters = {}, options = {}) {
  const response = await request(`api/${path}${queryString(parameters)}`, options);
  return response.json();
}

/** Get bytes from an API path. */
export async function getBytes(path) {
  return (await request(`api/${path}`)).arrayBuffer();
}

/** Search by an image: a File or a Blob. */
export async function searchByImage(image, parameters, signal) {
  const form = new FormData();
  form.append("image", image, "image");
  for (const [name, value] of flatten(parameters)) form.append(name, value);
  return (await request("api/search", { method: "POST", body: form, signal })).json();
}

export const thumbnail = (id, side = 192) => `api/item/thumbnail${queryString({ id, side })}`;
export const original = (id) => `api/item/image${queryString({ id })}`;

async function request(url, options) {
  let response;
  try {
    response = await fetch(url, options);
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Error("The server does not respond. Is it still running?");
  }
  if (response.ok) return response;
  let message = `The server responded with status ${response.status}.`;
  try {
    message = (await response.json()).error ?? message;
  } catch { /* the body is not JSON */ }
  throw new Error(message);
}

function queryString(parameters) {
  const text = new URLSearchParams(flatten(parameters)).toString();
  return text ? `?${text}` : "";
}

/** Name-value pairs, one for each value of a list; null and undefined are omitted. */
function flatten(parameters) {
  return Object.entries(parameters).flatMap(([name, value]) =>
    (Array.isArray(value) ? value : [value]).filter((v) => v !== null && v !== undefined).map((v) => [name, String(v)]),
  );
}
