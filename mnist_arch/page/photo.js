// Pictures of one's own, however they arrive, and where in them the signs were found.

import { $, element } from "./elements.js";

const photo = $("#photo");

export function showPicture({ picture, answer }) {
  if (photo.picture === picture) return;
  if (photo.link) URL.revokeObjectURL(photo.link);
  photo.picture = picture;
  photo.link = picture && URL.createObjectURL(picture);
  photo.hidden = !picture;
  photo.replaceChildren();
  if (!picture) return;
  const image = element("img", { alt: "The uploaded picture", src: photo.link });
  const frame = element("div", { className: "frame" }, image);
  const [height, width] = answer.size; // of which the answer is known before it is shown
  frame.style.setProperty("--ratio", width / height);
  image.onerror = () => photo.replaceChildren(`${picture.name || "picture"} (no preview)`);
  photo.append(frame);
}

export function showBoxes(answer) {
  // Those of the picture on show.
  for (const mark of photo.querySelectorAll("i")) mark.remove();
  if (!answer || answer.picture !== photo.picture) return;
  const [height, width] = answer.size;
  for (const { box: [top, left, bottom, right] } of answer.signs) {
    const mark = element("i");
    const sides = [top / height, 1 - right / width, 1 - bottom / height, left / width];
    mark.style.inset = sides.map((share) => `${100 * share}%`).join(" ");
    $(".frame", photo)?.append(mark);
  }
}

export function receive(upload) {
  // `upload` takes each file that is chosen, pasted or dropped.
  const take = ([file]) => file && upload(file);
  const { classList } = $(".pad");
  $("#upload").addEventListener("change", (event) => {
    take(event.target.files);
    event.target.value = ""; // the same file may be chosen again
  });
  document.addEventListener("paste", (event) => take(event.clipboardData.files));
  document.addEventListener("dragover", (event) => {
    event.preventDefault();
    classList.add("dropping");
  });
  document.addEventListener("dragleave", () => classList.remove("dropping"));
  document.addEventListener("drop", (event) => {
    event.preventDefault();
    classList.remove("dropping");
    take(event.dataTransfer.files);
  });
}
