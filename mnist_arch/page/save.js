// What one takes away: the picture, what the networks saw of it, and their answers.

import { $, canvasOf, element } from "./elements.js";
import { SIDE, fileOf } from "./strokes.js";

const TEXT = "text/plain"; // what a clipboard takes of JSON

function pixelsOf(image) {
  const values = atob(image);
  return Array.from({ length: SIDE }, (_, row) =>
    Array.from({ length: SIDE }, (_, column) => values.charCodeAt(SIDE * row + column)),
  );
}

function strip({ signs }) {
  // All signs side by side, ink black.
  const canvas = element("canvas", { width: SIDE * signs.length, height: SIDE });
  const context = canvas.getContext("2d");
  signs.forEach(({ image }, place) =>
    context.drawImage(canvasOf(atob(image), SIDE, SIDE), SIDE * place, 0),
  );
  return fileOf(canvas);
}

function asJSON({ summary, size, signs, nets }, descriptions) {
  const named = nets.map((net, place) => ({ ...descriptions[place], ...net }));
  const seen = signs.map(({ box, image }) => ({ box, image: pixelsOf(image) }));
  return JSON.stringify({ summary, size, signs: seen, nets: named }, null, 1);
}

async function asPNG(picture) {
  // The only pictures that a clipboard takes.
  if (picture.type === "image/png") return picture;
  const image = await createImageBitmap(picture);
  const canvas = element("canvas", { width: image.width, height: image.height });
  canvas.getContext("2d").drawImage(image, 0, 0);
  return fileOf(canvas);
}

function download(blob, name) {
  const href = URL.createObjectURL(blob);
  element("a", { href, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(href), 10_000);
}

async function copy(blob) {
  const content = blob.type === TEXT ? blob : await asPNG(blob);
  await navigator.clipboard.write([new ClipboardItem({ [content.type]: content })]);
}

export function offerToSave(current, complain) {
  // `current` returns the answer on show, and the descriptions of its networks.
  const menu = $("#save");
  const kinds = {
    picture: ({ picture }) => [picture, picture.name ?? "digit.png"],
    pixels: (answer) => [strip(answer), "digit-28x28.png"],
    answers: (answer, nets) => [new Blob([asJSON(answer, nets)], { type: TEXT }), "digit.json"],
  };
  for (const [kind, make] of Object.entries(kinds)) {
    $(`#save-${kind}`).addEventListener("click", () => {
      const { answer, nets } = current();
      download(...make(answer, nets));
      menu.open = false;
    });
    // There is no clipboard but in a secure context: on this machine, or by https.
    $(`#copy-${kind}`).hidden = !navigator.clipboard;
    $(`#copy-${kind}`).addEventListener("click", () => {
      const { answer, nets } = current();
      copy(make(answer, nets)[0]).catch(() =>
        complain("the browser does not let the page copy; save it instead"),
      );
      menu.open = false;
    });
  }
  menu.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || !menu.open) return;
    menu.open = false;
    event.stopPropagation(); // it clears the pad
  });
  document.addEventListener("pointerdown", (event) => {
    if (!menu.contains(event.target)) menu.open = false;
  });
}
