// The pad: what is written on it with a pointer or keys, and the way back and forth through that.

import { $ } from "./elements.js";
import { SIDE, draw, sample } from "./strokes.js";

const WIDE = 2.5; // width of the pad for several digits, in heights
const ERASER = 2.5; // its width, in those of the stroke
const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

// A sheet is what is on the pad: strokes, or a picture. Every change makes a new one.
const past = [{ strokes: [], picture: null }]; // what Undo goes back through
const future = []; // what Redo brings back
let sheet = past[0]; // the last of the past, or that with the stroke being drawn
let tell = () => {}; // is called after each change

const pad = $("#pad");
const pen = { x: SIDE / 2, y: SIDE / 2, visible: false }; // moved by keys
let pointer = null; // the one that draws
let samples = 0; // given so far

export const current = () => sheet;
export const isBlank = () => !sheet.picture && sheet.strokes.every(({ erases }) => erases);
export const number = () => $("#number").checked;
export const width = () => (number() ? WIDE * SIDE : SIDE);
const drawing = () => sheet !== past.at(-1);
const erasing = () => $("#eraser").ariaPressed === "true";
const strokeWidth = () => Number($("#stroke").value);
const penWidth = () => strokeWidth() * (erasing() ? ERASER : 1);

function paint() {
  const { clientWidth, clientHeight } = pad;
  const ratio = window.devicePixelRatio;
  pad.width = Math.round(clientWidth * ratio);
  pad.height = Math.round(clientHeight * ratio);
  const context = pad.getContext("2d");
  context.scale(pad.height / SIDE, pad.height / SIDE);
  draw(context, sheet.strokes);
  for (const [gap, color] of [[0, drawing() ? "#fff" : "#000"], [0.2, "#666"]]) {
    if (!pen.visible) break;
    context.beginPath();
    context.arc(pen.x, pen.y, Math.max(0.5, penWidth() / 2) + gap, 0, 2 * Math.PI);
    context.lineWidth = 0.15;
    context.strokeStyle = color;
    context.stroke();
  }
  $("#hint").hidden = !isBlank() || drawing() || pen.visible;
  $("#undo").disabled = past.length < 2 && !drawing();
  $("#redo").disabled = !future.length;
  $("#clear").disabled = isBlank() && !drawing();
}

function turnTo(next) {
  sheet = next;
  paint();
  tell();
}

function keep(next) {
  past.push(next);
  future.length = 0;
  turnTo(next);
}

export function put({ strokes = [], picture = null, answer = null }) {
  // Replace what is on the pad; the answer, if it is known.
  keep({ strokes, picture, answer });
}

function begin(...point) {
  if (erasing() && sheet.picture) return;
  const stroke = { width: penWidth(), points: [point], erases: erasing() };
  turnTo({ strokes: [...sheet.strokes, stroke], picture: null });
}

function move(...points) {
  sheet.strokes.at(-1).points.push(...points);
  turnTo({ strokes: sheet.strokes, picture: null });
}

function end() {
  if (drawing()) keep(sheet);
}

function undo() {
  if (!drawing() && past.length > 1) future.push(past.pop());
  turnTo(past.at(-1));
}

function redo() {
  if (!drawing() && future.length) past.push(future.pop());
  turnTo(past.at(-1));
}

function clear() {
  pointer = null;
  if (drawing() || !isBlank()) put({});
}

function giveSample() {
  const layouts = number() ? [0, 21, 42].map((left) => ({ size: 0.85, left })) : [{}];
  const digits = layouts.map((layout) => sample(samples++, { ...layout, width: strokeWidth() }));
  put({ strokes: digits.flat() });
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
  if (event.pointerId !== pointer || !drawing()) return;
  const events = event.getCoalescedEvents?.() ?? []; // in a secure context only
  move(...(events.length ? events : [event]).map(place));
});
for (const kind of ["pointerup", "pointercancel"]) {
  pad.addEventListener(kind, (event) => {
    if (event.pointerId !== pointer) return;
    pointer = null;
    end();
  });
}

pad.addEventListener("keydown", (event) => {
  if (pointer !== null || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key in ARROWS) {
    const [x, y] = ARROWS[event.key].map((each) => each * (event.shiftKey ? 3 : 1));
    pen.x = Math.min(Math.max(pen.x + x, 0), width());
    pen.y = Math.min(Math.max(pen.y + y, 0), SIDE);
    pen.visible = true;
    if (drawing()) move([pen.x, pen.y]);
    else paint();
  } else if (event.key === " ") {
    pen.visible = true;
    if (drawing()) end();
    else begin(pen.x, pen.y);
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
  if (pointer === null) end();
  paint();
});
document.addEventListener("keydown", (event) => {
  const key = event.key.toLowerCase();
  const control = event.ctrlKey || event.metaKey;
  if (control && (key === "y" || (key === "z" && event.shiftKey))) redo();
  else if (control && key === "z") undo();
  else if (key === "escape" || key === "delete") clear();
  else return;
  event.preventDefault();
});

function toggleEraser() {
  $("#eraser").ariaPressed = String(!erasing());
  paint();
}

function showStroke() {
  $(".stroke output").textContent = `${strokeWidth()} px`;
  paint();
}

function changeMode() {
  $(".write").classList.toggle("number", number());
  pen.x = Math.min(pen.x, width());
  turnTo(sheet);
}

export function start(listener) {
  tell = listener;
  for (const [selector, action] of [
    ["#undo", undo], ["#redo", redo], ["#eraser", toggleEraser], ["#clear", clear],
    ["#sample", giveSample],
  ]) $(selector).addEventListener("click", action);
  $("#stroke").addEventListener("input", showStroke);
  $("#number").addEventListener("change", changeMode);
  $("#several").addEventListener("click", () => $("#number").click());
  new ResizeObserver(paint).observe(pad);
  showStroke();
  changeMode(); // a browser may remember that the box was checked
}
