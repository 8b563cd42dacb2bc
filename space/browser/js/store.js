// Files of the model: fetched once, checked, kept in the browser's cache until another version comes.

const PREFIX = "age-gender-";

/** The files as bytes by name; `tell(done, all)` hears how many bytes are there.
 * Throws an Error whose message is a sentence for the visitor. */
export async function fetchFiles({ version, files }, tell) {
  const cache = await openCache(`${PREFIX}${version}-${files.network.sha256.slice(0, 16)}`);
  const all = Object.values(files).reduce((sum, { bytes }) => sum + bytes, 0);
  const got = {};
  let done = 0;
  for (const [name, { path, sha256 }] of Object.entries(files)) {
    const address = new URL(`../${path}?sha256=${sha256.slice(0, 16)}`, import.meta.url).href;
    const before = done;
    const tellOne = (bytes) => tell((done = before + bytes), all);
    got[name] = (await kept(cache, address, sha256)) ?? (await fetched(cache, address, sha256, tellOne));
    tell((done = before + got[name].byteLength), all);
  }
  return got;
}

/** Everything that the page keeps, gone. */
export async function forgetAll() {
  for (const name of await caches.keys()) if (name.startsWith(PREFIX)) await caches.delete(name);
}

async function openCache(wanted) {
  try {
    for (const name of await caches.keys()) {
      if (name.startsWith(PREFIX) && !name.includes("shell") && name !== wanted) await caches.delete(name);
    }
    return await caches.open(wanted);
  } catch {
    return null; // a private window, or a full disk: then the model is fetched at each visit
  }
}

async function kept(cache, address, sha256) {
  const found = await cache?.match(address);
  const bytes = found && (await found.arrayBuffer());
  if (bytes && (await digest(bytes)) === sha256) return bytes;
  if (found) await cache.delete(address);
  return null;
}

async function fetched(cache, address, sha256, tell) {
  const parts = [];
  let length = 0;
  try {
    const response = await fetch(address);
    if (!response.ok) throw new Error(`HTTP ${response.status}`);
    for (const reader = response.body.getReader(); ;) {
      const { done, value } = await reader.read();
      if (done) break;
      parts.push(value);
      tell((length += value.length));
    }
  } catch (error) {
    throw new Error(
      `The model could not be downloaded (${error.message}). Load the page again when the connection is back.`,
    );
  }
  const bytes = await new Blob(parts).arrayBuffer();
  if ((await digest(bytes)) !== sha256)
    throw new Error("The download of the model was cut off or changed. Load the page again.");
  await cache?.put(address, new Response(bytes)).catch(() => {}); // a full disk: fetched again next time
  return bytes;
}

async function digest(bytes) {
  const hash = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
  return Array.from(hash, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
