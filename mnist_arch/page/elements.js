// The little that all parts of the page need of the document.

export const $ = (selector, inside = document) => inside.querySelector(selector);

export const element = (tag, properties, ...children) => {
  const node = Object.assign(document.createElement(tag), properties);
  node.append(...children);
  return node;
};

export function canvasOf(values, width, height, offset = 0) {
  // A canvas of grey values, one character each, 0 white to 255 black.
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

export function percent(probability) {
  return probability < 0.0005 ? "< 0.1 %" : `${(100 * probability).toFixed(1)} %`;
}
