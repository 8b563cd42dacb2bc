// MTCNN's cascade around its three networks (Zhang et al., 2016), as hf_model/network/mtcnn/cascade.py has it.

import { roundEven } from "./numbers.js";

export class Cascade {
  /** `networks`: proposal, refine and output, each from a float32 tensor to its outputs by name; `constants`: of the
   * cascade. */
  constructor(networks, constants) {
    Object.assign(this, networks, { constants });
  }

  /** The faces of a picture: box, five landmarks (in whole pixels) and score each. */
  async detect(picture, smallest, limits) {
    const pixels = Float32Array.from(picture.data, (value) => (value - 127.5) / 128);
    const seen = { width: picture.width, height: picture.height, pixels };
    let found = await this.#proposed(seen, smallest, limits.threshold_pnet);
    if (!found.length) return [];
    let judged = await this.#judged(this.refine, seen, found, 24);
    found = found.map(({ box }, n) => ({ box: moved(box, judged.boxes, n), score: judged.faces[2 * n + 1] }));
    found = suppressed(
      found.filter(({ score }) => score > limits.threshold_rnet),
      0.7,
    ).map(squared);
    if (!found.length) return [];
    judged = await this.#judged(this.output, seen, found, 48);
    const faces = found.map(({ box }, n) => {
      const [wide, high] = [box[2] - box[0] + 1, box[3] - box[1] + 1];
      const points = Array.from({ length: 5 }, (_, k) => [
        roundEven(wide * judged.landmarks[10 * n + k] + box[0] - 1),
        roundEven(high * judged.landmarks[10 * n + 5 + k] + box[1] - 1),
      ]);
      return { box: moved(box, judged.boxes, n), points, score: judged.faces[2 * n + 1] };
    });
    return suppressed(
      faces.filter(({ score }) => score > limits.threshold_onet),
      0.7,
    ).map(({ box, points, score }) => ({
      box: [box[0], box[1], box[2] - box[0], box[3] - box[1]].map(roundEven),
      points,
      score,
    }));
  }

  /** What the first network takes for faces, on a pyramid of sizes. */
  async #proposed(seen, smallest, threshold) {
    const { smallest_side, stride } = this.constants;
    const found = [];
    for (const scale of pyramid(Math.min(seen.width, seen.height), smallest, this.constants)) {
      const { tensor, wide, high } = areaResized(seen, scale);
      const { faces, boxes, dims } = await this.proposal(tensor, [1, 3, high, wide]);
      const [rows, columns] = dims;
      const level = [];
      for (let row = 0, at = 0; row < rows; row++) {
        for (let column = 0; column < columns; column++, at++) {
          const score = faces[rows * columns + at];
          if (!(score > threshold)) continue;
          const corners = [column, row, column, row].map((place, k) => stride * place + (k < 2 ? 1 : smallest_side));
          const box = corners.map(
            (corner, k) => (corner + boxes[k * rows * columns + at] * (smallest_side - 1)) / scale,
          );
          level.push({ box, score });
        }
      }
      found.push(...suppressed(level, 0.5));
    }
    return suppressed(found, 0.7).map(squared);
  }

  /** A network's answers on what lies in boxes, some at once. */
  async #judged(network, seen, found, size) {
    const parts = {};
    for (let start = 0; start < found.length; start += this.constants.patches_at_once) {
      const some = found.slice(start, start + this.constants.patches_at_once);
      const outputs = await network(
        patches(
          seen,
          some.map(({ box }) => box),
          size,
        ),
        [some.length, size, size, 3],
      );
      for (const [name, values] of Object.entries(outputs)) (parts[name] ??= []).push(...values);
    }
    return parts;
  }
}

/** The scales at which faces from a size on are looked for. */
export function pyramid(shorter, smallest, { smallest_side, scale_factor }) {
  const count = roundEven(-(Math.log(shorter / smallest_side) / Math.log(scale_factor) + 1));
  const scales = Array.from(
    { length: Math.max(count, 0) },
    (_, step) => (smallest_side / smallest) * scale_factor ** step,
  );
  return scales.filter((scale) => Math.floor(shorter * scale) >= smallest_side);
}

/** Where the new pixels of a side lie on the old ones: first old pixel, and the weights, which sum to 1. */
function bands(old, made) {
  const scale = old / made;
  return Array.from({ length: made }, (_, place) => {
    const [start, end] = [place * scale, (place + 1) * scale];
    const [first, last] = [Math.floor(start), Math.min(Math.ceil(end - 1e-6), old)];
    const weights = [];
    for (let x = first; x < last; x++) weights.push((Math.min(x + 1, end) - Math.max(x, start)) / scale);
    return { first, weights };
  });
}

/** A picture scaled down, each pixel the mean of the area it covers, channels first. */
export function areaResized({ width, height, pixels }, scale) {
  const [wide, high] = [Math.floor(width * scale), Math.floor(height * scale)];
  const line = 3 * width;
  const lower = new Float32Array(line);
  const tensor = new Float32Array(3 * wide * high);
  const across = bands(width, wide);
  bands(height, high).forEach(({ first, weights }, row) => {
    lower.fill(0);
    weights.forEach((weight, k) => {
      for (let x = 0, from = (first + k) * line; x < line; x++) lower[x] += weight * pixels[from + x];
    });
    for (let column = 0; column < wide; column++) {
      const { first: left, weights: shares } = across[column];
      let [red, green, blue] = [0, 0, 0];
      for (let k = 0, from = 3 * left; k < shares.length; k++, from += 3) {
        red += shares[k] * lower[from];
        green += shares[k] * lower[from + 1];
        blue += shares[k] * lower[from + 2];
      }
      const to = row * wide + column;
      tensor[to] = red;
      tensor[wide * high + to] = green;
      tensor[2 * wide * high + to] = blue;
    }
  });
  return { tensor, wide, high };
}

/** (N, size, size, 3): what lies in boxes, read bilinearly, 0 outside the picture. */
export function patches({ width, height, pixels }, boxes, size) {
  const made = new Float32Array(boxes.length * size * size * 3);
  const along = (low, high, side) => {
    const [first, last] = [(low / side) * (side - 1), (high / side) * (side - 1)];
    return Array.from({ length: size }, (_, step) => {
      const at = first + (step / (size - 1)) * (last - first);
      const pixel = Math.min(Math.max(Math.floor(at), 0), side - 1);
      return { pixel, next: Math.min(pixel + 1, side - 1), share: at - pixel, inside: at >= 0 && at <= side - 1 };
    });
  };
  let to = 0;
  for (const [left, top, right, bottom] of boxes) {
    const columns = along(left, right, width);
    for (const row of along(top, bottom, height)) {
      for (const column of columns) {
        for (let c = 0; c < 3; c++, to++) {
          if (!row.inside || !column.inside) continue;
          const value = (y, x) => pixels[(y * width + x) * 3 + c];
          const upper =
            value(row.pixel, column.pixel) * (1 - column.share) + value(row.pixel, column.next) * column.share;
          const lower =
            value(row.next, column.pixel) * (1 - column.share) + value(row.next, column.next) * column.share;
          made[to] = upper + (lower - upper) * row.share;
        }
      }
    }
  }
  return made;
}

/** Those that overlap no surer one by more than `most`, the surest first; one that goes still suppresses others. */
export function suppressed(found, most) {
  const order = found
    .map((one, place) => [one, place])
    .sort((a, b) => b[0].score - a[0].score || b[1] - a[1])
    .map(([one]) => one);
  const areas = order.map(({ box }) => (box[2] - box[0]) * (box[3] - box[1]));
  return order.filter(({ box }, n) => {
    for (let k = 0; k < n; k++) {
      const surer = order[k].box;
      const across = Math.min(box[2], surer[2]) - Math.max(box[0], surer[0]);
      const down = Math.min(box[3], surer[3]) - Math.max(box[1], surer[1]);
      const shared = Math.max(across, 0) * Math.max(down, 0);
      if (shared / (areas[n] + areas[k] - shared) > most) return false;
    }
    return true;
  });
}

/** A box widened to a square about its middle. */
function squared({ box: [left, top, right, bottom], score }) {
  const side = Math.max(right - left, bottom - top);
  const [x, y] = [left + (right - left - side) / 2, top + (bottom - top - side) / 2];
  return { box: [x, y, x + side, y + side], score };
}

/** A box moved by the n-th row of offsets, which are fractions of its size. */
function moved(box, offsets, n) {
  const sizes = [box[2] - box[0] + 1, box[3] - box[1] + 1];
  return box.map((value, k) => value + offsets[4 * n + k] * sizes[k % 2]);
}
