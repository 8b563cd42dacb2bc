// From an upright picture to predictions, step by step as hf_model/predictor.py.

import { alignment, cut } from "./alignment.js";
import { Cascade } from "./cascade.js";
import { Detector } from "./detector.js";
import { calibrate } from "./calibration.js";
import { chipSquare } from "./face.js";
import { Familiarity } from "./familiarity.js";
import { answersOf, openNetwork, pixelValues } from "./network.js";
import { measureQuality, warningsOf } from "./quality.js";
import { decide, rounded } from "./numbers.js";

export class Predictor {
  /** `ort`: ONNX Runtime; `constants`: the generated json; `files`: the graphs and `familiarity` as bytes, by name. */
  static async load(ort, constants, files) {
    Object.assign(alignment, constants.alignment);
    const networks = {};
    for (const name of ["proposal", "refine", "output", "network"])
      networks[name] = await openNetwork(ort, files[name]);
    const made = new Predictor();
    const { mean, components } = constants.familiarity;
    const numbers = new Float32Array(files.familiarity);
    const statistics = { mean: numbers.subarray(0, mean), components: numbers.subarray(mean, mean + components) };
    const cascade = new Cascade(networks, constants.cascade);
    return Object.assign(made, {
      constants,
      config: constants.config,
      network: networks.network,
      detector: new Detector(constants.config.detection, cascade, constants.detector),
      familiarity: new Familiarity({ ...constants.familiarity, ...statistics }),
    });
  }

  /** The faces of an upright picture that lie on it, the surest first. */
  async find(picture) {
    return (await this.detector.find(picture)).filter((face) => {
      const box = face.clipped(picture.width, picture.height);
      const touches = this.square(face).touches(picture.width, picture.height);
      return touches && box.xmax > box.xmin && box.ymax > box.ymin;
    });
  }

  square(face) {
    return chipSquare(face, this.config.crop, this.constants.face);
  }

  /** What the network is shown of a face. */
  crop(picture, face) {
    return cut(picture, this.square(face), this.config.input.size);
  }

  /** The prediction for one face, with the crop that it rests on. */
  async answer(picture, face, faces) {
    const { config, constants } = this;
    const crop = this.crop(picture, face);
    const photo = [picture.width, picture.height];
    const quality = measureQuality(crop, face, this.square(face), photo, faces, constants.quality);
    const outputs = await this.network(pixelValues(crop, constants.preprocessing), [1, 3, crop.height, crop.width]);
    const { distribution, age, female: told } = answersOf(outputs);
    const channels = config.heads.conv_filters;
    const maps = constants.familiarity.maps.map((name) => ({ values: outputs[name], channels }));
    quality.familiarity = rounded(this.familiarity.share(maps), 4);
    const { female, interval } = calibrate(told, age, distribution, quality, config.calibration, constants.calibration);
    const prediction = {
      age,
      age_interval: interval,
      age_distribution: distribution,
      gender: decide(female, config.decision),
      female_probability: female,
      box: face.clipped(...photo),
      detection_score: face.score,
      rotation: face.rotation,
      quality,
      warnings: warningsOf(quality, config.quality, constants.quality),
    };
    return { prediction, crop };
  }

  /** All faces of a picture, or of several the most confident, and how many were found. */
  async predict(picture, all = true) {
    const found = await this.find(picture);
    const answers = [];
    for (const face of all ? found : found.slice(0, 1)) answers.push(await this.answer(picture, face, found.length));
    return { answers, found: found.length };
  }
}
