// What the browser does by itself: the consent, photos chosen, dropped, pasted or taken, the camera, and what a tap shows.
// Nothing leaves the browser before the box is ticked.
(() => {
  "use strict";
  const LARGEST = 20e6; // bytes, as the server's limit
  const FRAME_SIDE = 640; // pixels of a camera's frame
  const EVERY = 500; // milliseconds between frames
  const PATIENCE = 8000; // milliseconds after which a frame without an answer is given up
  const find = (selector) => document.querySelector(selector);
  let waiting = null; // a photo, or an act, that waits for the tick
  let agreed = false;
  let stream = null; // of the camera
  let wish = 0; // counts what is wanted of the camera: a stream that comes for an earlier wish is let go
  let live = false;

  function tell(text, wrong = false) {
    const told = find("#told");
    if (!told) return;
    told.textContent = text;
    told.classList.toggle("wrong", wrong);
  }

  function open(tab) {
    const button = [...document.querySelectorAll('button[role="tab"]')].find((one) => one.textContent.trim() === tab);
    if (button && button.getAttribute("aria-selected") !== "true") button.click();
  }

  // ---- consent ----
  function withConsent(act, told) {
    if (agreed) return act();
    waiting = act;
    for (const one of document.querySelectorAll(".consent")) one.classList.add("asked");
    tell(told);
    const live = find("#live-told");
    if (live) live.textContent = "Please tick the box first.";
    const box = [...document.querySelectorAll(".consent input")].find((one) => one.offsetParent);
    if (box) box.focus();
  }

  document.addEventListener("change", (event) => {
    const box = event.target;
    if (box.matches?.(".consent input")) {
      agreed = box.checked;
      for (const one of document.querySelectorAll(".consent input")) one.checked = agreed;
      for (const one of document.querySelectorAll(".consent")) one.classList.remove("asked");
      tell("");
      if (find("#live-told")) find("#live-told").textContent = "";
      const act = waiting;
      waiting = null;
      if (agreed && act) act();
    } else if (box.id === "own-file") {
      offer(box.files[0]);
      box.value = "";
    }
  });

  // ---- photos ----
  function offer(file) {
    if (!file) return;
    open("Photo");
    if (file.size > LARGEST) {
      tell(`“${file.name}” is larger than 20 MB: please choose a smaller copy.`, true);
    } else if (file.type && !file.type.startsWith("image/")) {
      tell(`“${file.name}” is not a picture (${file.type}): JPEG, PNG, HEIC and WebP work.`, true);
    } else {
      withConsent(() => send(file), "Your photo waits in this browser. Tick the box, and it is answered.");
    }
  }

  function send(file) {
    const input = find("#own input[type=file][data-testid]");
    if (!input) return tell("The page is not ready yet: please try again.", true);
    const files = new DataTransfer();
    files.items.add(file);
    input.files = files.files;
    input.dispatchEvent(new Event("change", { bubbles: true }));
    tell("Looking for faces …");
    look(find("#left"));
  }

  function look(element) {
    if (!element) return;
    const { top, bottom } = element.getBoundingClientRect();
    if (top < 0 || bottom > innerHeight) element.scrollIntoView({ block: "start", behavior: "instant" });
  }

  const hasFiles = (event) => [...(event.dataTransfer?.types ?? [])].includes("Files");
  document.addEventListener("dragover", (event) => {
    if (!hasFiles(event)) return;
    event.preventDefault();
    document.body.classList.add("dropping");
  });
  document.addEventListener("dragleave", (event) => {
    if (!event.relatedTarget) document.body.classList.remove("dropping");
  });
  document.addEventListener("drop", (event) => {
    document.body.classList.remove("dropping");
    if (!hasFiles(event)) return;
    event.preventDefault();
    offer(event.dataTransfer.files[0]);
  });
  document.addEventListener("paste", (event) => {
    if (event.clipboardData?.files.length) offer(event.clipboardData.files[0]);
  });

  // ---- camera ----
  const words = window.cameraWords; // of words.json, by the error's name

  // Shows the camera; the number of this wish, or 0 where another came while the browser asked for leave.
  async function camera(video) {
    const mine = ++wish;
    let given = null;
    if (!navigator.mediaDevices?.getUserMedia) throw new Error(words.SecurityError);
    try {
      given = await navigator.mediaDevices.getUserMedia({ video: { width: FRAME_SIDE, facingMode: "user" } });
    } catch (error) {
      if (mine !== wish) return 0;
      throw new Error(words[error.name] ?? words.other.replace("{name}", error.name));
    }
    if (mine !== wish) {
      for (const track of given.getTracks()) track.stop();
      return 0;
    }
    stream = given;
    video.srcObject = stream;
    await video.play();
    return mine;
  }

  function dark() {
    wish += 1;
    for (const track of stream?.getTracks() ?? []) track.stop();
    stream = null;
  }

  function drawn(video, side) {
    const scale = Math.min(side / Math.max(video.videoWidth, video.videoHeight), 1);
    const canvas = document.createElement("canvas");
    canvas.width = Math.round(video.videoWidth * scale);
    canvas.height = Math.round(video.videoHeight * scale);
    canvas.getContext("2d").drawImage(video, 0, 0, canvas.width, canvas.height);
    return canvas;
  }

  async function takePhoto() {
    const box = find("#camera-box");
    box.addEventListener("close", dark, { once: true });
    box.showModal();
    find("#camera-told").textContent = "Starting the camera …";
    find("#camera-take").disabled = true;
    try {
      if (!(await camera(box.querySelector("video")))) return;
      find("#camera-told").textContent = "";
      find("#camera-take").disabled = false;
      find("#camera-take").focus();
    } catch (error) {
      box.close();
      tell(error.message, true);
    }
  }

  function taken() {
    const box = find("#camera-box");
    drawn(box.querySelector("video"), 2048).toBlob(
      (blob) => {
        box.close();
        send(new File([blob], "camera.jpg", { type: "image/jpeg" }));
      },
      "image/jpeg",
      0.92,
    );
  }

  // ---- live ----
  async function start() {
    const video = find("#live-video");
    let mine = 0;
    live = true;
    find("#live-told").textContent = "Starting the camera …";
    try {
      mine = await camera(video);
    } catch (error) {
      live = false;
      find("#live-told").textContent = error.message;
    }
    if (!mine) return;
    find("#live-told").textContent = "";
    shown();
    while (mine === wish) {
      const began = performance.now();
      const answered = change(find("#live"));
      window.sendFrame?.(drawn(video, FRAME_SIDE).toDataURL("image/jpeg", 0.85));
      await Promise.race([answered, pause(PATIENCE)]);
      if (mine !== wish) return;
      const boxes = find("#live svg.boxes");
      find("#live-boxes").replaceChildren(...(boxes ? [boxes.cloneNode(true)] : []));
      if (find("#live [data-stop]")) stop();
      await pause(Math.max(EVERY - (performance.now() - began), 0));
    }
  }

  function stop() {
    live = false;
    dark();
    find("#live-told").textContent = "";
    shown();
  }

  function shown() {
    find("#live-start").hidden = live;
    find("#live-stop").hidden = !live;
    find(".stage").hidden = !live;
  }

  const pause = (time) => new Promise((done) => setTimeout(done, time));
  const change = (element) =>
    new Promise((done) => {
      const watcher = new MutationObserver(() => (watcher.disconnect(), done()));
      watcher.observe(element, { subtree: true, childList: true, characterData: true });
    });

  // ---- taps ----
  const PRESSED = {
    "own-choose": () => find("#own-file").click(),
    "own-camera": () => withConsent(takePhoto, "Tick the box first; then the camera starts."),
    "camera-take": taken,
    "camera-cancel": () => find("#camera-box").close(),
    "live-start": () => withConsent(start, ""),
    "live-stop": stop,
  };
  document.addEventListener("click", (event) => {
    const button = event.target.closest?.("button");
    if (!button) return;
    PRESSED[button.id]?.();
    if (button.dataset.preset) {
      const story = button.closest(".story");
      for (const chip of story.querySelectorAll(".chips button")) chip.setAttribute("aria-pressed", chip === button);
      for (const after of story.querySelectorAll("[data-after]"))
        after.hidden = after.dataset.after !== button.dataset.preset;
    }
    if (button.getAttribute("role") === "tab" && button.textContent.trim() !== "Live" && live) stop();
  });

  // An answer that arrives is brought into view, and the sentence that said to wait goes.
  let last = null;
  new MutationObserver(() => {
    // A tab that is drawn later has a box of its own.
    for (const box of document.querySelectorAll(".consent input")) if (box.checked !== agreed) box.checked = agreed;
    const now = find("#answer [data-answer]")?.dataset.answer;
    if (now === last) return;
    if (last !== null) {
      if (!find("#told")?.classList.contains("wrong")) tell("");
      look(find("#left"));
    }
    last = now ?? last;
  }).observe(document.documentElement, {
    subtree: true,
    childList: true,
    attributes: true,
    attributeFilter: ["data-answer"],
  });
})();
