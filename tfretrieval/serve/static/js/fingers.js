/**
 * Let fingers do on a map what a mouse does: one drags it or draws the lasso, two pinch it.
 *
 * The scatter library listens to the mouse alone. A tap needs nothing: browsers make a click of it.
 */
export function listenToFingers(canvas, plot) {
  const down = new Map();
  let [pressed, pinched] = [false, false];

  canvas.addEventListener("pointerdown", (event) => {
    if (event.pointerType !== "touch") return;
    canvas.setPointerCapture(event.pointerId);
    down.set(event.pointerId, event);
    if (down.size === 1) {
      pinched = false;
      asMouse("mouseenter", event);
      asMouse("mousemove", event);
      // the library compares places frame by frame: pressed at once, the map would jump from where a finger was last
      requestAnimationFrame(() => requestAnimationFrame(() => press(event)));
    } else {
      pinched = true;
      release(event);
    }
  });

  canvas.addEventListener("pointermove", (event) => {
    if (!down.has(event.pointerId)) return;
    const before = span([...down.values()]);
    down.set(event.pointerId, event);
    if (down.size === 2) pinch(before, span([...down.values()]));
    else if (pressed) asMouse("mousemove", event);
  });

  for (const ending of ["pointerup", "pointercancel"]) {
    canvas.addEventListener(ending, (event) => {
      if (down.delete(event.pointerId)) release(event);
    });
  }

  function press(event) {
    if (!down.has(event.pointerId) || pinched) return;
    pressed = true;
    asMouse("mousedown", event);
  }

  function release(event) {
    if (pressed) asMouse("mouseup", event);
    pressed = false;
  }

  function asMouse(type, { clientX, clientY }) {
    canvas.dispatchEvent(new MouseEvent(type, { clientX, clientY, buttons: type === "mouseup" ? 0 : 1, bubbles: type !== "mouseenter" }));
  }

  /** What lies between the fingers stays between them. */
  function pinch(before, after) {
    const distance = plot.get("cameraDistance") * (before.length / Math.max(1, after.length));
    const from = place(before, plot.get("cameraDistance"));
    const to = place(after, distance);
    const [x, y] = plot.get("cameraTarget");
    plot.zoomToLocation([x + from[0] - to[0], y + from[1] - to[1]], distance, { transition: false });
  }

  /** Where a point of the screen lies from the middle of the map, in units of the map, seen from a distance. */
  function place({ x, y }, distance) {
    const box = canvas.getBoundingClientRect();
    const unit = (2 * distance) / box.height;
    return [(x - box.left - box.width / 2) * unit, (box.top + box.height / 2 - y) * unit];
  }
}

function span([one, other]) {
  if (!other) return null;
  return {
    x: (one.clientX + other.clientX) / 2,
    y: (one.clientY + other.clientY) / 2,
    length: Math.hypot(one.clientX - other.clientX, one.clientY - other.clientY),
  };
}
