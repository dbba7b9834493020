/**
 * The report of a training run: one HTML file with curves, a confusion table and the test pictures.
 *
 * @module
 */

import { escapeHtml, type GreyImage, imageUrl, lineChart } from "./charts.ts";

/** What one epoch gave. */
export interface EpochResult {
  /** Mean loss over the training images, as they were trained on. */
  readonly trainLoss: number;
  /** Mean loss over the test images. */
  readonly testLoss: number;
  /** Fraction of the test images that were recognised. */
  readonly accuracy: number;
  /** Training images per second. */
  readonly speed: number;
}

/** A test picture with what it is and what it was taken for. */
export interface Prediction {
  /** The picture. */
  readonly image: GreyImage;
  /** Its label. */
  readonly target: number;
  /** The network's answer. */
  readonly predicted: number;
}

/** How often each digit (row) was taken for each digit (column). */
export function confusionOf(predictions: readonly Prediction[], classes: number): number[][] {
  const counts = Array.from({ length: classes }, () => new Array<number>(classes).fill(0));
  for (const { target, predicted } of predictions) counts[target][predicted]++;
  return counts;
}

/** The confusion table for a terminal. */
export function confusionText(counts: readonly (readonly number[])[]): string {
  const width = Math.max(3, ...counts.flat().map((n) => String(n).length + 1));
  const cell = (value: string | number) => String(value).padStart(width);
  const rows = counts.map((row, i) => `${cell(i)} |${row.map((n) => cell(n === 0 ? "·" : n)).join("")}`);
  const head = `${cell("")} |${counts.map((_, i) => cell(i)).join("")}`;
  return [head, head.replace(/[^|]/g, "-").replace("|", "+"), ...rows].join("\n");
}

function confusionTable(counts: readonly (readonly number[])[]): string {
  const head = `<tr><th></th>${counts.map((_, i) => `<th>${i}</th>`).join("")}</tr>`;
  const rows = counts.map((row, i) => {
    const cells = row.map((n, j) => `<td class="${n === 0 ? "zero" : i === j ? "right" : "wrong"}">${n || "·"}</td>`);
    return `<tr><th>${i}</th>${cells.join("")}</tr>`;
  });
  return `<table>${head}${rows.join("")}</table>`;
}

function gallery(predictions: readonly Prediction[]): string {
  const wrongFirst = predictions.toSorted((a, b) =>
    Number(a.target === a.predicted) - Number(b.target === b.predicted)
  );
  return wrongFirst.map(({ image, target, predicted }) => {
    const right = target === predicted;
    const caption = right ? `${predicted}` : `${predicted} <small>is ${target}</small>`;
    return `<figure class="${right ? "right" : "wrong"}"><img src="${imageUrl(image)}" alt="${target}">` +
      `<figcaption>${caption}</figcaption></figure>`;
  }).join("");
}

const STYLE = `
body { font: 15px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; color: #222; }
h1 { margin-bottom: 0; } .charts { display: flex; flex-wrap: wrap; gap: 1rem; } svg { flex: 1 1 26rem; max-width: 100%; }
svg text { font-size: 12px; fill: #555; } svg .title { font-weight: 600; fill: #222; }
.grid { stroke: #e4e4e4; } .curve { fill: none; stroke-width: 2; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
td, th { width: 2.2rem; height: 1.8rem; text-align: center; } td.right { background: #d9f2e1; } td.wrong { background: #fbd5d5; }
td.zero { color: #bbb; } .digits { display: flex; flex-wrap: wrap; gap: 0.4rem; }
figure { margin: 0; padding: 0.2rem; width: 3.4rem; text-align: center; border-radius: 4px; }
figure.wrong { background: #fbd5d5; } img { width: 3rem; height: 3rem; image-rendering: pixelated; background: #000; }
figcaption { font-size: 13px; } small { color: #900; }`;

/**
 * The report's text.
 *
 * @param subtitle how the run was made: plain text
 */
export function reportHtml(
  title: string,
  subtitle: string,
  epochs: readonly EpochResult[],
  predictions: readonly Prediction[],
): string {
  const losses = epochs.flatMap((e) => [e.trainLoss, e.testLoss]).filter(Number.isFinite);
  const lossChart = lineChart("Loss", [
    { name: "training", color: "#c0392b", values: epochs.map((e) => e.trainLoss) },
    { name: "test", color: "#2962a8", values: epochs.map((e) => e.testLoss) },
  ], [0, Math.max(0.1, ...losses)]);
  const accuracies = epochs.map((e) => e.accuracy);
  const accuracyChart = lineChart(
    "Test accuracy",
    [{ name: "test", color: "#2962a8", values: accuracies }],
    [Math.min(0.9, ...accuracies), 1],
  );
  const wrong = predictions.filter((p) => p.target !== p.predicted).length;
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>${escapeHtml(title)}</title>
<style>${STYLE}</style>
<h1>${escapeHtml(title)}</h1>
<p>${escapeHtml(subtitle)}</p>
<div class="charts">${lossChart}${accuracyChart}</div>
<h2>Confusion</h2>
<p>Rows: what a digit is. Columns: what it was taken for.</p>
${confusionTable(confusionOf(predictions, 10))}
<h2>Test digits</h2>
<p>${predictions.length} digits with the network's answer; the ${wrong} wrong ones come first.</p>
<div class="digits">${gallery(predictions)}</div>
</html>
`;
}
