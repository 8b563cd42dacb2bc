// Computes beside the page, which never waits: loads the model, reads photos, answers.

import * as ort from "../ort/ort.wasm.min.mjs";
import { Picture } from "./picture.js";
import { Predictor } from "./predictor.js";
import { fetchFiles } from "./store.js";

let ready = null;

async function load(tell) {
  const constants = await (await fetch(new URL("../constants.json", import.meta.url))).json();
  const files = await fetchFiles(constants, (done, all) => tell({ progress: { done, all } }));
  ort.env.wasm.wasmBinary = files.runtime;
  ort.env.wasm.wasmPaths = new URL("../ort/", import.meta.url).href;
  ort.env.wasm.numThreads = self.crossOriginIsolated ? Math.min(navigator.hardwareConcurrency, 4) : 1;
  return Predictor.load(ort, constants, files);
}

/** The upright picture of a file or of a camera's frame. Throws an Error whose message is a sentence. */
async function read(source, { largest_pixels, words }) {
  let bitmap = source;
  if (source instanceof Blob) {
    try {
      bitmap = await createImageBitmap(source, { imageOrientation: "from-image" });
    } catch {
      const start = new TextDecoder("latin1").decode(await source.slice(4, 12).arrayBuffer());
      throw new Error(/^ftyp(hei|hev|mif)/.test(start) ? words.heic : words.unreadable);
    }
  }
  const { width, height } = bitmap;
  if (width * height > largest_pixels) {
    bitmap.close();
    throw new Error(words.too_large.replace("{size}", `${width}×${height}`));
  }
  const canvas = new OffscreenCanvas(width, height);
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.drawImage(bitmap, 0, 0);
  bitmap.close();
  return Picture.fromRgba(width, height, context.getImageData(0, 0, width, height).data);
}

function rgba({ width, height, data }) {
  const pixels = new Uint8ClampedArray(width * height * 4).fill(255);
  for (let from = 0, to = 0; from < data.length; from += 3, to += 4) pixels.set(data.subarray(from, from + 3), to);
  return new ImageData(pixels, width, height);
}

self.onmessage = async ({ data: { id, source, all } }) => {
  const tell = (message) => self.postMessage({ id, ...message });
  try {
    ready ??= load(tell).catch((error) => {
      ready = null; // asked again, it is tried again
      throw error;
    });
    const predictor = await ready;
    if (!source) return tell({ answer: { ready: true } });
    const picture = await read(source, predictor.constants.page);
    const { answers, found } = await predictor.predict(picture, all);
    const faces = answers.map(({ prediction, crop }) => ({ prediction, crop: rgba(crop) }));
    tell({ answer: { faces, found, width: picture.width, height: picture.height } });
  } catch (error) {
    tell({ error: error.message });
  }
};
