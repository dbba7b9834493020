/** The report: self-contained, well-formed, with every number and picture in it. */

import { assertEquals, assertStringIncludes } from "@std/assert";
import { escapeHtml, imageUrl, lineChart } from "../../examples/support/charts.ts";
import { confusionOf, confusionText, type Prediction, reportHtml } from "../../examples/support/report.ts";

const image = { data: new Uint8Array([0, 128, 255, 7, 8, 9]), width: 3, height: 2 };
const predictions: Prediction[] = [
  { image, target: 3, predicted: 3 },
  { image, target: 3, predicted: 8 },
  { image, target: 0, predicted: 0 },
];
const epochs = [
  { trainLoss: 1.5, testLoss: 1.25, accuracy: 0.5, speed: 1000 },
  { trainLoss: 0.75, testLoss: NaN, accuracy: 2 / 3, speed: 1000 },
];

Deno.test("confusionOf() and confusionText() count", () => {
  const counts = confusionOf(predictions, 10);
  assertEquals([counts[3][3], counts[3][8], counts[0][0], counts.flat().reduce((a, b) => a + b)], [1, 1, 1, 3]);
  const lines = confusionText(counts).split("\n");
  assertEquals(lines.length, 12);
  assertEquals(lines[5].split(/\s+/).filter((w) => w !== ""), [
    "3",
    "|",
    "·",
    "·",
    "·",
    "1",
    "·",
    "·",
    "·",
    "·",
    "1",
    "·",
  ]);
});

Deno.test("imageUrl() holds the pixels as a bitmap", () => {
  const bytes = Uint8Array.fromBase64(imageUrl(image).replace("data:image/bmp;base64,", ""));
  const view = new DataView(bytes.buffer);
  assertEquals([view.getUint32(2, true), view.getInt32(18, true), view.getInt32(22, true)], [bytes.length, 3, -2]);
  assertEquals([...bytes.subarray(54, 66)], [0, 0, 0, 128, 128, 128, 255, 255, 255, 0, 0, 0]);
  assertEquals([...bytes.subarray(66, 75)], [7, 7, 7, 8, 8, 8, 9, 9, 9]);
});

Deno.test("lineChart() leaves out what is not a number and escapes names", () => {
  const svg = lineChart("a < b", [{ name: "<i>", color: "red", values: [1, NaN, 3] }], [0, 3]);
  assertStringIncludes(svg, "a &#60; b");
  assertStringIncludes(svg, "&#60;i&#62;");
  assertEquals(/d="[^"]*NaN/.test(svg), false);
  assertEquals(escapeHtml(`&"'`), "&#38;&#34;&#39;");
});

Deno.test("reportHtml() is one file that asks for nothing else", () => {
  const html = reportHtml("Digits & more", "2 epochs", epochs, predictions);
  assertStringIncludes(html, "<title>Digits &#38; more</title>");
  assertEquals(html.match(/<img /g)?.length, 3);
  assertEquals(html.match(/<svg /g)?.length, 2);
  assertEquals(/(?:src|href)="(?!data:)/.test(html), false);
  assertEquals(/https?:\/\//.test(html), false);
  assertEquals(html.indexOf('figure class="wrong"') < html.indexOf('figure class="right"'), true);
});
