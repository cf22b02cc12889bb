/**
 * Touch gestures on a map: one finger pans or draws the lasso, two fingers zoom.
 *
 * The scatter library handles mouse events only. Taps become clicks in the browser.
 */
export function addTouchGestures(canvas, plot) {
  const pointers = new Map();
  let [pressed, pinched] = [false, false];

  canvas.addEventListener("pointerdown", (event) => {
    if (event.pointerType !== "touch") return;
    canvas.setPointerCapture(event.pointerId);
    pointers.set(event.pointerId, event);
    if (pointers.size === 1) {
      pinched = false;
      dispatchMouse("mouseenter", event);
      dispatchMouse("mousemove", event);
      // the library compares positions between frames; pressing immediately would make the map jump from the last position
      requestAnimationFrame(() => requestAnimationFrame(() => press(event)));
    } else {
      pinched = true;
      release(event);
    }
  });

  canvas.addEventListener("pointermove", (event) => {
    if (!pointers.has(event.pointerId)) return;
    const before = span([...pointers.values()]);
    pointers.set(event.pointerId, event);
    if (pointers.size === 2) pinch(before, span([...pointers.values()]));
    else if (pressed) dispatchMouse("mousemove", event);
  });

  for (const ending of ["pointerup", "pointercancel"]) {
    canvas.addEventListener(ending, (event) => {
      if (pointers.delete(event.pointerId)) release(event);
    });
  }

  function press(event) {
    if (!pointers.has(event.pointerId) || pinched) return;
    pressed = true;
    dispatchMouse("mousedown", event);
  }

  function release(event) {
    if (pressed) dispatchMouse("mouseup", event);
    pressed = false;
  }

  function dispatchMouse(type, { clientX, clientY }) {
    canvas.dispatchEvent(new MouseEvent(type, { clientX, clientY, buttons: type === "mouseup" ? 0 : 1, bubbles: type !== "mouseenter" }));
  }

  /** Zoom so that the point between the fingers stays there. */
  function pinch(before, after) {
    const distance = plot.get("cameraDistance") * (before.length / Math.max(1, after.length));
    const from = toMap(before, plot.get("cameraDistance"));
    const to = toMap(after, distance);
    const [x, y] = plot.get("cameraTarget");
    plot.zoomToLocation([x + from[0] - to[0], y + from[1] - to[1]], distance, { transition: false });
  }

  /** Offset of a screen point from the center of the map, in map units at a camera distance. */
  function toMap({ x, y }, distance) {
    const box = canvas.getBoundingClientRect();
    const unit = (2 * distance) / box.height;
    return [(x - box.left - box.width / 2) * unit, (box.top + box.height / 2 - y) * unit];
  }
}

/** Center and distance of two pointers. */
function span([first, second]) {
  if (!second) return null;
  return {
    x: (first.clientX + second.clientX) / 2,
    y: (first.clientY + second.clientY) / 2,
    length: Math.hypot(first.clientX - second.clientX, first.clientY - second.clientY),
  };
}
