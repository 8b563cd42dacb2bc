// Cutting a face out of a photo the way UTKFace's chips were cut: shifted, scaled and turned until the eyes are level.

/** From how many times the wanted size on a square is first averaged in blocks; set from the generated constants. */
export const alignment = { blocks_from: Infinity, fineness: 0, turns: 1 };

/** A square anyhow on an image: centre and side in pixels, and by how many degrees it is turned clockwise. */
export class Square {
  constructor(x, y, side, roll = 0) {
    Object.assign(this, { x, y, side, roll });
    const angle = (roll * Math.PI) / 180;
    this.along = [side * Math.cos(angle), side * Math.sin(angle)];
    this.down = [-this.along[1], this.along[0]];
  }

  /** The nearest square on a grid: what engines differ by in the last digits is to change no pixel. */
  snapped() {
    const step = 2 ** (Math.floor(Math.log2(this.side)) - alignment.fineness);
    const [x, y, side] = [this.x, this.y, this.side].map((value) => Math.floor(value / step + 0.5) * step);
    return new Square(x, y, side, Math.floor(this.roll * alignment.turns + 0.5) / alignment.turns);
  }

  /** A place in the square, as fractions of its side, on the image. */
  place([across, down]) {
    return [0, 1].map((k) => (across - 0.5) * this.along[k] + (down - 0.5) * this.down[k] + (k ? this.y : this.x));
  }

  /** Left, top, right and bottom of what it covers. */
  bounds() {
    const corners = [0, 1, 2, 3].map((n) => this.place([n % 2, n >> 1]));
    const [xs, ys] = [0, 1].map((k) => corners.map((corner) => corner[k]));
    return [Math.min(...xs), Math.min(...ys), Math.max(...xs), Math.max(...ys)];
  }

  touches(width, height) {
    const [left, top, right, bottom] = this.bounds();
    return left < width && top < height && right > 0 && bottom > 0;
  }

  /** The share of it that lies beyond an image of that size. */
  outside(width, height) {
    const [left, top, right, bottom] = this.bounds();
    if (left >= 0 && top >= 0 && right <= width && bottom <= height) return 0;
    let within = 0;
    for (let row = 0; row < 50; row++) {
      for (let column = 0; column < 50; column++) {
        const [x, y] = this.place([(column + 0.5) / 50, (row + 0.5) / 50]);
        within += x >= 0 && y >= 0 && x < width && y < height;
      }
    }
    return 1 - within / 2500;
  }
}

/** What a picture shows in a square that touches it, (size, size), antialiased; beyond it its edge is repeated. */
export function cut(picture, square, size) {
  const fine = square.side / size;
  const blocks = fine >= alignment.blocks_from ? Math.max(Math.floor(fine / (alignment.blocks_from / 2)), 1) : 1;
  const [left, top, right, bottom] = square.bounds();
  const margin = 2 * blocks;
  const inside = [
    Math.max(Math.floor(left) - margin, 0),
    Math.max(Math.floor(top) - margin, 0),
    Math.min(Math.ceil(right) + margin, picture.width),
    Math.min(Math.ceil(bottom) + margin, picture.height),
  ];
  let seen = picture.crop(...inside);
  if (blocks > 1) seen = seen.reduced(blocks);
  const samples = size * Math.max(Math.ceil(fine / blocks - 1e-9), 1);
  const [along, down] = [square.along, square.down].map((axis) => axis.map((part) => part / blocks));
  const corner = [0, 1].map((k) => ((k ? square.y : square.x) - inside[k]) / blocks - (along[k] + down[k]) / 2);
  const matrix = [along[0] / samples, down[0] / samples, corner[0], along[1] / samples, down[1] / samples, corner[1]];
  const sampled = seen.sampled(samples, matrix);
  return samples === size ? sampled : sampled.resized(size, size);
}
