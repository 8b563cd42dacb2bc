// Faces through a camera's frames: kept apart by place and age, their answers smoothed, as hf_model/tracking.py does.

import { calibrate } from "./calibration.js";
import { decide, logit } from "./numbers.js";

export class Tracker {
  /** `constants`: the generated json. */
  constructor(constants) {
    Object.assign(this, { constants, rules: constants.tracking, tracks: [], next: 1 });
  }

  /** Numbers and smoothed answers for the predictions of the next frame. */
  update(found) {
    const matched = this.#match(found);
    for (const track of this.tracks) track.missed = [...matched.values()].includes(track) ? 0 : track.missed + 1;
    this.tracks = this.tracks.filter(({ missed }) => missed <= this.rules.frames_missed);
    return found.map((prediction, place) => {
      const track = matched.get(place);
      if (track) this.#remember(track, prediction);
      return {
        number: (track ?? this.#started(prediction)).number,
        prediction: this.#smoothed(track ?? this.tracks.at(-1), prediction),
      };
    });
  }

  #match(found) {
    const pairs = found.flatMap((prediction, place) =>
      this.tracks
        .filter((track) => sharedBy(track.distribution, prediction.age_distribution) >= this.rules.least_shared)
        .map((track) => ({ shared: overlap(track.box, prediction.box), place, track })),
    );
    const matched = new Map();
    const taken = new Set();
    for (const { shared, place, track } of pairs.sort((one, other) => other.shared - one.shared)) {
      if (shared < this.rules.least_overlap || matched.has(place) || taken.has(track)) continue;
      matched.set(place, track);
      taken.add(track);
    }
    return matched;
  }

  #started({ box, female_probability, age, age_distribution }) {
    const track = {
      number: this.next++,
      box,
      logit: logit(female_probability),
      age,
      distribution: age_distribution,
      frames: 1,
      missed: 0,
    };
    this.tracks.push(track);
    return track;
  }

  #remember(track, { box, female_probability, age, age_distribution }) {
    track.frames++;
    const kept = Math.min(this.rules.memory, 1 - 1 / track.frames);
    const mixed = (before, now) => kept * before + (1 - kept) * now;
    track.box = box;
    track.logit = mixed(track.logit, logit(female_probability));
    track.age = mixed(track.age, age);
    track.distribution = track.distribution.map((before, year) => mixed(before, age_distribution[year]));
  }

  #smoothed(track, prediction) {
    const { config, calibration } = this.constants;
    const female = 1 / (1 + Math.exp(-track.logit));
    const { age, distribution } = track;
    const { interval } = calibrate(0.5, age, distribution, prediction.quality, config.calibration, calibration);
    const gender = decide(female, config.decision);
    return {
      ...prediction,
      age: track.age,
      age_interval: interval,
      gender,
      female_probability: female,
      age_distribution: track.distribution,
    };
  }
}

/** What two distributions share, 0 to 1. */
function sharedBy(one, other) {
  return one.reduce((sum, share, year) => sum + Math.min(share, other[year]), 0);
}

/** Intersection over union of two boxes. */
export function overlap(one, other) {
  const across = Math.min(one.xmax, other.xmax) - Math.max(one.xmin, other.xmin);
  const down = Math.min(one.ymax, other.ymax) - Math.max(one.ymin, other.ymin);
  const shared = Math.max(across, 0) * Math.max(down, 0);
  const area = (box) => (box.xmax - box.xmin) * (box.ymax - box.ymin);
  return shared / Math.max(area(one) + area(other) - shared, 1);
}
