// The card of a face as elements: what space/face_card.py says, from the same sentences.

import { filled, roundEven } from "./numbers.js";

const SVG = "http://www.w3.org/2000/svg";
const [WIDE, HIGH] = [360, 92]; // of the chart, in its own units

/** An element with attributes (`text`, `style` and `html` of our own sentences apart) and children. */
export function made(tag, attributes = {}, ...children) {
  const svg = ["svg", "polyline", "rect", "line", "text"].includes(tag);
  const element = svg ? document.createElementNS(SVG, tag) : document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name === "text") element.textContent = value;
    else if (name === "html") element.innerHTML = value;
    else if (name === "style") for (const [key, one] of Object.entries(value)) element.style.setProperty(key, one);
    else element.setAttribute(name, value);
  }
  element.append(...children.filter(Boolean));
  return element;
}

/** The colour of a face by its number, as space/boxes.py has it. */
export const colourOf = (number) => `hsl(${(168 + 137.508 * (number - 1)) % 360} 75% 27%)`;

/** Boxes with numbers over a picture of a size. */
export function boxes(faces, width, height, numbers) {
  const unit = Math.max(Math.min(width, height) / 150, 2);
  const marks = faces.flatMap(({ prediction: { box }, unlikely }, n) => {
    const number = numbers?.[n] ?? n + 1;
    const stroke = {
      stroke: colourOf(number),
      "stroke-width": unit,
      fill: "none",
      ...(unlikely && { "stroke-dasharray": 4 * unit }),
    };
    const size = { width: box.xmax - box.xmin, height: box.ymax - box.ymin };
    const label = {
      x: box.xmin,
      y: Math.max(box.ymin - 2 * unit, 8 * unit),
      "font-size": 9 * unit,
      class: "label",
      text: number,
    };
    const rect = made("rect", { x: box.xmin, y: box.ymin, ...size, ...stroke });
    return faces.length > 1 || numbers
      ? [rect, made("text", { ...label, stroke: colourOf(number), "stroke-width": 2 * unit })]
      : [rect];
  });
  return made("svg", { viewBox: `0 0 ${width} ${height}`, class: "boxes", "aria-hidden": "true" }, ...marks);
}

/** The card of one face. */
export function card(number, face, several, { words, config, metrics }) {
  const { prediction, crop, unlikely } = face;
  const {
    age,
    age_interval: [low, high],
    female_probability: female,
    gender,
    warnings,
  } = prediction;
  const level = metrics.by_predicted_age.find((one) => one.low <= age && age < one.high + 1);
  const say = (name, text, values) => made("p", { class: name, html: filled(text, values) });
  const title = filled(words.face, { number });
  const heading = several && made("h2", {}, made("span", { class: "number", text: number }), unlikely ? words.unlikely : title);
  const turned = prediction.rotation ? [[words.turned[prediction.rotation], ""]] : [];
  const costs = warnings.map((warning) => warning.split(/(?<=\.) (.*)/s));
  const alerts = [...turned, ...costs].map(([what, cost]) =>
    made("div", { class: "alert", role: "note" }, made("b", { text: what }), made("span", { text: cost })),
  );
  const child = age < words.child_below && level;
  const guess = child && (level.gender < words.hardly_better_below ? words.child_guess : words.child_wrong);
  const said = filled(words[gender], { sure: Math.max(female, 1 - female), female });
  const genderPart = made(
    "div",
    { class: child ? "unsure" : "gender" },
    child && made("p", { text: filled(words.child, { guess, one_in: 1 / Math.max(1 - level.gender, 0.001) }) }),
    made("p", { class: "said", html: said }),
    bar(female, config.decision, words),
  );
  const wide = high - low > words.wide * metrics.median_width;
  const worth = warnings.length
    ? words.worth_poor
    : wide
      ? words.worth_wide
      : filled(words.worth_clear, { size: prediction.quality.face_size });
  const tests = level && filled(words.tests, { level: level.name, error: level.age, held: level.held });
  const canvas =
    crop &&
    made("canvas", { class: "crop", width: crop.width, height: crop.height, role: "img", "aria-label": words.crop });
  canvas?.getContext("2d").putImageData(crop, 0, 0);
  return made(
    "section",
    {
      class: `card face${unlikely ? " unlikely" : ""}`,
      style: { "--face": colourOf(number) },
      "aria-label": title,
    },
    heading,
    canvas,
    say("age", roundEven(age) === 1 ? words.age_one : words.age, { age }),
    say("range", words.range, { low, high }),
    ...alerts,
    genderPart,
    !several && chart(prediction, words),
    !several && made("p", { class: "small", text: `${worth}${tests ?? ""}` }),
  );
}

function bar(female, { male_below: low, female_above: high }, words) {
  const percent = (share) => `${100 * share}%`;
  const band = made("div", { class: "band", style: { left: percent(low), width: percent(high - low) } });
  const mark = made("div", { class: "mark", style: { left: percent(female) } });
  const ends = made(
    "div",
    { class: "ends", "aria-hidden": "true" },
    ...words.ends.map((text) => made("span", { text })),
  );
  return made(
    "div",
    {},
    made("div", { class: "bar", role: "img", "aria-label": filled(words.bar, { female, low, high }) }, band, mark),
    ends,
  );
}

function chart({ age, age_interval: [low, high], age_distribution: shares }, words) {
  const step = WIDE / (shares.length - 1);
  const top = Math.max(...shares);
  const points = shares.map((share, year) => `${year * step},${HIGH - (HIGH - 6) * (share / top)}`).join(" ");
  const marks = [0, 20, 40, 60, 80, 100].map((year) => made("text", { x: year * step, y: HIGH + 14, text: year }));
  return made(
    "svg",
    {
      viewBox: `0 0 ${WIDE} ${HIGH + 18}`,
      class: "chart",
      role: "img",
      "aria-label": filled(words.chart, { age, low, high }),
    },
    made("rect", { class: "range-shade", x: low * step, y: 0, width: (high - low) * step, height: HIGH }),
    made("polyline", { class: "curve", points }),
    made("line", { class: "mean", x1: age * step, x2: age * step, y1: 0, y2: HIGH }),
    ...marks,
  );
}

/** Measured errors by group as tables. */
export function limits({ groups }, words) {
  return Object.entries(groups).map(([factor, rows]) =>
    made(
      "table",
      {},
      made("caption", { text: words.factors[factor] }),
      made("tr", {}, ...words.columns.map((text) => made("th", { scope: "col", text }))),
      ...rows.map(({ name, n, age, wrong }) =>
        made(
          "tr",
          {},
          made("th", { scope: "row", text: name }),
          ...[n, age.toFixed(1), `${Math.round(100 * wrong)}%`].map((text) => made("td", { text })),
        ),
      ),
    ),
  );
}
