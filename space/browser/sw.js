// Keeps the page itself for when there is no network. With a network, what the server has is shown, whatever is kept.

importScripts("shell.js"); // generated: `shell`, the page's files and the version of them all

const PREFIX = "age-gender-shell-";
const NAME = PREFIX + shell.version;

self.addEventListener("install", (event) => {
  self.skipWaiting();
  const files = shell.files.map((path) => new Request(path, { cache: "no-cache" }));
  event.waitUntil(caches.open(NAME).then((cache) => cache.addAll(files))); // all of one version, or none
});

self.addEventListener("activate", (event) => event.waitUntil(takeOver()));

async function takeOver() {
  for (const name of await caches.keys()) if (name.startsWith(PREFIX) && name !== NAME) await caches.delete(name);
  await self.clients.claim();
}

self.addEventListener("fetch", (event) => {
  const { request } = event;
  const address = new URL(request.url);
  if (request.method !== "GET" || address.origin !== self.location.origin || address.searchParams.has("sha256")) return;
  event.respondWith(fetch(request).catch((error) => kept(request, error)));
});

async function kept(request, error) {
  const found = await (await caches.open(NAME)).match(request, { ignoreSearch: true });
  if (found) return found;
  throw error;
}
