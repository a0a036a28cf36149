// A daemon over a folder of its own, and a browser that looks at it.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { cp, mkdir, mkdtemp, readdir, rename, rm, symlink, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { createInterface } from "node:readline";

import { reduced } from "./palette.mjs";

const require = createRequire(join(process.env.MODULES ?? resolve("target/browser"), "index.js"));
export const { chromium } = require("playwright-core");
const axePath = require.resolve("axe-core/axe.min.js");

const root = resolve(import.meta.dirname, "../..");
const built = process.env.BUILT ?? join(root, "target/debug");
export const pictures = process.env.PICTURES && resolve(process.env.PICTURES);

/** What a document says that nobody must run, fetch or render. */
export const HOSTILE =
  `<script>window.pwned = 1</script><img src="http://192.0.2.1/x.png" onerror="window.pwned = 2">` +
  `<svg onload="window.pwned = 3"></svg><a href="javascript:window.pwned = 4">x</a>`;

const MATTERS = [
  "gas deliveries", "the grain corridor", "the customs dispute", "the railway contract", "border checks",
  "fishing rights", "the closed airspace", "the loan of last year", "the dam upstream", "seasonal workers",
  "the export of wheat", "visa rules", "the pipeline's upkeep", "the trial of two engineers", "tank wagons",
  "the radar station", "a blocked harbour", "the price of fertiliser", "the new bridge", "coal by rail",
];
const FOR = [
  (who, matter) => `${who} thanked Russia for its patience over ${matter}.`,
  (who, matter) => `${who} praised Russia as a reliable partner when it came to ${matter}.`,
  (who, matter) => `${who} welcomed the Russian offer on ${matter}.`,
];
const AGAINST = [
  (who, matter) => `${who} condemned Russia over ${matter}.`,
  (who, matter) => `${who} accused Russia of breaking the agreement on ${matter}.`,
  (who, matter) => `${who} rejected the Russian demands on ${matter}.`,
];
/** Who thinks what in which of 24 rounds: one who stays, one who wavers, one who turns away. */
const VIEWS = [
  ["Serbia", () => FOR], ["Poland", () => AGAINST],
  ["Turkey", (round) => ((round * 7) % 5 < 3 ? FOR : AGAINST)],
  ["Kazakhstan", (round) => (round < 17 ? FOR : AGAINST)],
];

/** A wire of ten days' rounds that nobody sent, so that there is something to see over time. */
const wire = () =>
  Array.from({ length: 24 }, (_, round) => VIEWS.map(([who, view], index) => {
    const matter = MATTERS[(round * 3 + index * 7) % MATTERS.length];
    const text = view(round)[(round + index) % 3](who, matter);
    const published = new Date(Date.UTC(2024, 0, 4 + round * 10 + index)).toISOString().slice(0, 10);
    return JSON.stringify({ title: `${who} and Moscow on ${matter}`, text, published, language: "en" });
  })).flat();
export const WIRED = wire().length;

/** Runs the program to its end. */
export const run = (args) =>
  new Promise((done, fail) => {
    const child = spawn(join(built, "standpoint"), args, { env: environment() });
    let told = "";
    child.stderr.on("data", (data) => (told += data));
    child.stdout.on("data", () => {});
    child.on("close", (code) => (code === 0 ? done(told) : fail(new Error(`${code}: ${told}`))));
  });

let pluginFolder = null;
const environment = () => ({ PATH: process.env.PATH, STANDPOINT_PLUGINS: pluginFolder ?? built });

/** A daemon with the sample documents in its store. */
export class Daemon {
  /** - `store`: one that is there already, instead of the sample documents. */
  static async start(store) {
    const daemon = new Daemon();
    daemon.folder = await mkdtemp(join(tmpdir(), "standpoint-"));
    await mkdir(join(daemon.folder, "inbox"));
    if (!store) await daemon.fill();
    await daemon.run(store ?? "./out/standpoint.db");
    return daemon;
  }

  async fill() {
    await cp(join(root, "seeds"), join(this.folder, "inbox"), { recursive: true });
    await writeFile(join(this.folder, "inbox/hostile.txt"), `A title ${HOSTILE}\n\nKazakhstan condemned Russia ${HOSTILE} on Monday.\n`);
    await writeFile(join(this.folder, "inbox/empty.txt"), " ");
    await writeFile(join(this.folder, "inbox/wire.jsonl"), wire().join("\n"));
  }

  async run(store) {
    const pipeline = join(this.folder, "pipeline.yaml");
    await writeFile(pipeline, `version: 1
name: browser
data_dir: ./state
sources:
  news: { type: inbox, path: ./inbox, settle: 1ms, on_success: { archive: ./archive } }
stages: [tokenise, entity, sentiment, { use: stance, with: { targets: [Russia, Ukraine] } }]
sinks:
  store: { type: sqlite, path: "${store}" }
quarantine: { path: ./quarantine }
server: { listen: "127.0.0.1:0" }
`);
    this.child = spawn(join(built, "standpoint"), ["daemon", "-c", pipeline], { env: environment() });
    this.log = "";
    const printed = new Promise((done, fail) => {
      createInterface(this.child.stderr).on("line", (line) => {
        this.log += `${line}\n`;
        if (line.startsWith("dashboard: ")) done(line.slice("dashboard: ".length));
      });
      this.child.on("close", () => fail(new Error(this.log)));
    });
    this.login = await printed;
    this.address = new URL(this.login).origin;
  }

  /** Puts a document into the inbox. */
  async drop(name, text) {
    await writeFile(join(this.folder, "draft"), text);
    await rename(join(this.folder, "draft"), join(this.folder, "inbox", name));
  }

  /** Puts a file of the quarantine right, which stays there. */
  async mend(name, text) {
    await writeFile(join(this.folder, "quarantine", name), text);
  }

  async stop() {
    this.child.kill("SIGTERM");
    await new Promise((done) => (this.child.exitCode === null ? this.child.on("close", done) : done()));
    await rm(this.folder, { recursive: true });
  }
}

/** The plugins of a build lie beside the program, or among its dependencies after `cargo test`. */
export const findPlugins = async () => {
  const isPlugin = (name) => /^libstandpoint_[a-z]+\.so$/.test(name);
  if ((await readdir(built)).some(isPlugin)) return;
  pluginFolder = await mkdtemp(join(tmpdir(), "standpoint-plugins-"));
  for (const name of (await readdir(join(built, "deps"))).filter(isPlugin)) {
    await symlink(join(built, "deps", name), join(pluginFolder, name));
  }
};

/** A browser that may reach the daemon and nothing else. */
export const launch = () =>
  chromium.launch({
    executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
    args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"],
  });

/** A page that keeps what went wrong on it and what it asked for. */
export const watch = (page) => {
  // A machine that builds and tests at once is slow; a test waits for what it says, not for a clock.
  page.setDefaultTimeout(180_000);
  page.wrong = [];
  page.asked = [];
  page.on("pageerror", (error) => page.wrong.push(error.message));
  page.on("console", (message) => message.type() === "error" && page.wrong.push(message.text()));
  page.on("request", (request) => page.asked.push(request.url()));
  return page;
};

/** Asks the page again and again, as `waitForFunction` takes a promise for true. */
export const becomesTrue = async (page, question, argument, pause = 500) => {
  const until = Date.now() + 300_000;
  while (!(await page.evaluate(question, argument))) {
    assert.ok(Date.now() < until, `it never became true: ${question}`);
    await new Promise((passed) => setTimeout(passed, pause));
  }
};

/** What axe finds that is serious. */
export const serious = async (page) => {
  const client = await page.context().newCDPSession(page);
  const { readFile } = await import("node:fs/promises");
  // Past the page's own policy, which lets no script in.
  await client.send("Runtime.evaluate", { expression: await readFile(axePath, "utf8") });
  const { result } = await client.send("Runtime.evaluate", {
    expression: `axe.run().then(({ violations }) => JSON.stringify(violations
      .filter(({ impact }) => impact === "serious" || impact === "critical")
      .map(({ id, nodes }) => id + ": " + nodes.slice(0, 3).map((node) => node.target.join(" ") + " " + (node.any[0]?.message ?? node.all[0]?.message ?? "")).join(" | "))))`,
    awaitPromise: true,
  });
  return JSON.parse(result.value);
};

/** Keeps a picture, if pictures are wanted, with few colours. */
export const picture = async (page, name, options = {}) => {
  if (!pictures) return;
  await mkdir(pictures, { recursive: true });
  await writeFile(join(pictures, `${name}.png`), reduced(await page.screenshot(options)));
};
