// The report, opened from the disk without a server or a script.

import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { after, before, test } from "node:test";

import { HOSTILE, findPlugins, launch, picture, run, serious, watch } from "./harness.mjs";

let browser, folder, report;

before(async () => {
  await findPlugins();
  folder = await mkdtemp(join(tmpdir(), "standpoint-"));
  await writeFile(join(folder, "hostile.txt"), `A title ${HOSTILE}\n\nKazakhstan condemned Russia ${HOSTILE} on Monday.\n`);
  const results = join(folder, "results.jsonl");
  await run(["run", resolve("seeds"), join(folder, "hostile.txt"), "-o", results]);
  report = join(folder, "report.html");
  await run(["report", results, "-o", report]);
  browser = await launch();
});

after(async () => {
  await browser?.close();
  await rm(folder, { recursive: true });
});

const open = async (options) => {
  const context = await browser.newContext(options);
  const page = watch(await context.newPage());
  await page.goto(pathToFileURL(report).href);
  return page;
};

test("it stands alone: one request, nothing that goes wrong, nothing that is run", async () => {
  const page = await open({ viewport: { width: 1100, height: 1000 } });
  assert.equal(page.asked.length, 1);
  assert.deepEqual(page.wrong, []);
  assert.equal(await page.evaluate(() => window.pwned), undefined);
  assert.ok((await page.textContent("body")).includes("window.pwned"));
  assert.deepEqual(await serious(page), []);
  await picture(page, "report");
  await page.context().close();
});

test("a passage leads to its place in the document", async () => {
  const page = await open({ viewport: { width: 1100, height: 1000 }, javaScriptEnabled: false });
  const link = page.locator(".passage footer a").first();
  const target = (await link.getAttribute("href")).slice(1);
  await link.click();
  // Of several that hold one sentence only the first has it for its own place.
  const place = page.locator(`.evidence[id="${target}"], .evidence:has([id="${target}"])`);
  assert.ok(await place.first().isVisible(), "its document opens");
  await page.context().close();
});

test("it can be read on a phone", async () => {
  const page = await open({ viewport: { width: 360, height: 740 } });
  const wide = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
  assert.ok(wide <= 0, `${wide} pixels too wide`);
  await picture(page, "report-phone");
  await page.context().close();
});

test("it prints with everything that is folded away", async () => {
  const page = await open({ viewport: { width: 800, height: 1000 } });
  await page.emulateMedia({ media: "print" });
  const height = await page.evaluate(() => document.querySelector("details.document .text").getBoundingClientRect().height);
  assert.ok(height > 20, `${height}`);
  const pdf = await page.pdf({ format: "A4", preferCSSPageSize: true });
  assert.ok(pdf.length > 10_000);
  await page.context().close();
});
