// What is on the pad goes to the server as a picture; the answers of its networks are shown.

import { card, fill, inside, meanings, untrained } from "./cards.js";
import { $, canvasOf, element } from "./elements.js";
import { current, isBlank, number, put, start, width } from "./pad.js";
import { receive, showBoxes, showPicture } from "./photo.js";
import { offerToSave } from "./save.js";
import { SIDE, pictureOf } from "./strokes.js";

const NOTHING = "Nothing written.";

let mostBytes = Infinity; // of a picture
let nets = []; // as the server describes them
let asking = false; // one question at a time, about what is on the pad then
let answer = null; // on show, with its picture
let chosen = 0; // the sign whose probabilities are shown

// Questions

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

const answered = () => isBlank() || current().answer?.several === Number(number());
const grownFrom = ({ strokes, picture }) =>
  current().picture === picture && strokes.every((stroke, i) => stroke === current().strokes[i]);

async function refresh() {
  complain("");
  showPicture(current());
  if (answered()) show(isBlank() ? null : current().answer);
  busy(!answered());
  if (asking) return; // it goes on until there is an answer to what is on the pad
  asking = true;
  while (!answered()) {
    const sheet = current();
    try {
      sheet.answer = await classify(sheet.picture ?? pictureOf(sheet.strokes, width()));
      // While one draws on, the answer to a part is shown, marked as busy.
      if (grownFrom(sheet) && !isBlank()) show(sheet.answer);
      busy(!answered());
    } catch (error) {
      if (sheet !== current()) continue;
      show(null);
      complain(error.message);
      busy(false);
      break;
    }
  }
  asking = false;
}

async function upload(file) {
  if (file.size > mostBytes) {
    complain(`${file.name}: the picture is larger than ${mostBytes / 1e6} MB`);
    return;
  }
  const before = current();
  busy(true);
  try {
    const answer = await classify(file);
    if (before === current()) put({ picture: file, answer });
  } catch (error) {
    if (before === current()) complain(error.message); // and nothing else has happened
  }
  busy(!answered());
}

// Answers

function show(answers) {
  if (answers && answers === answer) return;
  answer = answers;
  chosen = 0;
  showBoxes(answer);
  const signs = (answer?.signs ?? []).map(({ image }) => canvasOf(atob(image), SIDE, SIDE));
  $("#signs").replaceChildren(...(signs.length < 2 ? signs : signs.map(choice)));
  $("#summary").textContent = answer?.summary ?? (isBlank() ? NOTHING : "");
  $("#several").hidden = number() || !answer?.has_several;
  $("#look").disabled = $("#save").hidden = !answer?.signs.length;
  showNets();
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
const isOpen = (each) => $(".look", each).ariaExpanded === "true";

function showNets() {
  for (const [place, each] of cards().entries()) {
    fill(each, answer?.nets[place], chosen);
    lookInside(place, each);
  }
}

async function lookInside(place, each) {
  const list = $(".inside", each);
  if (!isOpen(each) || !answer?.signs.length) {
    list.replaceChildren();
    return;
  }
  if (answer !== current().answer) return; // while one draws the parts stay as they are, marked
  const [asked, sign] = [answer, chosen];
  try {
    const parts = await ask(`maps/${place}/${sign}?number=${answer.several}`, answer.picture);
    // Meanwhile another answer may have come, or the part may have been closed.
    if (asked === answer && sign === chosen && isOpen(each)) {
      list.replaceChildren(...inside(parts, answer.signs[sign].image));
    }
  } catch (error) {
    if (asked === answer) complain(error.message);
  }
}

function openCard(each, open) {
  $(".look", each).ariaExpanded = String(open);
  lookInside(cards().indexOf(each), each);
  $("#look").ariaPressed = String(cards().some(isOpen));
}

function cardOf(net) {
  const article = card(net);
  $(".look", article).addEventListener("click", () => openCard(article, !isOpen(article)));
  return article;
}

$("#look").addEventListener("click", () => {
  const open = $("#look").ariaPressed !== "true";
  for (const each of cards()) openCard(each, open);
});

receive(upload);
offerToSave(() => ({ answer, nets }), complain);
start(refresh);
try {
  const state = await ask("state");
  mostBytes = state.most_bytes;
  nets = state.nets;
  $("#nets").replaceChildren(...nets.map(cardOf));
  $("#notes").replaceChildren(...meanings(nets));
  $("#untrained").replaceChildren(...untrained(state.without_weights));
  showNets();
} catch (error) {
  complain(error.message);
}
