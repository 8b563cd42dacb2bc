// The JavaScript beside the Python, step by step, on the cases that Python wrote: `node --test` with PAGE and CASES set to folders.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { before, describe, it } from "node:test";
import { pathToFileURL } from "node:url";

const { PAGE, CASES } = process.env;
const module = (name) => import(pathToFileURL(join(PAGE, "js", name)).href);
const bytes = (...parts) => {
  const read = readFileSync(join(...parts));
  return read.buffer.slice(read.byteOffset, read.byteOffset + read.byteLength);
};
const cases = JSON.parse(readFileSync(join(CASES, "cases.json"), "utf-8"));
const near = (one, other, by, what) => assert.ok(Math.abs(one - other) <= by, `${what}: ${one} for ${other}`);
const means = ({ data }) =>
  [0, 1, 2].map((c) => data.reduce((sum, value, n) => (n % 3 === c ? sum + value : sum), 0) / (data.length / 3));

let predictor, constants, overlap, Picture, pyramid, filled;

before(async () => {
  constants = JSON.parse(readFileSync(join(PAGE, "constants.json"), "utf-8"));
  const ort = await import(pathToFileURL(join(PAGE, "ort", "ort.wasm.min.mjs")).href);
  const files = Object.fromEntries(
    Object.entries(constants.files).map(([name, { path }]) => [name, bytes(PAGE, path)]),
  );
  ort.env.wasm.wasmBinary = files.runtime;
  ort.env.wasm.numThreads = 1;
  ({ Picture } = await module("picture.js"));
  ({ overlap } = await module("tracking.js"));
  ({ pyramid } = await module("cascade.js"));
  ({ filled } = await module("numbers.js"));
  predictor = await (await module("predictor.js")).Predictor.load(ort, constants, files);
});

const pictureOf = ({ name, width, height }) => new Picture(width, height, new Uint8Array(bytes(CASES, `${name}.rgb`)));

describe("each step", () => {
  for (const one of cases) {
    it(`is Python's on ${one.name}`, async () => {
      const picture = pictureOf(one);
      const [wide, high, brightness] = one.shrunk;
      const longest = Math.max(one.width, one.height);
      const seen = longest > constants.config.detection.working_size ? picture.resized(wide, high, 2) : picture;
      means(seen).forEach((value, c) => near(value, brightness[c], 0.3, "brightness of what the detector sees"));
      const smallest = constants.detector.largest_safe_face;
      const scales = pyramid(Math.min(wide, high), smallest, constants.cascade);
      assert.equal(scales.length, one.pyramid.length);
      scales.forEach((scale, n) => near(scale, one.pyramid[n], 1e-9, "scale"));
      const candidates = await predictor.detector.cascade.detect(seen, smallest, constants.detector.thresholds);
      const clear = one.candidates.filter(({ confidence }) => confidence > 0.9);
      for (const {
        box: [x, y, w, h],
        keypoints,
      } of clear) {
        const same = candidates.find(({ box }) => box.every((value, k) => Math.abs(value - [x, y, w, h][k]) <= 2));
        assert.ok(same, `no candidate at ${[x, y, w, h]}`);
        same.points.flat().forEach((value, k) => near(value, keypoints.flat()[k], 2, "landmark"));
      }
      const { answers } = await predictor.predict(picture);
      assert.equal(answers.length, one.faces.length);
      for (const face of one.faces) {
        const found = answers.find(({ prediction }) => overlap(prediction.box, face.box) >= 0.9);
        assert.ok(found, `no face at ${JSON.stringify(face.box)}`);
        const { prediction, crop } = found;
        means(crop).forEach((value, c) => near(value, face.crop_mean[c], 1, "mean colour of the crop"));
        const there = new Uint8Array(bytes(CASES, face.crop_file));
        near(
          crop.data.reduce((sum, value, n) => sum + Math.abs(value - there[n]), 0) / there.length,
          0,
          0.001, // of 255: almost always 0
          "the crop's pixels",
        );
        near(prediction.age, face.age, 0.01, "age"); // the same whole numbers from the same pixels
        near(prediction.female_probability, face.female_probability, 0.001, "gender");
        prediction.age_interval.forEach((end, k) => near(end, face.age_interval[k], 0.1, "end of the range"));
        for (const [name, value] of Object.entries(face.quality)) {
          const told = prediction.quality[name];
          if (value === null) assert.equal(told, null, name);
          else near(told, value, Math.max(Math.abs(value) * 0.001, 0.001), name);
        }
        assert.equal(prediction.rotation, face.rotation);
        assert.deepEqual(prediction.warnings, face.warnings);
      }
    });
  }
});

describe("small things", () => {
  it("fills sentences as Python does", () => {
    assert.equal(filled("{a:.0f} of {b:.1%}, {name}", { a: 2.5, b: 0.1234, name: "x" }), "2 of 12.3%, x");
  });
  it("keeps a face's number and smooths its answer", async () => {
    const { Tracker } = await module("tracking.js");
    const tracker = new Tracker(constants);
    const { answers } = await predictor.predict(pictureOf(cases[0]));
    const { prediction } = answers[0];
    const [first] = tracker.update([prediction]);
    const [second] = tracker.update([{ ...prediction, age: prediction.age + 10 }]);
    assert.equal(second.number, first.number);
    near(second.prediction.age, prediction.age + 5, 1e-6, "mean of two frames");
    for (let frame = 0; frame <= constants.tracking.frames_missed; frame++) tracker.update([]);
    assert.notEqual(tracker.update([prediction])[0].number, first.number);
  });
  it("gives whoever takes another's place a number", async () => {
    const { Tracker } = await module("tracking.js");
    const tracker = new Tracker(constants);
    const [{ prediction }] = (await predictor.predict(pictureOf(cases[0]))).answers;
    const { frames } = JSON.parse(readFileSync(new URL("../tracks.json", import.meta.url), "utf8"));
    for (const { left, age, spread, number } of frames) {
      const shares = Array.from({ length: 117 }, (_, year) => Math.exp(-0.5 * ((year - age) / spread) ** 2));
      const sum = shares.reduce((one, other) => one + other);
      const box = { xmin: left, ymin: 50, xmax: left + 100, ymax: 150 };
      const seen = { ...prediction, box, age, age_distribution: shares.map((share) => share / sum) };
      assert.equal(tracker.update([seen])[0].number, number, `age ${age}`);
    }
  });
});
