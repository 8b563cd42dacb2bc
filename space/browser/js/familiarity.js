// How unlike the training's faces a face is, as hf_model/network/familiarity.py says it.

export class Familiarity {
  /** `mean` (D), `components` (D × K), `distances` and `shares` (Q), `fall`: how the logarithm of the share falls
   * further out. */
  constructor({ mean, components, distances, shares, fall, smallest }) {
    Object.assign(this, { mean, components, distances, logs: shares.map(Math.log), fall, smallest });
  }

  /** The share of validation faces that are further out; `maps`: of both heads, each places × channels. */
  share(maps) {
    return this.#shareOf(this.distance(pooled(maps)));
  }

  distance(features) {
    const many = this.components.length / features.length;
    const inside = new Float64Array(many);
    let all = 0;
    features.forEach((value, row) => {
      const centred = value - this.mean[row];
      all += centred ** 2;
      for (let k = 0; k < many; k++) inside[k] += centred * this.components[row * many + k];
    });
    return Math.sqrt(Math.max(all - inside.reduce((sum, value) => sum + value ** 2, 0), 0));
  }

  #shareOf(distance) {
    const { distances, logs, fall } = this;
    const last = distances.length - 1;
    let told = logs[0];
    if (distance > distances[last]) told = Math.min(fall[0] * distance + fall[1], logs[last]);
    else if (distance > distances[0]) {
      const next = distances.findIndex((one) => one >= distance);
      const share = (distance - distances[next - 1]) / (distances[next] - distances[next - 1]);
      told = logs[next - 1] + share * (logs[next] - logs[next - 1]);
    }
    return Math.min(Math.max(Math.exp(told), this.smallest), 1);
  }
}

/** The square roots of the means over the places of feature maps, one after the other. */
function pooled(maps) {
  return maps.flatMap(({ values, channels }) => {
    const sums = new Float64Array(channels);
    values.forEach((value, place) => (sums[place % channels] += value));
    return Array.from(sums, (sum) => Math.sqrt(sum / (values.length / channels)));
  });
}
