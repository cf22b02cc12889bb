import { createRenderer } from "../vendor/scatterplot.js";

/**
 * What draws for a scatter plot: straight onto a canvas of its own, which lies behind the plot's.
 *
 * The library's way, by a buffer of floats, a second pass and a copy, costs six times as much where no graphics card is.
 */
export function directRenderer(canvas, width, height) {
  const scale = window.devicePixelRatio;
  [canvas.width, canvas.height] = [width * scale, height * scale];
  canvas.getContext("webgl", { antialias: false }); // the first asked for stays: the library would smooth, at four times the work
  const inner = createRenderer({ canvas });
  return Object.create(inner, {
    render: {
      value(draw) {
        inner.regl.clear({ color: [0, 0, 0, 0], depth: 1 });
        draw();
      },
    },
    resize: {
      value(newWidth, newHeight) {
        [canvas.width, canvas.height] = [newWidth * scale, newHeight * scale];
        inner.regl.poll();
      },
    },
  });
}
