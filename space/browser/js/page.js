// The page: photos and camera in, answers out; all computing is the worker's.

import { boxes, card, limits, made } from "./draw.js";
import { filled } from "./numbers.js";
import { forgetAll } from "./store.js";
import { Tracker } from "./tracking.js";

const find = (selector) => document.querySelector(selector);
const constants = await (await fetch("constants.json")).json();
const { words, largest_bytes, camera } = constants.page;
const page = { words, config: constants.config, metrics: constants.metrics };
const leastScore = constants.config.quality.find(({ measure }) => measure === "verification_score")?.threshold ?? 0;
const asked = new Map(); // questions to the worker that wait for their answers
let questions = 0;
let worker = null;
let last = null; // the photo that is shown
let wish = 0; // counts what is wanted of the camera: a stream that comes for an earlier wish is let go

async function ask(source, all = true, transfer = []) {
  if (!isSecureContext) throw new Error(words.insecure); // browsers then lack what the model is checked and kept with
  worker ??= started();
  return new Promise((resolve, reject) => {
    const id = ++questions;
    asked.set(id, { resolve, reject });
    worker.postMessage({ id, source, all }, transfer);
  });
}

function started() {
  const made = new Worker("js/worker.js", { type: "module" });
  made.onmessage = ({ data: { id, progress, answer, error } }) => {
    if (progress) return progressed(progress);
    const { resolve, reject } = asked.get(id);
    asked.delete(id);
    return error ? reject(new Error(error)) : resolve(answer);
  };
  made.onerror = () => ended(words.no_worker);
  return made;
}

function ended(why) {
  worker?.terminate();
  worker = null;
  for (const { reject } of asked.values()) reject(new Error(why));
  asked.clear();
}

function progressed({ done, all }) {
  find("#loading").hidden = done >= all;
  find("#loading progress").value = done / all;
  find("#loading span").textContent = filled(words.loading, { done: done / 1e6, all: all / 1e6 });
}

function tell(text, wrong = false) {
  find("#told").textContent = text;
  find("#told").classList.toggle("wrong", wrong);
}

const marked = (faces) =>
  faces
    .map((face) => ({ ...face, unlikely: (face.prediction.quality.verification_score ?? 1) < leastScore }))
    .sort((one, other) => one.unlikely - other.unlikely);

async function offer(file) {
  if (!file) return;
  open("photo");
  if (file.size > largest_bytes) return tell(filled(words.too_many_bytes, { name: file.name }), true);
  if (file.type && !file.type.startsWith("image/")) return tell(filled(words.not_a_picture, { name: file.name }), true);
  last = file;
  await answer(file);
}

async function answer(file) {
  tell(words.looking);
  find("#answer").replaceChildren();
  try {
    const { faces: found, width, height } = await ask(file, find("#all").checked);
    if (file !== last) return;
    tell("");
    const faces = marked(found);
    const picture = made("img", { src: URL.createObjectURL(file), alt: filled(words.photo, { count: faces.length }) });
    picture.onload = () => URL.revokeObjectURL(picture.src);
    find("#photo").replaceChildren(made("div", { class: "framed" }, picture, boxes(faces, width, height)));
    const cards = faces.map((face, n) => card(n + 1, face, faces.length > 1, page));
    find("#answer").replaceChildren(
      ...(cards.length ? cards : [made("p", { class: "card note", role: "status", text: words.no_face })]),
    );
    find("#answer").classList.toggle("several", cards.length > 1);
    find("main").scrollIntoView();
  } catch (error) {
    if (file === last) tell(error.message, true);
  }
}

function open(tab) {
  for (const button of document.querySelectorAll('[role="tab"]'))
    button.setAttribute("aria-selected", button.dataset.tab === tab);
  for (const panel of document.querySelectorAll('[role="tabpanel"]')) panel.hidden = panel.id !== `tab-${tab}`;
  if (tab !== "live") stop();
}

async function start() {
  const video = find("#video");
  const mine = ++wish;
  find("#live-told").textContent = words.starting;
  try {
    if (!navigator.mediaDevices) throw Object.assign(new Error(), { name: "SecurityError" });
    const given = await navigator.mediaDevices.getUserMedia({ video: { width: camera.width, facingMode: "user" } });
    if (mine !== wish) return given.getTracks().forEach((track) => track.stop());
    video.srcObject = given;
    await video.play();
    find("#live-told").textContent = "";
  } catch (error) {
    return mine === wish && stop(words.camera[error.name] ?? filled(words.camera.other, { name: error.name }));
  }
  find("#stage").hidden = find("#stop").hidden = false;
  find("#start").hidden = true;
  const tracker = new Tracker(constants);
  while (mine === wish) {
    try {
      const frame = await createImageBitmap(video);
      const { faces, width, height } = await ask(frame, true, [frame]);
      const followed = tracker.update(faces.map(({ prediction }) => prediction));
      if (mine !== wish) return;
      const numbers = followed.map(({ number }) => number);
      find("#stage svg")?.remove();
      find("#stage").append(boxes(followed, width, height, numbers));
      const cards = followed.map(({ number, prediction }) => card(number, { prediction }, true, page));
      find("#live").replaceChildren(
        ...(cards.length ? cards : [made("p", { class: "card note", text: words.no_face_here })]),
      );
    } catch (error) {
      if (mine === wish) stop(error.message);
    }
    await new Promise((done) => setTimeout(done, camera.pause));
  }
}

function stop(told = "") {
  const video = find("#video");
  wish += 1;
  for (const track of video.srcObject?.getTracks() ?? []) track.stop();
  video.srcObject = null;
  find("#live-told").textContent = told;
  find("#stage").hidden = find("#stop").hidden = true;
  find("#start").hidden = false;
}

async function forget() {
  stop();
  ended(words.forgotten); // or it would go on to keep what it loads
  await forgetAll();
  for (const one of (await navigator.serviceWorker?.getRegistrations()) ?? []) await one.unregister();
  find("#loading").hidden = true;
  tell(words.forgotten);
}

const hasFiles = (event) => [...(event.dataTransfer?.types ?? [])].includes("Files");
document.addEventListener("dragover", (event) => hasFiles(event) && event.preventDefault());
document.addEventListener("drop", (event) => {
  if (!hasFiles(event)) return;
  event.preventDefault();
  offer(event.dataTransfer.files[0]);
});
document.addEventListener("paste", (event) => offer(event.clipboardData?.files[0]));
find("#file").addEventListener("change", ({ target }) => (offer(target.files[0]), (target.value = "")));
find("#choose").addEventListener("click", () => find("#file").click());
offer(find("#file").files[0]); // chosen before this script was there
find("#all").addEventListener("change", () => last && answer(last));
find("#start").addEventListener("click", start);
find("#stop").addEventListener("click", () => stop());
find("#forget").addEventListener("click", forget);
const tabs = [...document.querySelectorAll('[role="tab"]')];
for (const [n, button] of tabs.entries()) {
  button.addEventListener("click", () => open(button.dataset.tab));
  button.addEventListener("keydown", ({ key }) => {
    const way = { ArrowRight: 1, ArrowLeft: -1 }[key];
    if (way) tabs.at((n + way) % tabs.length).focus();
  });
}
find("#size").textContent = filled(words.size, { all: constants.first_bytes / 1e6 });
find("#version").textContent = filled(words.version, constants);
find("#limits").append(...limits(constants.metrics, words));
navigator.serviceWorker?.register("sw.js", { updateViaCache: "none" }).catch(() => {}); // without one the page still works, only not offline
const simd = WebAssembly.validate(new Uint8Array(constants.page.simd_probe));
if (simd) ask(null).catch((error) => tell(error.message, true));
else tell(words.no_simd, true);
