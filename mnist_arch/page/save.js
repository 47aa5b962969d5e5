// What one takes away: the picture, what the networks saw of it, and their answers.

import { $, canvasOf, element } from "./elements.js";
import { SIDE, fileOf } from "./strokes.js";

function pixelsOf(image) {
  const values = atob(image);
  return Array.from({ length: SIDE }, (_, row) =>
    Array.from({ length: SIDE }, (_, column) => values.charCodeAt(SIDE * row + column)),
  );
}

export function answersAsJSON({ summary, size, signs, nets }, descriptions) {
  const named = nets.map((net, place) => ({ ...descriptions[place], ...net }));
  const seen = signs.map(({ box, image }) => ({ box, image: pixelsOf(image) }));
  return JSON.stringify({ summary, size, signs: seen, nets: named }, null, 1);
}

function strip(signs) {
  // All signs side by side, ink black.
  const canvas = element("canvas", { width: SIDE * signs.length, height: SIDE });
  const context = canvas.getContext("2d");
  signs.forEach(({ image }, place) =>
    context.drawImage(canvasOf(atob(image), SIDE, SIDE), SIDE * place, 0),
  );
  return fileOf(canvas);
}

function download(blob, name) {
  const href = URL.createObjectURL(blob);
  element("a", { href, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(href), 10_000);
}

export function offerToSave(current, complain) {
  // `current` returns the answer on show, and the descriptions of its networks.
  const actions = {
    "#save-picture": ({ picture }) => download(picture, picture.name ?? "digit.png"),
    "#save-pixels": ({ signs }) => download(strip(signs), "digit-28x28.png"),
    "#save-answers": (answer, nets) =>
      download(new Blob([answersAsJSON(answer, nets)], { type: "application/json" }), "digit.json"),
    "#copy-answers": (answer, nets) =>
      navigator.clipboard
        .writeText(answersAsJSON(answer, nets))
        .catch(() => complain("the browser does not let the page copy; save the answers instead")),
  };
  $("#copy-answers").hidden = !navigator.clipboard; // there is none but in a secure context
  for (const [selector, action] of Object.entries(actions)) {
    $(selector).addEventListener("click", () => {
      const { answer, nets } = current();
      if (answer) action(answer, nets);
      $("#save").open = false;
    });
  }
  document.addEventListener("pointerdown", (event) => {
    if (!$("#save").contains(event.target)) $("#save").open = false;
  });
}
