// A found face: its box and landmarks, how it is framed as UTKFace's chips are, and which of several comes first.
// Landmarks are left eye, right eye, nose, left and right corner of the mouth.

import { Square } from "./alignment.js";
import { mean, roundEven } from "./numbers.js";

const DEGREES = 180 / Math.PI;
const middle = (points) => [0, 1].map((k) => mean(points.map((point) => point[k])));
const apart = ([x0, y0], [x1, y1]) => (x0 - x1) ** 2 + (y0 - y1) ** 2;

export class Face {
  /** `left`, `top`, `width`, `height`: the detector's box in pixels; `landmarks`: five points in pixels; `score` and
   * `verificationScore`, 0 to 1; `rotation` in degrees. */
  constructor(values) {
    Object.assign(this, { rotation: 0, verificationScore: 0 }, values);
  }

  static fromCascade({ box: [left, top, width, height], points, score }) {
    return new Face({ left, top, width, height, score, landmarks: points });
  }

  with(values) {
    return new Face({ ...this, ...values });
  }

  get size() {
    return Math.max(this.width, this.height);
  }

  isSound() {
    const spans = [0, 1].map((k) => {
      const values = this.landmarks.map((point) => point[k]);
      return Math.max(...values) - Math.min(...values);
    });
    const numbers = [this.left, this.top, this.width, this.height, ...this.landmarks.flat()];
    return numbers.every(Number.isFinite) && Math.min(this.width, this.height, Math.max(...spans)) > 0;
  }

  /** The box in whole pixels inside the image. */
  clipped(width, height) {
    const within = (value, most) => Math.min(Math.max(roundEven(value), 0), most);
    return {
      xmin: within(this.left, width),
      ymin: within(this.top, height),
      xmax: within(this.left + this.width, width),
      ymax: within(this.top + this.height, height),
    };
  }

  shifted(x, y) {
    const landmarks = this.landmarks.map(([across, down]) => [across + x, down + y]);
    return this.with({ left: this.left + x, top: this.top + y, landmarks });
  }

  enlarged(factor) {
    const [left, top, width, height] = [this.left, this.top, this.width, this.height].map((value) => factor * value);
    return this.with({
      left,
      top,
      width,
      height,
      landmarks: this.landmarks.map((point) => point.map((value) => factor * value)),
    });
  }

  /** Found on an image of a size after turning it counter-clockwise: on that image. */
  turnedBack(rotation, width, height) {
    const back = {
      90: ([x, y]) => [width - y, x],
      180: ([x, y]) => [width - x, height - y],
      270: ([x, y]) => [y, height - x],
    }[rotation];
    const ends = [back([this.left, this.top]), back([this.left + this.width, this.top + this.height])];
    const [left, top] = [0, 1].map((k) => Math.min(ends[0][k], ends[1][k]));
    const [right, bottom] = [0, 1].map((k) => Math.max(ends[0][k], ends[1][k]));
    return this.with({
      left,
      top,
      width: right - left,
      height: bottom - top,
      landmarks: this.landmarks.map(back),
      rotation,
    });
  }
}

/** By how many degrees a face is turned clockwise from standing upright. */
export function roll({ landmarks }, weights = { eyes: 1, mouth: 1, down: 1 }) {
  const [eyes, mouth] = [middle(landmarks.slice(0, 2)), middle(landmarks.slice(3))];
  const down = [mouth[0] - eyes[0], mouth[1] - eyes[1]];
  const line = (a, b) => [landmarks[b][0] - landmarks[a][0], landmarks[b][1] - landmarks[a][1]];
  const lines = { eyes: line(0, 1), mouth: line(3, 4), down: [down[1], -down[0]] };
  const [x, y] = [0, 1].map((k) => Object.keys(lines).reduce((sum, name) => sum + weights[name] * lines[name][k], 0));
  return Math.atan2(y, x) * DEGREES;
}

/** Across a face that is turned level: the nose, the middle line at its height, half the eyes' distance, and whether it
 * stands. */
function levelPoints(face) {
  const angle = roll(face) / DEGREES;
  const [cos, sin] = [Math.cos(angle), Math.sin(angle)];
  const level = face.landmarks.map(([x, y]) => [x * cos + y * sin, -x * sin + y * cos]);
  const [eyes, mouth] = [middle(level.slice(0, 2)), middle(level.slice(3))];
  const down = mouth[1] - eyes[1];
  const share = down > 0 ? Math.min(Math.max((level[2][1] - eyes[1]) / down, 0), 1) : 0.5;
  return {
    nose: level[2][0],
    middle: eyes[0] + share * (mouth[0] - eyes[0]),
    halfEyes: (level[1][0] - level[0][0]) / 2,
    stands: down > 0,
  };
}

/** About how far a face is turned to the picture's right, degrees. */
export function yaw(face) {
  const points = levelPoints(face);
  return Math.atan2(points.nose - points.middle, 0.9 * Math.max(points.halfEyes, 1e-6)) * DEGREES;
}

export const stands = (face, mostRoll) => Math.abs(roll(face)) <= mostRoll && levelPoints(face).stands;

/** The square that frames a face as a UTKFace chip does. */
export function chipSquare(face, crop, { distances, points }) {
  const { landmarks } = face;
  const squares = Object.entries(crop.side).map(([name, weight]) => {
    return weight * mean(distances[name].map(([a, b]) => apart(landmarks[a], landmarks[b])));
  });
  const least = (crop.smallest ?? 0) * Math.sqrt(face.width * face.height);
  const side = Math.max(Math.sqrt(squares.reduce((sum, value) => sum + value, 0)), least, 1);
  const angle = crop.roll ? roll(face, crop.roll) : 0;
  const centre = [0, 1].map((k) => {
    return Object.entries(crop.centre).reduce((sum, [name, weight]) => {
      return sum + weight * mean(points[name].map((place) => landmarks[place][k]));
    }, 0);
  });
  const { along, down } = new Square(0, 0, side, angle);
  const [x, y] = [0, 1].map((k) => centre[k] + crop.offset_x * along[k] + crop.offset_y * down[k]);
  return new Square(x, y, side, angle).snapped();
}

/** The square about the mean of a face's landmarks, level with it, `scale` times their spread large. */
export function landmarkSquare(face, scale) {
  const centre = middle(face.landmarks);
  const spread = Math.sqrt(mean(face.landmarks.map((point) => apart(point, centre))));
  return new Square(...centre, Math.max(scale * spread, 1), roll(face)).snapped();
}

/** The most confident first; of those whose scores differ by no more than the margin, the largest. */
export function inOrder(faces, margin) {
  const left = byScore(faces);
  const ordered = [];
  while (left.length) {
    const equal = left.filter((face) => face.score >= left[0].score - margin);
    const first = equal.reduce((best, face) => (face.size > best.size ? face : best));
    ordered.push(...left.splice(left.indexOf(first), 1));
  }
  return ordered;
}

/** Without those that mostly share a better face's box. */
export function merged(faces, most) {
  const kept = [];
  for (const face of byScore(faces)) if (kept.every((other) => shared(face, other) <= most)) kept.push(face);
  return kept;
}

const byScore = (faces) => [...faces].sort((one, other) => other.score - one.score);

function shared(one, other) {
  const across = Math.min(one.left + one.width, other.left + other.width) - Math.max(one.left, other.left);
  const down = Math.min(one.top + one.height, other.top + other.height) - Math.max(one.top, other.top);
  return (Math.max(across, 0) * Math.max(down, 0)) / Math.min(one.width * one.height, other.width * other.height);
}
