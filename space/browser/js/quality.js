// What the picture of a face is worth: measures of it, and warnings where a measure was seen to cost accuracy.

import { roll, yaw } from "./face.js";
import { filled, mean, roundEven, rounded } from "./numbers.js";

const deviation = (values) => {
  const middle = mean(values);
  return Math.sqrt(mean(values.map((value) => (value - middle) ** 2)));
};

/** The measures of one face, but its familiarity; `crop`: what the network is shown; `size`: of the photo. */
export function measureQuality(
  crop,
  face,
  square,
  [width, height],
  faces,
  { seen_at, middle, around, block, texture, daylight_skin, measures },
) {
  const { data } = crop.grey().resized(seen_at, seen_at);
  const light = Array.from(data, (value) => value / 255);
  const at = (x, y) => light[y * seen_at + x];
  const edges = [];
  for (let y = 1; y < seen_at - 1; y++) {
    for (let x = 1; x < seen_at - 1; x++)
      edges.push(4 * at(x, y) - at(x, y - 1) - at(x, y + 1) - at(x - 1, y) - at(x + 1, y));
  }
  const [left, top, right, bottom] = middle.map((edge) => roundEven(edge * seen_at));
  const inner = [];
  const halves = [[], []];
  for (let y = top; y < bottom; y++) {
    for (let x = left; x < right; x++) {
      inner.push(at(x, y));
      halves[x - left < Math.ceil((right - left) / 2) ? 0 : 1].push(at(x, y));
    }
  }
  const sides = halves.map(mean);
  const { covered, cut_out } = withoutTexture(light, seen_at, middle, around, block, texture);
  const values = {
    covered,
    cut_out,
    face_size: square.side,
    sharpness: deviation(edges) / Math.max(deviation(light), 1 / 255),
    brightness: mean(inner),
    contrast: deviation(inner),
    cast: cast(crop, middle, daylight_skin),
    evenness: (Math.min(...sides) + 0.02) / (Math.max(...sides) + 0.02),
    roll: roll(face),
    yaw: yaw(face),
    outside: square.outside(width, height),
    level: face.level,
    faces,
  };
  return Object.fromEntries(measures.map((name) => [name, name in values ? rounded(values[name], 4) : null]));
}

/** The shares of the face's middle and of its surroundings whose blocks have no texture. */
function withoutTexture(light, side, middle, [x, y, halfWidth, halfHeight], block, texture) {
  const count = side / block;
  const most = texture * Math.max(deviation(light), 1 / 255);
  const [left, top, right, bottom] = middle.map((edge) => roundEven(edge * count));
  const [inner, outer] = [[], []];
  for (let row = 0; row < count; row++) {
    for (let column = 0; column < count; column++) {
      const values = Array.from({ length: block ** 2 }, (_, k) => {
        return light[(row * block + Math.floor(k / block)) * side + column * block + (k % block)];
      });
      const plain = Number(Math.max(...values) - Math.min(...values) <= most);
      if (row >= top && row < bottom && column >= left && column < right) inner.push(plain);
      const [across, down] = [((column + 0.5) / count - x) / halfWidth, ((row + 0.5) / count - y) / halfHeight];
      if (across ** 2 + down ** 2 > 1) outer.push(plain);
    }
  }
  return { covered: mean(inner), cut_out: mean(outer) };
}

/** How far the mean colour of the face's middle is from skin in daylight. */
function cast(crop, middle, daylight) {
  const [left, top, right, bottom] = middle.map((edge) => roundEven(edge * crop.width));
  const sums = [0, 0, 0];
  let count = 0;
  for (let y = top; y < bottom; y += 4) {
    for (let x = left; x < right; x += 4, count++)
      for (let c = 0; c < 3; c++) sums[c] += crop.data[(y * crop.width + x) * 3 + c];
  }
  const [red, green, blue] = sums.map((sum) => sum / count + 1);
  return Math.hypot(Math.log(red / green) - daylight[0], Math.log(blue / green) - daylight[1]);
}

/** A sentence for each limit that a face's picture is beyond. */
export function warningsOf(quality, limits, { beginnings, unsigned, told_from, sentences }) {
  return limits.flatMap((limit) => {
    let value = quality[limit.measure];
    if (value === null) return [];
    if (unsigned.includes(limit.measure)) value = Math.abs(value);
    if (limit.beyond === "below" ? value >= limit.threshold : value <= limit.threshold) return [];
    const [beginning, shown] = beginnings[limit.measure];
    const start = filled(beginning, { value, adjective: limit.beyond === "below" ? "dark" : "overexposed" });
    const threshold = filled(shown, { threshold: limit.threshold });
    if (limit.measure === "level") return [filled(sentences.level, { ...limit, start, threshold })];
    const costsGender = limit.gender_accuracy <= limit.gender_accuracy_usual - told_from;
    return [filled(costsGender ? sentences.both : sentences.age, { ...limit, start, threshold })];
  });
}
