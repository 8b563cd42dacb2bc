// Measures of a face's picture, and warnings where a measure was seen to cost accuracy.

import { roll, yaw } from "./face.js";
import { filled, mean, roundEven, rounded } from "./numbers.js";

const WHOLE = [0, 0, 1, 1];
const deviation = (values) => {
  const middle = mean(values);
  return Math.sqrt(mean(values.map((value) => (value - middle) ** 2)));
};

/** Every place (x, y), row by row, of an area whose edges are fractions of a side, in steps. */
function* places(area, side, step = 1) {
  const [left, top, right, bottom] = area.map((edge) => roundEven(edge * side));
  for (let y = top; y < bottom; y += step) for (let x = left; x < right; x += step) yield [x, y];
}

/** The measures of one face, but its familiarity; `crop`: what the network is shown; `size`: of the photo. */
export function measureQuality(crop, face, square, [width, height], faces, constants) {
  const { seen_at, middle, measures, renamed } = constants;
  const light = Array.from(crop.grey().resized(seen_at, seen_at).data, (value) => value / 255);
  const at = (x, y) => light[y * seen_at + x];
  const edges = Array.from(places(WHOLE, seen_at - 2), ([x, y]) => {
    return 4 * at(x + 1, y + 1) - at(x + 1, y) - at(x + 1, y + 2) - at(x, y + 1) - at(x + 2, y + 1);
  });
  const seen = [...places(middle, seen_at)];
  const inner = seen.map(([x, y]) => at(x, y));
  const half = Math.ceil((seen[0][0] + seen.at(-1)[0] + 1) / 2);
  const sides = [true, false].map((isLeft) => mean(inner.filter((_, k) => seen[k][0] < half === isLeft)));
  const values = {
    ...withoutTexture(light, constants),
    face_size: square.side,
    sharpness: deviation(edges) / Math.max(deviation(light), 1 / 255),
    brightness: mean(inner),
    contrast: deviation(inner),
    cast: cast(crop, constants),
    evenness: (Math.min(...sides) + 0.02) / (Math.max(...sides) + 0.02),
    roll: roll(face),
    yaw: yaw(face),
    outside: square.outside(width, height),
    verification_score: face.verificationScore,
    faces,
  };
  const known = measures.map((name) => [name, name in values ? rounded(values[name], 4) : null]);
  return Object.fromEntries([...known, ...Object.entries(renamed).map(([old, name]) => [old, rounded(values[name], 4)])]);
}

/** The shares of the face's middle and of its surroundings whose blocks have no texture. */
function withoutTexture(light, { seen_at, middle, around: [x, y, halfWidth, halfHeight], block, texture }) {
  const [count, most] = [seen_at / block, texture * Math.max(deviation(light), 1 / 255)];
  const isPlain = ([column, row]) => {
    const rows = Array.from({ length: block }, (_, k) => (row * block + k) * seen_at + column * block);
    const values = rows.flatMap((start) => light.slice(start, start + block));
    return Number(Math.max(...values) - Math.min(...values) <= most);
  };
  const outer = [...places(WHOLE, count)].filter(([column, row]) => {
    return (((column + 0.5) / count - x) / halfWidth) ** 2 + (((row + 0.5) / count - y) / halfHeight) ** 2 > 1;
  });
  return { covered: mean([...places(middle, count)].map(isPlain)), cut_out: mean(outer.map(isPlain)) };
}

/** How far the mean colour of the face's middle is from skin in daylight. */
function cast(crop, { middle, daylight_skin }) {
  const seen = [...places(middle, crop.width, 4)].map(([x, y]) => (y * crop.width + x) * 3);
  const [red, green, blue] = [0, 1, 2].map((channel) => 1 + mean(seen.map((at) => crop.data[at + channel])));
  return Math.hypot(Math.log(red / green) - daylight_skin[0], Math.log(blue / green) - daylight_skin[1]);
}

/** A sentence for each limit that a face's picture is beyond. */
export function warningsOf(quality, limits, { beginnings, unsigned, told_from, sentences }) {
  return limits.flatMap((limit) => {
    let value = quality[limit.measure];
    if (value === null) return [];
    if (unsigned.includes(limit.measure)) value = Math.abs(value);
    if (limit.beyond === "below" ? value >= limit.threshold : value <= limit.threshold) return [];
    const adjective = limit.beyond === "below" ? "too dark" : "overexposed";
    const start = filled(beginnings[limit.measure], { value, adjective });
    if (limit.measure === "verification_score") return [filled(sentences.verification_score, { ...limit, start })];
    const costsGender = limit.gender_accuracy <= limit.gender_accuracy_usual - told_from;
    return [filled(costsGender ? sentences.both : sentences.age, { ...limit, start })];
  });
}
