// What is written goes to the server as a picture; the answers of its networks are shown.

import { card, fill, inside, meanings } from "./cards.js";
import { $, canvasOf, element } from "./elements.js";
import { offerToSave } from "./save.js";
import { SIDE, draw, pictureOf, sample } from "./strokes.js";

const WIDE = 2.5; // width of the pad for several digits, in heights
const NOTHING = "Nothing written.";
const POLL = 1000; // milliseconds between two questions about the training

const pad = $("#pad");
const pen = { x: SIDE / 2, y: SIDE / 2, down: false, visible: false };
const past = [{ strokes: [], picture: null }]; // what Undo goes back through
const future = []; // what Redo brings back
let stroke = null; // the one being drawn
let pointer = null; // the one that draws it
let samples = 0; // digits given so far
let mostBytes = Infinity;
let nets = []; // as the server describes them

// Every change has a number. The server is asked one question at a time, about the latest change;
// what is shown is marked as stale as long as it does not answer that.
let latest = 0; // change
let begun = 0; // the change that replaced what was there: answers to earlier ones are dropped
let asking = false;
let answer = null; // on show, with its picture
let chosen = 0; // the sign whose probabilities are shown

// Drawing

const now = () => past.at(-1);
const strokes = () => [...now().strokes, ...(stroke ? [stroke] : [])];
const number = () => $("#number").checked;
const width = () => (number() ? WIDE * SIDE : SIDE);
const blank = () => !now().picture && strokes().every(({ erases }) => erases);
const erasing = () => $("#eraser").ariaPressed === "true";
const strokeWidth = () => Number($("#stroke").value) * (erasing() ? 2.5 : 1);

function paint() {
  const { clientWidth, clientHeight } = pad;
  const ratio = window.devicePixelRatio;
  pad.width = Math.round(clientWidth * ratio);
  pad.height = Math.round(clientHeight * ratio);
  const context = pad.getContext("2d");
  context.scale(pad.height / SIDE, pad.height / SIDE);
  draw(context, strokes());
  for (const [gap, color] of [[0, pen.down ? "#fff" : "#000"], [0.2, "#666"]]) {
    if (!pen.visible) break;
    context.beginPath();
    context.arc(pen.x, pen.y, Math.max(0.5, strokeWidth() / 2) + gap, 0, 2 * Math.PI);
    context.lineWidth = 0.15;
    context.strokeStyle = color;
    context.stroke();
  }
  $("#hint").hidden = !blank() || stroke !== null || pen.visible;
  $("#undo").disabled = past.length < 2 && !stroke;
  $("#redo").disabled = !future.length;
  $("#clear").disabled = blank() && !stroke;
}

function begin(x, y) {
  if (erasing() && now().picture) return;
  stroke = { width: strokeWidth(), points: [[x, y]], erases: erasing() };
  drawn();
}

function drawn() {
  paint();
  changed();
}

function end() {
  if (!stroke) return;
  const before = now().picture ? [] : now().strokes;
  change({ strokes: [...before, stroke], picture: null });
}

function change(state, known = null) {
  if (state.picture || now().picture || !state.strokes.length) begun = latest + 1;
  stroke = null;
  past.push(state);
  future.length = 0;
  refreshPad(known);
}

function replace() {
  // What is there now does not follow from what was there.
  begun = latest + 1;
  refreshPad();
}

function refreshPad(known = null) {
  pen.down = false;
  showPicture();
  paint();
  complain("");
  changed(known);
}

function undo() {
  if (stroke) stroke = null;
  else if (past.length > 1) future.push(past.pop());
  replace();
}

function redo() {
  if (stroke || !future.length) return;
  past.push(future.pop());
  replace();
}

function clear() {
  pointer = null;
  if (stroke || !blank()) change({ strokes: [], picture: null });
}

function giveSample() {
  const places = number() ? [0, 1, 2] : [0];
  const layout = (place) => (number() ? { size: 0.85, left: 21 * (place - 1) + 21 } : {});
  const digits = places.map((place) =>
    sample(samples++, { ...layout(place), width: Number($("#stroke").value) }),
  );
  begun = latest + 1;
  change({ strokes: digits.flat(), picture: null });
}

function place(event) {
  const box = pad.getBoundingClientRect();
  const pixel = box.height / SIDE;
  return [(event.clientX - box.left) / pixel, (event.clientY - box.top) / pixel];
}

pad.addEventListener("pointerdown", (event) => {
  if (pointer !== null || event.button !== 0) return;
  pointer = event.pointerId;
  pad.setPointerCapture(pointer);
  pen.visible = false;
  end(); // of a stroke by keyboard
  begin(...place(event));
});
pad.addEventListener("pointermove", (event) => {
  if (event.pointerId !== pointer || !stroke) return;
  const events = event.getCoalescedEvents?.() ?? []; // in a secure context only
  stroke.points.push(...(events.length ? events : [event]).map(place));
  drawn();
});
for (const kind of ["pointerup", "pointercancel"]) {
  pad.addEventListener(kind, (event) => {
    if (event.pointerId !== pointer) return;
    pointer = null;
    end();
  });
}

const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
pad.addEventListener("keydown", (event) => {
  if (pointer !== null || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key in ARROWS) {
    const [x, y] = ARROWS[event.key].map((each) => each * (event.shiftKey ? 3 : 1));
    pen.x = Math.min(Math.max(pen.x + x, 0), width());
    pen.y = Math.min(Math.max(pen.y + y, 0), SIDE);
    pen.visible = true;
    if (pen.down && stroke) {
      stroke.points.push([pen.x, pen.y]);
      drawn();
    } else paint();
  } else if (event.key === " ") {
    pen.visible = true;
    if (pen.down) end();
    else {
      pen.down = true;
      begin(pen.x, pen.y);
    }
  } else if (event.key === "e") toggleEraser();
  else return;
  event.preventDefault();
});
pad.addEventListener("focus", () => {
  pen.visible = pad.matches(":focus-visible") && pointer === null;
  paint();
});
pad.addEventListener("blur", () => {
  pen.visible = false;
  if (pen.down) end();
  paint();
});
document.addEventListener("keydown", (event) => {
  const key = event.key.toLowerCase();
  const control = event.ctrlKey || event.metaKey;
  if (control && (key === "y" || (key === "z" && event.shiftKey))) redo();
  else if (control && key === "z") undo();
  else if (key === "escape" && $("#save").open) $("#save").open = false;
  else if (key === "escape" || key === "delete") clear();
  else return;
  event.preventDefault();
});

function toggleEraser() {
  $("#eraser").ariaPressed = String(!erasing());
  if (pen.visible) paint();
}

function showStroke() {
  $(".stroke output").textContent = `${$("#stroke").value} px`;
  if (pen.visible) paint();
}

function changeMode() {
  $(".write").classList.toggle("number", number());
  pen.x = Math.min(pen.x, width());
  replace();
}

$("#undo").addEventListener("click", undo);
$("#redo").addEventListener("click", redo);
$("#eraser").addEventListener("click", toggleEraser);
$("#clear").addEventListener("click", clear);
$("#sample").addEventListener("click", giveSample);
$("#stroke").addEventListener("input", showStroke);
$("#number").addEventListener("change", changeMode);
$("#several").addEventListener("click", () => {
  $("#number").checked = true;
  changeMode();
});
new ResizeObserver(paint).observe(pad);

// Pictures of one's own

async function upload(file) {
  if (!file) return;
  if (file.size > mostBytes) {
    complain(`${file.name}: the picture is larger than ${mostBytes / 1e6} MB`);
    return;
  }
  const before = latest;
  busy(true);
  try {
    const answers = await classify(file);
    if (before === latest) change({ strokes: [], picture: file }, answers);
  } catch (error) {
    if (before === latest) complain(error.message); // and nothing else has happened
  }
  busy(latest !== answered());
}

function showPicture() {
  const photo = $("#photo");
  const { picture } = now();
  if (photo.picture === picture) return;
  if (photo.link) URL.revokeObjectURL(photo.link);
  photo.picture = picture;
  photo.link = picture && URL.createObjectURL(picture);
  photo.hidden = !picture;
  photo.replaceChildren();
  if (!picture) return;
  const image = element("img", { alt: "The uploaded picture", src: photo.link });
  image.onload = () => {
    const frame = element("div", { className: "frame" }, image);
    frame.style.setProperty("--ratio", image.naturalWidth / image.naturalHeight);
    photo.replaceChildren(frame);
    showBoxes();
  };
  image.onerror = () => photo.replaceChildren(`${picture.name || "picture"} (no preview)`);
}

function showBoxes() {
  const frame = $("#photo .frame");
  if (!frame) return;
  for (const mark of frame.querySelectorAll("i")) mark.remove();
  if (!answer || answer.picture !== now().picture) return;
  const [height, width] = answer.size;
  for (const { box: [top, left, bottom, right] } of answer.signs) {
    const mark = element("i");
    const sides = [top / height, 1 - right / width, 1 - bottom / height, left / width];
    mark.style.inset = sides.map((share) => `${100 * share}%`).join(" ");
    frame.append(mark);
  }
}

$("#upload").addEventListener("change", (event) => {
  upload(event.target.files[0]);
  event.target.value = ""; // the same file may be chosen again
});
document.addEventListener("paste", (event) => upload(event.clipboardData.files[0]));
document.addEventListener("dragover", (event) => {
  event.preventDefault();
  $(".pad").classList.add("dropping");
});
document.addEventListener("dragleave", () => $(".pad").classList.remove("dropping"));
document.addEventListener("drop", (event) => {
  event.preventDefault();
  $(".pad").classList.remove("dropping");
  upload(event.dataTransfer.files[0]);
});

// Questions and answers

async function ask(path, body) {
  let response;
  try {
    const headers = { "Content-Type": body?.type || "application/octet-stream" };
    response = await fetch(path, body === undefined ? {} : { method: "POST", body, headers });
  } catch {
    throw new Error("The server does not answer. Is it still running?");
  }
  const content = await response.json().catch(() => ({}));
  if (!response.ok) throw new Error(content.error ?? `the server failed (${response.status})`);
  return content;
}

async function classify(picture) {
  const several = Number(number());
  return { ...(await ask(`classify?number=${several}`, picture)), picture, several };
}

function complain(message) {
  $("#error").textContent = message && message[0].toUpperCase() + message.slice(1);
  $("#error").hidden = !message;
}

function busy(is) {
  $(".answers").ariaBusy = String(is);
}

const answered = () => (answer ? answer.change : blank() ? latest : null);

function changed(known = null) {
  latest++;
  if (known) show({ ...known, change: latest });
  else if (blank()) show(null);
  else {
    busy(true);
    askAgain();
  }
}

async function askAgain() {
  if (asking) return; // it goes on until the latest change is answered
  asking = true;
  while (!blank() && answered() !== latest) {
    const change = latest;
    try {
      const answers = await classify(now().picture ?? pictureOf(strokes(), width()));
      if (change >= begun && !blank()) show({ ...answers, change });
    } catch (error) {
      if (change !== latest) continue;
      show(null);
      complain(error.message);
      break;
    }
  }
  asking = false;
}

function show(answers) {
  answer = answers;
  chosen = 0;
  busy(!blank() && answers !== null && answers.change !== latest);
  showBoxes();
  showSigns();
  $("#summary").textContent = answers?.summary ?? (blank() ? NOTHING : "");
  $("#several").hidden = number() || !answers?.has_several;
  for (const control of [$("#look"), $("#save")]) control.hidden = !answers?.signs.length;
  showNets();
}

function showSigns() {
  const signs = (answer?.signs ?? []).map(({ image }) => canvasOf(atob(image), SIDE, SIDE));
  $("#signs").replaceChildren(...(signs.length < 2 ? signs : signs.map(choice)));
}

function choice(canvas, place) {
  const names = { type: "button", ariaLabel: `Digit ${place + 1}`, ariaPressed: place === chosen };
  const button = element("button", names, canvas);
  button.addEventListener("click", () => {
    chosen = place;
    for (const each of $("#signs").children) each.ariaPressed = each === button;
    showNets();
  });
  return button;
}

const cards = () => [...$("#nets").children];

function showNets() {
  for (const [place, each] of cards().entries()) {
    fill(each, answer?.nets[place], chosen);
    lookInside(place, each);
  }
  showLook();
}

// Inside the networks

async function lookInside(place, each) {
  const list = $(".inside", each);
  if (!$("details", each).open || !answer?.signs.length) {
    list.replaceChildren();
    return;
  }
  if (answer.change !== latest) return; // while one draws the parts stay as they are, marked
  const [asked, sign] = [answer, chosen];
  try {
    const parts = await ask(`maps/${place}/${sign}?number=${answer.several}`, answer.picture);
    // Meanwhile another answer may have come, or the part may have been closed.
    if (asked === answer && sign === chosen && $("details", each).open) {
      list.replaceChildren(...inside(parts, answer.signs[sign].image));
    }
  } catch (error) {
    if (asked === answer) complain(error.message);
  }
}

function showLook() {
  const open = cards().some((each) => $("details", each).open);
  $("#look").ariaPressed = String(open);
}

$("#look").addEventListener("click", () => {
  const open = $("#look").ariaPressed !== "true";
  for (const each of cards()) $("details", each).open = open;
  showLook();
});

// The networks, or the training of some

function progress({ epoch, epochs, folder }) {
  if (folder) return "trained";
  if (epochs === null) return "loading";
  if (epoch === epochs) return "testing";
  return `${epoch} of ${epochs} epochs`;
}

function step(each) {
  const { architecture, epoch, epochs, folder } = each;
  const max = epochs ?? 1;
  const value = folder ? max : epoch;
  const bar = element("progress", { max, value, ariaLabel: `Training of ${architecture}` });
  return element("li", {}, architecture, bar, element("span", {}, progress(each)));
}

function cardOf(net, place) {
  const article = card(net);
  $("details", article).addEventListener("toggle", () => {
    lookInside(place, article);
    showLook();
  });
  return article;
}

async function refresh() {
  let state;
  try {
    state = await ask("state");
  } catch (error) {
    complain(error.message);
    setTimeout(refresh, 5 * POLL);
    return;
  }
  mostBytes = state.most_bytes;
  const { offered, running, error, steps } = state.training;
  $("#offer").hidden = !offered;
  $("#result").hidden = $("#nets").hidden = offered;
  $("#train").disabled = running;
  $("#steps").replaceChildren(...steps.map(step));
  complain(error ?? "");
  nets = state.nets;
  $("#nets").replaceChildren(...nets.map(cardOf));
  $("#meanings").replaceChildren(...meanings(nets));
  if (running) setTimeout(refresh, POLL);
  else if (!blank()) replace();
}

$("#train").addEventListener("click", async () => {
  try {
    await ask("train", "");
    await refresh();
  } catch (error) {
    complain(error.message);
  }
});

offerToSave(() => ({ answer, nets }), complain);
$("#summary").textContent = NOTHING;
showStroke();
paint();
refresh();
