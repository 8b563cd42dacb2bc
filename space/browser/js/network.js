// The networks on ONNX Runtime Web, and what the age and gender network is given and says.

/** A network as a function from a float32 tensor and its shape to its outputs' values by name; `dims`: of the last two
 * axes. */
export async function openNetwork(ort, bytes) {
  const session = await ort.InferenceSession.create(bytes, {
    executionProviders: ["wasm"],
    graphOptimizationLevel: "all",
  });
  return async (values, shape) => {
    const input = new ort.Tensor("float32", values, shape);
    const outputs = await session.run({ [session.inputNames[0]]: input });
    const told = {};
    for (const [name, tensor] of Object.entries(outputs)) {
      told[name] = tensor.data;
      told.dims = tensor.dims.slice(-2);
    }
    return told;
  };
}

/** A face's pixels as the network takes them: channels first, without their means. */
export function pixelValues({ data }, { mean, spread }) {
  const count = data.length / 3;
  const values = new Float32Array(data.length);
  for (let at = 0; at < count; at++) {
    for (let c = 0; c < 3; c++) values[c * count + at] = Math.fround(data[3 * at + c] - Math.fround(mean[c])) / spread;
  }
  return values;
}

/** The network's logits as answers: the distribution over ages, its mean, and the probability of "female". */
export function answersOf({ age_logits, gender_logits }) {
  const most = Math.max(...age_logits);
  const shares = Array.from(age_logits, (logit) => Math.exp(logit - most));
  const sum = shares.reduce((one, other) => one + other, 0);
  const distribution = shares.map((share) => share / sum);
  const age = distribution.reduce((years, share, year) => years + share * year, 0);
  return { distribution, age, female: 1 / (1 + Math.exp(-gender_logits[0])) };
}
