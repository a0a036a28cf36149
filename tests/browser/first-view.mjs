// How long the dashboard's first view takes over a large store, from asking for the page to the first
// paint of what it shows, in a browser that has logged in, keeps nothing and is at rest. Beside it stands how long
// the page's thread had a processor until then, which says more where a machine does other things, too.
//
//   STANDPOINT_LARGE_STORE=/tmp/large.db cargo test --release -p standpoint-web --test large -- --ignored
//   cargo build --release && STORE=/tmp/large.db BUILT=target/release tests/browser/run first-view

import { resolve } from "node:path";

import { Daemon, findPlugins, launch } from "./harness.mjs";

const ROUNDS = 10;
const BOUND_MS = 200;

await findPlugins();
const daemon = await Daemon.start(resolve(process.env.STORE));
const browser = await launch();
const context = await browser.newContext({ viewport: { width: 1100, height: 900 } });
const first = await context.newPage();
await first.goto(daemon.login);
await first.waitForSelector("#ranking");
const { documents } = await first.evaluate(async () => (await fetch("/api/v1/extent")).json());
await first.close();

// A new window loads a hundred scripts of the browser's own, for its field of addresses; a reader's is open.
const processes = await browser.newBrowserCDPSession();
const spent = async () => {
  const { processInfo } = await processes.send("SystemInfo.getProcessInfo");
  return processInfo.reduce((seconds, { cpuTime }) => seconds + cpuTime, 0);
};
const isAtRest = async () => {
  for (let [before, now] = [0, await spent()]; now - before > 0.015; [before, now] = [now, await spent()]) {
    await new Promise((passed) => setTimeout(passed, 200));
  }
};

const measure = async (path) => {
  const page = await context.newPage();
  page.setDefaultTimeout(120_000);
  await isAtRest();
  const client = await context.newCDPSession(page);
  await client.send("Performance.setTimeDomain", { timeDomain: "threadTicks" });
  await client.send("Performance.enable");
  await page.goto(daemon.address + path);
  const times = await page.evaluate(() => new Promise((done) => {
    const [asked] = performance.getEntriesByType("navigation");
    new PerformanceObserver((list) => {
      const paint = list.getEntriesByName("first-contentful-paint")[0];
      if (paint) done({ painted: paint.startTime, answered: asked.responseEnd });
    }).observe({ type: "paint", buffered: true });
  }));
  const { metrics } = await client.send("Performance.getMetrics");
  const busy = 1000 * metrics.find(({ name }) => name === "TaskDuration").value;
  await page.close();
  return { ...times, busy };
};

const PAGES = ["/", "/evidence", "/documents", "/shifts", "/documents/d77"];
const times = new Map(PAGES.map((path) => [path, []]));
// In turns, so that what else the machine does meets every page alike.
for (let round = 0; round < ROUNDS; round += 1) {
  for (const path of PAGES) times.get(path).push(await measure(path));
}

let slow = false;
for (const path of PAGES) {
  const sorted = (what) => times.get(path).map((time) => time[what]).sort((one, other) => one - other);
  const told = (what) => {
    const numbers = sorted(what);
    return `${numbers[Math.floor(ROUNDS / 2)].toFixed(0)} ms (least ${numbers[0].toFixed(0)})`;
  };
  console.log(`${told("painted")} to the first view of ${path}, ${told("answered")} to its answer, ${told("busy")} of its thread`);
  slow ||= sorted("painted")[Math.floor(ROUNDS / 2)] > BOUND_MS;
}
console.log(`${documents} documents, the median of ${ROUNDS}`);
await browser.close();
await daemon.stop();
process.exitCode = slow ? 1 : 0;
