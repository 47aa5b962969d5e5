// What is written goes to the server as a picture; the answers of its networks are shown.

const SIDE = 28; // pixels of MNIST's images: the unit of the pad, which is that high, and of strokes
const WIDE = 2.5; // width of the pad for several digits, in heights
const MARGIN = 2; // units around the picture that is sent, so that no ink touches its rim
const SCALE = 10; // pixels of the picture that is sent, for each unit
const PAUSE = 150; // milliseconds between the end of a stroke and the question
const NOTHING = "Nothing written.";
const POLL = 1000; // milliseconds between two questions about the training

const $ = (selector, inside = document) => inside.querySelector(selector);
const element = (tag, properties, ...children) => {
  const node = Object.assign(document.createElement(tag), properties);
  node.append(...children);
  return node;
};
const pad = $("#pad");
const pen = { x: SIDE / 2, y: SIDE / 2, down: false, visible: false };
const history = [{ strokes: [], picture: null }]; // what Undo goes back through
let stroke = null; // the one being drawn: {width, points}, in units
let pointer = null; // the one that draws it
let latest = 0; // number of the latest question: answers to older ones are dropped
let answer = null; // to it
let chosen = 0; // the sign whose probabilities are shown
let timer = null;
let mostBytes = Infinity;

// Drawing

const now = () => history.at(-1);
const number = () => $("#number").checked;
const width = () => (number() ? WIDE * SIDE : SIDE);
const blank = () => !now().picture && !now().strokes.length;

function draw(context, strokes) {
  context.lineCap = context.lineJoin = "round";
  context.strokeStyle = "#000";
  for (const { width, points } of strokes) {
    context.lineWidth = width;
    context.beginPath();
    context.moveTo(...points[0]);
    for (let i = 1; i < points.length - 1; i++) {
      const [[x, y], [nextX, nextY]] = [points[i], points[i + 1]];
      context.quadraticCurveTo(x, y, (x + nextX) / 2, (y + nextY) / 2);
    }
    context.lineTo(...points.at(-1));
    context.stroke();
  }
}

function paint() {
  const { clientWidth, clientHeight } = pad;
  const ratio = window.devicePixelRatio;
  pad.width = Math.round(clientWidth * ratio);
  pad.height = Math.round(clientHeight * ratio);
  const context = pad.getContext("2d");
  context.scale(pad.height / SIDE, pad.height / SIDE);
  draw(context, [...now().strokes, ...(stroke ? [stroke] : [])]);
  for (const [gap, color] of [[0, pen.down ? "#fff" : "#000"], [0.2, "#666"]]) {
    if (!pen.visible) break;
    context.beginPath();
    context.arc(pen.x, pen.y, Math.max(0.5, strokeWidth() / 2) + gap, 0, 2 * Math.PI);
    context.lineWidth = 0.15;
    context.strokeStyle = color;
    context.stroke();
  }
  $("#hint").hidden = !blank() || stroke !== null || pen.visible;
  $("#undo").disabled = history.length < 2 && !stroke;
  $("#clear").disabled = blank() && !stroke;
}

function drawing() {
  const [wide, high] = [width(), SIDE].map((side) => (side + 2 * MARGIN) * SCALE);
  const canvas = element("canvas", { width: wide, height: high });
  const context = canvas.getContext("2d");
  context.fillStyle = "#fff";
  context.fillRect(0, 0, wide, high);
  context.scale(SCALE, SCALE);
  context.translate(MARGIN, MARGIN);
  context.beginPath();
  context.rect(0, 0, width(), SIDE);
  context.clip();
  draw(context, now().strokes);
  return new Promise((resolve) => canvas.toBlob(resolve, "image/png"));
}

const strokeWidth = () => Number($("#stroke").value);

function begin(x, y) {
  stroke = { width: strokeWidth(), points: [[x, y]] };
  paint();
}

function end() {
  if (!stroke) return;
  const before = now().picture ? [] : now().strokes;
  change({ strokes: [...before, stroke], picture: null });
}

function change(state) {
  stroke = null;
  history.push(state);
  changed();
}

function changed() {
  pen.down = false;
  showPicture();
  paint();
  complain("");
  clearTimeout(timer);
  latest++;
  if (blank()) show(null);
  else timer = setTimeout(classify, PAUSE);
}

function undo() {
  if (stroke) stroke = null;
  else if (history.length > 1) history.pop();
  changed();
}

function clear() {
  pointer = null;
  if (stroke || !blank()) change({ strokes: [], picture: null });
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
  paint();
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
    if (pen.down) stroke.points.push([pen.x, pen.y]);
    paint();
  } else if (event.key === " ") {
    pen.visible = true;
    if (pen.down) end();
    else {
      pen.down = true;
      begin(pen.x, pen.y);
    }
  } else return;
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
  if (event.key === "z" && (event.ctrlKey || event.metaKey) && !event.shiftKey) {
    event.preventDefault();
    undo();
  } else if (event.key === "Escape" || event.key === "Delete") clear();
});
$("#undo").addEventListener("click", undo);
$("#clear").addEventListener("click", clear);
$("#stroke").addEventListener("input", showStroke);
$("#number").addEventListener("change", () => {
  $(".write").classList.toggle("number", number());
  pen.x = Math.min(pen.x, width());
  changed();
});
new ResizeObserver(paint).observe(pad);

function showStroke() {
  $(".stroke output").textContent = `${strokeWidth()} of ${SIDE} pixels`;
  if (pen.visible) paint();
}

// Pictures of one's own

function upload(file) {
  if (!file) return;
  if (file.size > mostBytes) {
    complain(`${file.name}: the picture is larger than ${mostBytes / 1e6} MB`);
    return;
  }
  change({ strokes: [], picture: file });
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
  if (!answer || !now().picture) return;
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

function complain(message) {
  $("#error").textContent = message && message[0].toUpperCase() + message.slice(1);
  $("#error").hidden = !message;
}

async function classify() {
  const question = ++latest;
  try {
    const picture = now().picture ?? (await drawing());
    const answers = await ask(`classify?number=${Number(number())}`, picture);
    if (question === latest) show(answers, picture);
  } catch (error) {
    if (question !== latest) return;
    show(null);
    complain(error.message);
  }
}

function show(answers, picture = null) {
  answer = answers && { ...answers, picture };
  chosen = 0;
  showBoxes();
  showSigns();
  $("#summary").textContent = answers?.summary ?? (blank() ? NOTHING : "");
  showNets();
}

function bitmap(values, width, height, offset = 0) {
  const canvas = element("canvas", { className: "pixels", width, height });
  const context = canvas.getContext("2d");
  const image = context.createImageData(width, height);
  for (let i = 0; i < width * height; i++) {
    image.data.fill(255 - values.charCodeAt(offset + i), 4 * i, 4 * i + 3);
    image.data[4 * i + 3] = 255;
  }
  context.putImageData(image, 0, 0);
  return canvas;
}

function showSigns() {
  const signs = (answer?.signs ?? []).map(({ image }) => bitmap(atob(image), SIDE, SIDE));
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

function percent(probability) {
  return probability < 0.0005 ? "< 0.1 %" : `${(100 * probability).toFixed(1)} %`;
}

function showNets() {
  for (const [place, card] of [...$("#nets").children].entries()) {
    const net = answer?.nets[place];
    const sign = net?.signs[chosen];
    const several = net?.signs.length > 1 && sign.digit !== null; // null: a slash, dot or dash
    $(".digit", card).textContent = net?.text || "–";
    const chance = sign && sign.digit !== null ? percent(sign.probability) : "";
    $(".chance", card).textContent = several ? `${sign.digit}: ${chance}` : chance;
    $(".differs", card).hidden = !net?.differs;
    card.classList.toggle("other", Boolean(net?.differs));
    $(".doubt", card).hidden = !sign?.doubt;
    $(".doubt", card).textContent = sign?.doubt ? `? doubtful: ${sign.doubt}` : "";
    for (const [digit, row] of [...$(".bars", card).children].entries()) {
      const probability = sign?.probabilities[digit] ?? 0;
      row.classList.toggle("winner", sign?.digit === digit);
      $("i", row).style.width = `${100 * probability}%`;
      $("em", row).textContent = probability >= 0.01 ? percent(probability) : "";
    }
    card.classList.toggle("blank", !sign);
    showMaps(place, card);
  }
}

// Feature maps

async function showMaps(place, card) {
  const list = $(".layers", card);
  if (!$("details", card).open || !answer?.signs.length) {
    list.replaceChildren();
    return;
  }
  const question = latest;
  const sign = chosen;
  try {
    const path = `maps/${place}/${sign}?number=${Number(number())}`;
    const layers = await ask(path, answer.picture);
    if (question === latest && sign === chosen) list.replaceChildren(...layers.map(layer));
  } catch (error) {
    if (question === latest) complain(error.message);
  }
}

function layer({ name, shape, count, height, width, least, most, pixels }) {
  const range = `${least.toFixed(2)} (paper) to ${most.toFixed(2)} (ink)`.replaceAll("-", "−");
  const title = element("h3", {}, element("b", {}, name), ` ${shape.join(" × ")} · ${range}`);
  const label = `${name}: ${shape.join(" by ")}`;
  const maps = element("div", { className: "layer", role: "img", ariaLabel: label });
  const values = atob(pixels);
  for (let i = 0; i < count; i++) {
    const canvas = bitmap(values, width, height, i * width * height);
    canvas.style.width = `${height === 1 ? width * 12 : Math.max(2 * width, 44)}px`;
    if (height === 1) canvas.style.height = "18px";
    maps.append(canvas);
  }
  return element("div", {}, title, maps);
}

// The networks, or the training of some

function card({ title, architecture, seed, accuracy }, place) {
  const article = $("#net").content.cloneNode(true).firstElementChild;
  $("h2", article).textContent = title;
  const about = [seed === null ? architecture : `${architecture}, seed ${seed}`];
  if (accuracy !== null) about.push(`${accuracy.toFixed(2)} % test accuracy`);
  $(".about", article).innerText = about.join("\n");
  for (let digit = 0; digit < 10; digit++) {
    const bar = element("span", {}, element("i"));
    $(".bars", article).append(element("li", {}, String(digit), bar, element("em")));
  }
  $("details", article).addEventListener("toggle", () => showMaps(place, article));
  article.classList.add("blank");
  return article;
}

function meanings(nets) {
  const titles = new Map();
  for (const { title, meaning } of nets) {
    titles.set(meaning, [...(titles.get(meaning) ?? []), title]);
  }
  return [...titles].map(([meaning, names]) =>
    element("li", {}, `Bars of ${names.join(", ")}: ${meaning}`),
  );
}

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
  $("#nets").replaceChildren(...state.nets.map(card));
  $("#meanings").replaceChildren(...meanings(state.nets));
  if (running) setTimeout(refresh, POLL);
  else if (!blank()) classify();
}

$("#train").addEventListener("click", async () => {
  try {
    await ask("train", "");
    await refresh();
  } catch (error) {
    complain(error.message);
  }
});

$("#summary").textContent = NOTHING;
showStroke();
paint();
refresh();
