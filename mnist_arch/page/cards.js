// A card for each network: its answer, and on demand what it looks at and what its layers pass on.

import { $, canvasOf, element, percent } from "./elements.js";
import { SIDE } from "./strokes.js";

export function card({ title, architecture, recipe, epochs, seed, accuracy, shipped }) {
  const article = $("#net").content.cloneNode(true).firstElementChild;
  $("h2", article).textContent = title;
  $(".shipped", article).hidden = !shipped;
  const about = [architecture, recipe === architecture ? "own recipe" : `recipe ${recipe}`];
  if (epochs !== null) about.push(epochs === 1 ? "1 epoch" : `${epochs} epochs`);
  if (seed !== null) about.push(`seed ${seed}`);
  $(".about", article).textContent = about.join(", ");
  if (accuracy !== null) {
    $(".accuracy", article).textContent = `${accuracy.toFixed(2)} % of the test digits`;
  }
  for (let digit = 0; digit < 10; digit++) {
    const bar = element("span", {}, element("i"));
    $(".bars", article).append(element("li", {}, bar, String(digit), element("em")));
  }
  return article;
}

export function fill(card, net, chosen) {
  const sign = net?.signs[chosen];
  const isDigit = sign && sign.digit !== null; // null: a slash, dot or dash
  const chance = isDigit ? percent(sign.probability) : "";
  $(".digit", card).textContent = net?.text || "–";
  $(".chance", card).textContent =
    isDigit && net.signs.length > 1 ? `${sign.digit}: ${chance}` : chance;
  card.classList.toggle("other", Boolean(net?.differs));
  $(".differs", card).hidden = !net?.differs;
  $(".doubt", card).hidden = !sign?.doubt;
  $(".doubt", card).textContent = sign?.doubt ? `? ${sign.doubt}` : "";
  for (const [digit, row] of [...$(".bars", card).children].entries()) {
    const probability = sign?.probabilities[digit] ?? 0;
    row.classList.toggle("winner", sign?.digit === digit);
    row.title = sign ? `${digit}: ${percent(probability)}` : "";
    $("i", row).style.height = `${100 * probability}%`;
    $("em", row).textContent = sign ? `: ${percent(probability)}` : "";
  }
  $(".look", card).disabled = !isDigit;
}

export function inside({ saliency, layers }, image) {
  return [overlay(saliency, image), ...layers.map(layer)];
}

function overlay({ digit, pixels }, image) {
  // The picture in grey, and over it in red how much each pixel counts.
  const canvas = element("canvas", { className: "overlay", width: SIDE, height: SIDE });
  const context = canvas.getContext("2d");
  const colors = context.createImageData(SIDE, SIDE);
  const [ink, weights] = [atob(image), atob(pixels)];
  for (let i = 0; i < SIDE * SIDE; i++) {
    const [paper, weight] = [255 - 0.4 * ink.charCodeAt(i), weights.charCodeAt(i) / 255];
    const color = [210, 0, 40].map((value) => paper * (1 - weight) + value * weight);
    colors.data.set([...color, 255], 4 * i);
  }
  context.putImageData(colors, 0, 0);
  const title = element("h3", {}, element("b", {}, "Saliency"), ` · what the ${digit} hangs on`);
  const label = `Saliency: the pixels on which the ${digit} depends most, in red`;
  return element("div", {}, title, element("div", { role: "img", ariaLabel: label }, canvas));
}

function layer({ name, shape, count, height, width, least, most, pixels }) {
  const range = `${least.toFixed(2)} (paper) to ${most.toFixed(2)} (ink)`.replaceAll("-", "−");
  const zoom = element("button", { type: "button", className: "zoom", ariaPressed: false });
  zoom.append(element("b", {}, name), ` ${shape.join(" × ")} · ${range}`);
  const label = `${name}: ${shape.join(" by ")}`;
  const maps = element("div", { className: "layer", role: "img", ariaLabel: label });
  const values = atob(pixels);
  for (let i = 0; i < count; i++) {
    const canvas = canvasOf(values, width, height, i * width * height);
    const wide = height === 1 ? 12 * width : Math.max(2 * width, 44);
    canvas.style.setProperty("--wide", `${wide}px`);
    canvas.style.setProperty("--high", height === 1 ? "18px" : "auto");
    maps.append(canvas);
  }
  const toggle = () => {
    zoom.ariaPressed = zoom.ariaPressed !== "true";
    maps.classList.toggle("large", zoom.ariaPressed === "true");
  };
  zoom.addEventListener("click", toggle);
  maps.addEventListener("click", toggle);
  return element("div", {}, element("h3", {}, zoom), maps);
}

export function meanings(nets) {
  const titles = new Map();
  for (const { title, meaning } of nets) {
    titles.set(meaning, [...(titles.get(meaning) ?? []), title]);
  }
  return [...titles].map(([meaning, names]) =>
    element("li", {}, `Bars of ${names.join(", ")}: ${meaning}`),
  );
}

export function untrained(nets) {
  return nets.map(({ title, command }) =>
    element("li", {}, element("b", {}, title), " no weights yet: ", element("code", {}, command)),
  );
}
