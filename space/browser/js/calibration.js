// How far an answer can be trusted: the age's prediction interval and the gender's calibrated probability, as in hf_model/calibration.py.

import { clip, logit, rounded } from "./numbers.js";

/** Of one face the calibrated probability of "female", and the interval that holds the labelled age of four in five. */
export function calibrate(female, age, distribution, quality, section, { tail, oldest }) {
  const features = section.features.map((one) =>
    (one.both ?? [one]).reduce((all, part) => all * feature(age, quality, part), 1),
  );
  const weighted = ({ constant, features: weights }) =>
    weights.reduce((sum, weight, n) => sum + weight * features[n], constant);
  const odds = logit(female) / Math.exp(weighted(section.gender)) + section.gender.shift;
  const [low, high] = [tail, 1 - tail].map((share) => crossing(distribution, share));
  const familiarity = quality.familiarity ?? 1;
  const factor = section.factors[group(section.familiarity_edges, familiarity)][group(section.age_edges, age)];
  const reach = (side, years) =>
    factor * Math.exp(weighted(section[side]) + section[side].spread * Math.log1p(Math.max(years, 0)));
  const ends = [age - reach("younger", age - low), age + reach("older", high - age)];
  return {
    female: 1 / (1 + Math.exp(-odds)),
    interval: [Math.min(ends[0], age), Math.max(ends[1], age)].map((end) => rounded(clip(end, 0, oldest), 1)),
  };
}

/** How far a measure is on its way from one value to another, 0 to 1; not known counts as the first. */
function feature(age, quality, { measure, from, to }) {
  let value = measure === "age" ? age : quality[measure === "unfamiliarity" ? "familiarity" : measure];
  if (value === null) return 0;
  if (measure === "unfamiliarity") value = -Math.log10(clip(value, 1e-4, 1));
  return clip((value - from) / (to - from), 0, 1);
}

/** The age below which a share of a distribution over whole years lies, read linearly. */
function crossing(distribution, share) {
  let below = 0;
  for (let year = 0; year < distribution.length; year++) {
    if (below + distribution[year] >= share) return year - 0.5 + (share - below) / Math.max(distribution[year], 1e-9);
    below += distribution[year];
  }
  return distribution.length - 0.5;
}

const group = (edges, value) => edges.filter((edge) => edge <= value).length;
