import { createRenderer } from "../vendor/scatterplot.js";

/**
 * A renderer for the scatter plot that draws directly onto its own canvas, behind that of the plot.
 *
 * The library's renderer (float buffer, second pass, copy) is six times slower without a GPU.
 */
export function directRenderer(canvas, width, height) {
  const scale = window.devicePixelRatio;
  [canvas.width, canvas.height] = [width * scale, height * scale];
  canvas.getContext("webgl", { antialias: false }); // the first context stays; the library would request antialiasing, four times slower
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
