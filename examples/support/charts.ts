/**
 * Line charts and small pictures as text, to be put into a page that needs nothing else.
 *
 * @module
 */

// @ts-types="npm:@types/d3-scale@4.0.9"
import { scaleLinear } from "d3-scale";
// @ts-types="npm:@types/d3-shape@3.2.0"
import { line } from "d3-shape";

/** One line of a chart. */
export interface Series {
  /** Its name in the legend. */
  readonly name: string;
  /** A CSS colour. */
  readonly color: string;
  /** One value per epoch, from epoch 1. */
  readonly values: readonly number[];
}

/** `text` for use between tags or in quotes. */
export function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (c) => `&#${c.charCodeAt(0)};`);
}

const WIDTH = 460, HEIGHT = 260;
const MARGIN = { top: 28, right: 16, bottom: 36, left: 52 };

/**
 * A chart of values over epochs as SVG.
 *
 * @param domain the range of the vertical axis; it is rounded outwards
 */
export function lineChart(title: string, series: readonly Series[], domain: readonly [number, number]): string {
  const epochs = Math.max(...series.map((s) => s.values.length));
  const x = scaleLinear([1, Math.max(epochs, 2)], [MARGIN.left, WIDTH - MARGIN.right]);
  const y = scaleLinear(domain, [HEIGHT - MARGIN.bottom, MARGIN.top]).nice();
  const grid = y.ticks(5).map((tick) =>
    `<line x1="${MARGIN.left}" x2="${WIDTH - MARGIN.right}" y1="${y(tick)}" y2="${y(tick)}" class="grid"/>` +
    `<text x="${MARGIN.left - 8}" y="${y(tick)}" text-anchor="end" dy="0.35em">${y.tickFormat(5)(tick)}</text>`
  );
  const labels = x.ticks(Math.min(epochs, 10)).filter(Number.isInteger).map((tick) =>
    `<text x="${x(tick)}" y="${HEIGHT - MARGIN.bottom + 18}" text-anchor="middle">${tick}</text>`
  );
  const path = line<number>((_, i) => x(i + 1), (value) => y(value)).defined(Number.isFinite);
  const curves = series.map(({ color, values }) =>
    `<path d="${path([...values]) ?? ""}" stroke="${color}" class="curve"/>` +
    values.map((v, i) => `<circle cx="${x(i + 1)}" cy="${y(v)}" r="2.5" fill="${color}"/>`).join("")
  );
  const legend = series.map(({ name, color }, i) =>
    `<tspan fill="${color}"${i > 0 ? ' dx="14"' : ""}>${escapeHtml(name)}</tspan>`
  );
  return `<svg viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-label="${escapeHtml(title)}">
<text x="${MARGIN.left}" y="16" class="title">${escapeHtml(title)}</text>
<text x="${WIDTH - MARGIN.right}" y="16" text-anchor="end">${legend.join("")}</text>
${grid.join("")}${labels.join("")}
<text x="${(MARGIN.left + WIDTH - MARGIN.right) / 2}" y="${HEIGHT - 4}" text-anchor="middle">epoch</text>
${curves.join("\n")}
</svg>`;
}

/** A grey picture. */
export interface GreyImage {
  /** One byte per pixel, rows from the top. */
  readonly data: Uint8Array;
  /** Columns. */
  readonly width: number;
  /** Rows. */
  readonly height: number;
}

/** The URL of a picture with the picture in it: an uncompressed bitmap, which every browser reads. */
export function imageUrl({ data, width, height }: GreyImage): string {
  const stride = Math.ceil(width * 3 / 4) * 4;
  const headers = 14 + 40;
  const file = new Uint8Array(headers + stride * height);
  const view = new DataView(file.buffer);
  file.set([0x42, 0x4d]); // "BM"
  view.setUint32(2, file.length, true);
  view.setUint32(10, headers, true);
  view.setUint32(14, 40, true); // the second header's size
  view.setInt32(18, width, true);
  view.setInt32(22, -height, true); // negative: rows from the top
  view.setUint16(26, 1, true); // planes
  view.setUint16(28, 24, true); // bits per pixel
  for (let row = 0; row < height; row++) {
    for (let column = 0; column < width; column++) {
      file.fill(
        data[row * width + column],
        headers + row * stride + column * 3,
        headers + row * stride + column * 3 + 3,
      );
    }
  }
  return `data:image/bmp;base64,${file.toBase64()}`;
}
