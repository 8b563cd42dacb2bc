// Finding faces with MTCNN: upright, small, turned and poorly lit ones, as hf_model/faces/detector.py does.

import { cut } from "./alignment.js";
import { Face, inOrder, landmarkSquare, merged, stands } from "./face.js";
import { clip, mean, roundEven } from "./numbers.js";

export class Detector {
  /** `settings`: the section `detection` of config.json; `cascade`; `constants`: of the detector's code. */
  constructor(settings, cascade, constants) {
    Object.assign(this, { settings, cascade, constants });
  }

  /** All faces of an upright picture, the surest first. */
  async find(picture) {
    let faces = await this.#upright(picture);
    if (this.#leavesSmallFaces(picture, faces)) faces = [...faces, ...(await this.#tiles(picture))];
    if (!faces.some(({ verificationScore }) => verificationScore >= this.settings.sure_verification)) {
      const further = await this.#further(picture);
      if (further.length) faces = further;
    }
    return inOrder(merged(faces, this.settings.most_overlap), this.settings.score_margin);
  }

  async #further(picture) {
    const { turned_size, stretch } = this.settings.further;
    let faces = [];
    if (turned_size) {
      const area = (some) => some.reduce((sum, { width, height }) => sum + width * height, 0);
      for (const rotation of [90, 180, 270]) {
        const found = await this.#turned(picture, rotation);
        if (area(found) > area(faces)) faces = found;
      }
    }
    return faces.length || !stretch ? faces : this.#poorlyLit(picture);
  }

  async #upright(picture) {
    const { seen, scale } = shrunk(picture, this.settings.working_size);
    return this.#checked(
      picture,
      (await this.detect(seen)).map((face) => face.enlarged(1 / scale)),
    );
  }

  /** MTCNN's faces of a picture as large as it is. */
  async detect(seen, limits = {}) {
    const { min_face_size, min_score } = this.settings;
    if (Math.min(seen.width, seen.height) < min_face_size) return [];
    const smallest = Math.min(min_face_size, this.constants.largest_safe_face);
    const found = await this.cascade.detect(seen, smallest, { ...this.constants.thresholds, ...limits });
    return found
      .map(Face.fromCascade)
      .filter((face) => face.score >= min_score && face.size >= min_face_size && face.isSound());
  }

  #leavesSmallFaces({ width, height }, faces) {
    const longest = Math.max(width, height);
    const { fine_size, large_face } = this.settings.further;
    const largest = Math.max(...faces.map(({ size }) => size), 0);
    return Math.min(longest, fine_size) > this.settings.working_size && largest <= large_face * longest;
  }

  /** The faces of a finer pass in tiles, but those that reach over an edge into the next tile. */
  async #tiles(picture) {
    const { fine_size, tile_size, tile_overlap } = this.settings.further;
    const { seen, scale } = shrunk(picture, fine_size);
    const [columns, rows] = [seen.width, seen.height].map((side) => starts(side, tile_size, tile_overlap));
    const faces = [];
    for (const [top, bottom] of rows) {
      for (const [left, right] of columns) {
        const found = (await this.detect(seen.crop(left, top, right, bottom))).map((face) => face.shifted(left, top));
        const whole = found.filter((face) => {
          return (
            (left === 0 || face.left > left) &&
            (top === 0 || face.top > top) &&
            (right === seen.width || face.left + face.width < right) &&
            (bottom === seen.height || face.top + face.height < bottom)
          );
        });
        faces.push(
          ...(await this.#checked(
            picture,
            whole.map((face) => face.enlarged(1 / scale)),
          )),
        );
      }
    }
    return faces;
  }

  async #turned(picture, rotation) {
    const { turned_size, sure_verification } = this.settings.further;
    const { seen, scale } = shrunk(picture, turned_size);
    const turned = seen.turned(rotation);
    const found = (await this.#checked(turned, await this.detect(turned))).filter(({ verificationScore }) => verificationScore >= sure_verification);
    return this.refine(
      picture,
      found.map((face) => face.turnedBack(rotation, seen.width, seen.height).enlarged(1 / scale)),
    );
  }

  async #poorlyLit(picture) {
    const { stretch, stretched_percent, thresholds, sure_verification } = this.settings.further;
    const { seen, scale } = shrunk(picture, this.settings.working_size);
    const stretched = stretchedContrast(seen, stretch, stretched_percent);
    const faces = await this.#checked(stretched, await this.detect(stretched, thresholds));
    return faces.filter(({ verificationScore }) => verificationScore >= sure_verification).map((face) => face.enlarged(1 / scale));
  }

  /** The faces that stand upright and that the last network is sure of, or nearly; landmarks refined. */
  async #checked(picture, faces) {
    const { sure_verification, verification_slack, most_roll, likely_score, likely_verification, likely_size } = this.settings;
    const once = await this.refine(picture, faces);
    const twice = await this.refine(picture, once);
    const best = once.map((first, n) => (twice[n].verificationScore >= first.verificationScore - verification_slack ? twice[n] : first));
    const upright = best.filter((face) => stands(face, most_roll));
    const largest = Math.max(...upright.filter(({ verificationScore }) => verificationScore >= sure_verification).map(({ size }) => size), 0);
    const likely = ({ score, verificationScore, size }) =>
      score >= likely_score && verificationScore >= likely_verification && size >= likely_size * largest;
    return upright.filter((face) => face.verificationScore >= sure_verification || likely(face));
  }

  /** The faces with their landmarks found once more, on level squares that frame all alike, and on mirror images. */
  async refine(picture, faces) {
    const { landmark_input: size, mirrored, faces_at_once } = this.constants;
    const squares = faces.map((face) => landmarkSquare(face, this.settings.landmark_scale));
    const refined = [...faces];
    const seen = faces.map((_, row) => row).filter((row) => squares[row].touches(picture.width, picture.height));
    for (let start = 0; start < seen.length; start += faces_at_once) {
      const rows = seen.slice(start, start + faces_at_once);
      const line = size * size * 3;
      const batch = new Float32Array(2 * rows.length * line);
      rows.forEach((row, n) => {
        const { data } = cut(picture, squares[row], size);
        for (let y = 0, from = 0; y < size; y++) {
          for (let x = 0; x < size; x++) {
            for (let c = 0; c < 3; c++, from++) {
              const value = (data[from] - 127.5) / 128;
              batch[2 * n * line + from] = value;
              batch[(2 * n + 1) * line + (y * size + size - 1 - x) * 3 + c] = value;
            }
          }
        }
      });
      const { landmarks, faces: sure } = await this.cascade.output(batch, [2 * rows.length, size, size, 3]);
      rows.forEach((row, n) => {
        const [plain, other] = [20 * n, 20 * n + 10];
        const points = mirrored.map((twin, k) => {
          const across = (landmarks[plain + k] + 1 - landmarks[other + twin]) / 2;
          return squares[row].place([across, (landmarks[plain + 5 + k] + landmarks[other + 5 + twin]) / 2]);
        });
        refined[row] = faces[row].with({ landmarks: points, verificationScore: (sure[4 * n + 1] + sure[4 * n + 3]) / 2 });
      });
    }
    return refined;
  }
}

/** A picture no larger than that, and its scale. */
function shrunk(picture, longest) {
  const scale = Math.min(longest / Math.max(picture.width, picture.height), 1);
  const size = [picture.width, picture.height].map((side) => Math.max(roundEven(side * scale), 1));
  const same = size[0] === picture.width && size[1] === picture.height;
  return { seen: same ? picture : picture.resized(...size, 2), scale };
}

/** Bent by a gamma curve to about a mean brightness, and stretched to the full range but for a percentage at either
 * end. */
function stretchedContrast(picture, brightness, percent) {
  const now = clip(mean(picture.grey().data) / 255, 0.01, 0.99);
  const gamma = Math.log(brightness) / Math.log(now);
  const bent = picture.mapped(Array.from({ length: 256 }, (_, value) => roundEven(255 * (value / 255) ** gamma)));
  return bent.mapped(...[0, 1, 2].map((c) => autocontrast(bent, c, percent)));
}

/** A channel's table of Pillow's `ImageOps.autocontrast`. */
function autocontrast({ data }, channel, percent) {
  const counts = new Array(256).fill(0);
  for (let at = channel; at < data.length; at += 3) counts[data[at]]++;
  const total = data.length / 3;
  for (const places of [counts.keys(), Array.from(counts.keys()).reverse()]) {
    let cut = Math.floor((total * percent) / 100);
    for (const place of places) {
      const gone = Math.min(cut, counts[place]);
      counts[place] -= gone;
      cut -= gone;
      if (cut <= 0) break;
    }
  }
  const low = counts.findIndex((count) => count > 0);
  const high = counts.findLastIndex((count) => count > 0);
  if (high <= low) return Array.from({ length: 256 }, (_, value) => value);
  const scale = 255 / (high - low);
  return Array.from({ length: 256 }, (_, value) => clip(Math.trunc(value * scale - low * scale), 0, 255));
}

/** From where to where the fewest tiles of equal length reach along a side. */
function starts(length, tile, overlap) {
  const count = Math.max(Math.ceil((length - overlap) / (tile - overlap)), 1);
  const step = (length - overlap) / count;
  return Array.from({ length: count }, (_, n) => [
    roundEven(n * step),
    Math.min(roundEven(n * step + step + overlap), length),
  ]);
}
