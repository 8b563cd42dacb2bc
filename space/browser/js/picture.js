// A picture as rows of RGB bytes, and what is done to pictures, to the rounding of Pillow, whose resampling the model
// knows.

const BITS = 22; // of the whole numbers that Pillow's weights are

export class Picture {
  /** `data`: width × height × channels bytes, RGB or grey. */
  constructor(width, height, data, channels = 3) {
    Object.assign(this, { width, height, data, channels });
  }

  /** From canvas pixels (RGBA), on white where they are transparent. */
  static fromRgba(width, height, rgba) {
    const data = new Uint8Array(width * height * 3);
    for (let from = 0, to = 0; from < rgba.length; from += 4, to += 3) {
      const alpha = rgba[from + 3];
      for (let c = 0; c < 3; c++) {
        data[to + c] = Math.round((rgba[from + c] * alpha + 255 * (255 - alpha)) / 255);
      }
    }
    return new Picture(width, height, data);
  }

  crop(left, top, right, bottom) {
    const { width, data, channels } = this;
    const made = new Uint8Array((right - left) * (bottom - top) * channels);
    for (let y = top, to = 0; y < bottom; y++, to += (right - left) * channels) {
      made.set(data.subarray((y * width + left) * channels, (y * width + right) * channels), to);
    }
    return new Picture(right - left, bottom - top, made, channels);
  }

  /** Turned counter-clockwise by 90, 180 or 270 degrees. */
  turned(rotation) {
    const { width, height, data, channels } = this;
    const [wide, high] = rotation === 180 ? [width, height] : [height, width];
    const made = new Uint8Array(data.length);
    for (let y = 0, to = 0; y < high; y++) {
      for (let x = 0; x < wide; x++) {
        const [column, row] = {
          90: [width - 1 - y, x],
          180: [width - 1 - x, height - 1 - y],
          270: [y, height - 1 - x],
        }[rotation];
        for (let c = 0; c < channels; c++) made[to++] = data[(row * width + column) * channels + c];
      }
    }
    return new Picture(wide, high, made, channels);
  }

  /** Each block of so many pixels a side becomes their mean. */
  reduced(across, down = across) {
    const { width, height, data, channels } = this;
    const [wide, high] = [Math.ceil(width / across), Math.ceil(height / down)];
    const made = new Uint8Array(wide * high * channels);
    const sums = new Uint32Array(wide * channels);
    for (let row = 0, to = 0; row < high; row++) {
      sums.fill(0);
      const last = Math.min((row + 1) * down, height);
      for (let y = row * down; y < last; y++) {
        for (let x = 0, from = y * width * channels; x < width; x++) {
          const at = Math.floor(x / across) * channels;
          for (let c = 0; c < channels; c++) sums[at + c] += data[from++];
        }
      }
      for (let x = 0; x < wide; x++) {
        const area = (Math.min((x + 1) * across, width) - x * across) * (last - row * down);
        const share = Math.floor(2 ** 24 / area) / 2 ** 24; // as Pillow divides
        for (let c = 0; c < channels; c++) made[to++] = (sums[x * channels + c] + (area >> 1)) * share;
      }
    }
    return new Picture(wide, high, made, channels);
  }

  /** Resized with Pillow's antialiased bilinear filter; whole blocks first where that is cheaper (`reducing_gap`). */
  resized(wide, high, gap = 0) {
    const across = gap ? Math.max(Math.floor(this.width / wide / gap), 1) : 1;
    const down = gap ? Math.max(Math.floor(this.height / high / gap), 1) : 1;
    const small = across > 1 || down > 1 ? this.reduced(across, down) : this;
    return small.#sideways(wide, this.width / across).#upwards(high, this.height / down);
  }

  #sideways(wide, length) {
    const { width, height, data, channels } = this;
    if (wide === width && length === width) return this;
    const made = new Uint8Array(wide * height * channels);
    const taps = filterTaps(wide, length, width);
    for (let y = 0; y < height; y++) {
      for (let x = 0; x < wide; x++) {
        const { first, weights } = taps[x];
        for (let c = 0; c < channels; c++) {
          let sum = 1 << (BITS - 1);
          for (let k = 0, from = (y * width + first) * channels + c; k < weights.length; k++, from += channels) {
            sum += weights[k] * data[from];
          }
          made[(y * wide + x) * channels + c] = sum >> BITS;
        }
      }
    }
    return new Picture(wide, height, made, channels);
  }

  #upwards(high, length) {
    const { width, height, data, channels } = this;
    if (high === height && length === height) return this;
    const line = width * channels;
    const made = new Uint8Array(line * high);
    const sums = new Int32Array(line);
    filterTaps(high, length, height).forEach(({ first, weights }, y) => {
      sums.fill(1 << (BITS - 1));
      for (let k = 0; k < weights.length; k++) {
        for (let x = 0, from = (first + k) * line; x < line; x++) sums[x] += weights[k] * data[from + x];
      }
      for (let x = 0; x < line; x++) made[y * line + x] = sums[x] >> BITS;
    });
    return new Picture(width, high, made, channels);
  }

  /** Its brightness, as Pillow's mode L. */
  grey() {
    const { width, height, data } = this;
    const made = new Uint8Array(width * height);
    for (let to = 0, from = 0; to < made.length; to++, from += 3) {
      made[to] = (data[from] * 19595 + data[from + 1] * 38470 + data[from + 2] * 7471 + 0x8000) >> 16;
    }
    return new Picture(width, height, made, 1);
  }

  /** Values through a table of 256, the same for all channels or one each. */
  mapped(...tables) {
    const data = this.data.map((value, place) => tables[place % tables.length][value]);
    return new Picture(this.width, this.height, data, this.channels);
  }

  /** (size, size) sampled bilinearly at a·x + b·y + c and d·x + e·y + f, its edge repeated beyond it. */
  sampled(size, [a, b, c, d, e, f]) {
    const { width, height, data } = this;
    const made = new Uint8Array(size * size * 3);
    for (let y = 0, to = 0; y < size; y++) {
      for (let x = 0; x < size; x++) {
        const atX = a * (x + 0.5) + b * (y + 0.5) + c - 0.5;
        const atY = d * (x + 0.5) + e * (y + 0.5) + f - 0.5;
        const [left, top] = [Math.floor(atX), Math.floor(atY)];
        const [dx, dy] = [atX - left, atY - top];
        const x0 = Math.min(Math.max(left, 0), width - 1) * 3;
        const x1 = Math.min(Math.max(left + 1, 0), width - 1) * 3;
        const y0 = Math.min(Math.max(top, 0), height - 1) * width * 3;
        const y1 = Math.min(Math.max(top + 1, 0), height - 1) * width * 3;
        for (let k = 0; k < 3; k++) {
          const upper = data[y0 + x0 + k] + (data[y0 + x1 + k] - data[y0 + x0 + k]) * dx;
          const lower = data[y1 + x0 + k] + (data[y1 + x1 + k] - data[y1 + x0 + k]) * dx;
          made[to++] = upper + (lower - upper) * dy;
        }
      }
    }
    return new Picture(size, size, made);
  }
}

/** For each of `many` new pixels along a side of `length` old ones: the first it takes from and the weights. */
function filterTaps(many, length, limit) {
  const scale = length / many;
  const [support, share] = [Math.max(scale, 1), 1 / Math.max(scale, 1)];
  return Array.from({ length: many }, (_, place) => {
    const centre = (place + 0.5) * scale;
    const first = Math.max(Math.trunc(centre - support + 0.5), 0);
    const last = Math.min(Math.trunc(centre + support + 0.5), limit);
    const weights = [];
    for (let x = first; x < last; x++) weights.push(Math.max(1 - Math.abs((x - centre + 0.5) * share), 0));
    const sum = weights.reduce((one, other) => one + other, 0);
    return { first, weights: weights.map((weight) => Math.floor((weight / sum) * 2 ** BITS + 0.5)) };
  });
}
