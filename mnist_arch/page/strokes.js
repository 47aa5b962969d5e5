// Strokes on the pad: {width, points, erases}, in units; as a picture; and some to begin with.

import { element } from "./elements.js";

export const SIDE = 28; // pixels of MNIST's images: the unit of the pad, which is that high
const MARGIN = 2; // units around the picture that is sent, so that no ink touches its rim
const SCALE = 6; // pixels of the picture that is sent, for each unit

export function draw(context, strokes) {
  context.lineCap = context.lineJoin = "round";
  for (const { width, points, erases } of strokes) {
    context.strokeStyle = erases ? "#fff" : "#000";
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

export function pictureOf(strokes, width) {
  // Not by toBlob, which waits until the browser is idle: up to a second.
  const [wide, high] = [width, SIDE].map((side) => (side + 2 * MARGIN) * SCALE);
  const canvas = element("canvas", { width: wide, height: high });
  const context = canvas.getContext("2d");
  context.fillStyle = "#fff";
  context.fillRect(0, 0, wide, high);
  context.scale(SCALE, SCALE);
  context.translate(MARGIN, MARGIN);
  context.beginPath();
  context.rect(0, 0, width, SIDE);
  context.clip();
  draw(context, strokes);
  return fileOf(canvas);
}

export function fileOf(canvas) {
  const [, encoded] = canvas.toDataURL("image/png").split(",");
  const bytes = Uint8Array.from(atob(encoded), (character) => character.charCodeAt(0));
  return new Blob([bytes], { type: "image/png" });
}

// A point that stands twice is a corner.
const SAMPLES = [
  [[14, 5, 9, 7, 7.5, 14, 9, 21, 14, 23, 19, 21, 20.5, 14, 19, 7, 14, 5]],
  [[15, 5, 14.3, 13, 13.5, 23]],
  [[8, 9, 11, 5.5, 16, 5, 19, 8, 18, 12, 13, 17, 8, 22.5, 8, 22.5, 14, 22, 20.5, 22]],
  [[8.5, 6.5, 13, 5, 18, 7, 17.5, 11, 12.5, 13.5, 12.5, 13.5, 18, 15, 19.5, 19, 15, 23, 8, 21.5]],
  [[10.5, 5, 8.5, 14.5, 8.5, 14.5, 20, 14], [17.5, 6, 17, 14, 16, 23]],
  [[19, 5.5, 11, 6, 11, 6, 10, 12, 10, 12, 14, 11, 18.5, 14, 18.5, 19, 14, 22.5, 8.5, 21.5]],
  [[18, 5, 12.5, 10, 9.5, 16, 10.5, 21.5, 15, 23, 18.5, 19.5, 17, 15.5, 13, 15, 10, 18]],
  [[8, 6.5, 20, 6, 20, 6, 16, 14, 13, 23]],
  [
    [18.5, 7, 14.5, 5, 10, 7, 11, 11, 15, 14, 18.5, 18, 16.5, 22.5, 12, 22.5, 9.5, 18.5, 13, 14]
      .concat([17.5, 10.5, 18.5, 7]),
  ],
  [[18.5, 8, 14.5, 5.2, 10, 8, 10.5, 12, 14.5, 13.5, 18, 10.5, 18.5, 7.5, 18.5, 7.5, 17.8, 15, 16.5, 23]],
];
const SLANTS = [0.05, 0.2, -0.1]; // of the first ten samples, the next ten, ...

export function sample(number, { size = 1, left = 0, width = 3 } = {}) {
  // Strokes of a digit: the last one of the number; its tens choose the slant.
  const slant = SLANTS[Math.floor(number / 10) % SLANTS.length];
  const middle = SIDE / 2;
  return SAMPLES[number % 10].map((flat) => {
    const points = [];
    for (let i = 0; i < flat.length; i += 2) {
      const [x, y] = [flat[i] - middle, flat[i + 1] - middle];
      points.push([left + middle + size * (x - slant * y), middle + size * y]);
    }
    return { width, points, erases: false };
  });
}
