// The dashboard in a real browser: every view, filters, keys, live updates, and who may look.

import assert from "node:assert/strict";
import { createServer } from "node:http";
import { after, before, test } from "node:test";

import { Daemon, HOSTILE, WIRED, becomesTrue, findPlugins, launch, picture, serious, watch } from "./harness.mjs";

let daemon, browser, context;
/** The address of every view, the page of a document among them. */
let views;

before(async () => {
  await findPlugins();
  daemon = await Daemon.start();
  browser = await launch();
  context = await browser.newContext({ viewport: { width: 1100, height: 900 } });
  const page = watch(await context.newPage());
  await page.goto(daemon.login);
  await page.waitForSelector("#ranking");
  // Until everything that was in the inbox is there: all that is known of, and nothing new for a while.
  await becomesTrue(page, async (wired) => {
    const { documents, inbox } = await (await fetch("/api/v1/status")).json();
    const { read, done, failed, in_flight } = documents;
    const isStill = window.counted === read;
    window.counted = read;
    return isStill && done >= 40 + wired && done + failed === read && in_flight === 0 && inbox.waiting.news === 0;
  }, WIRED, 1500);
  const id = await page.evaluate(async () => (await (await fetch("/api/v1/documents?words=Tashkent+Compass")).json()).rows[0].id);
  views = [...VIEWS, `/documents/${encodeURIComponent(id)}`];
  await page.close();
});

after(async () => {
  await browser?.close();
  await daemon?.stop();
});

const open = async (path, options = {}) => {
  const page = watch(await (options.context ?? context).newPage());
  await page.goto(daemon.address + path);
  return page;
};

const VIEWS = ["/", "/figures", "/evidence", "/documents", "/shifts?window=60", "/health", "/corrections"];

test("the printed address logs in once, and its key leaves the address bar", async () => {
  const fresh = await browser.newContext();
  const page = watch(await fresh.newPage());
  await page.goto(daemon.login);
  await page.waitForSelector("#ranking");
  assert.equal(page.url(), `${daemon.address}/`);
  const [cookie] = await fresh.cookies();
  assert.deepEqual([cookie.httpOnly, cookie.sameSite], [true, "Strict"]);
  await page.reload();
  assert.equal(await page.locator("#ranking").count(), 1, "the cookie holds");
  await fresh.close();
});

test("nobody else sees a word, and a wrong key is told", async () => {
  const stranger = await browser.newContext();
  const page = watch(await stranger.newPage());
  await page.goto(`${daemon.address}/#${"0".repeat(40)}`);
  await page.waitForSelector(".complaint");
  assert.equal(await page.locator("#ranking").count(), 0);
  assert.deepEqual(await serious(page), []);
  await picture(page, "login", { clip: { x: 80, y: 0, width: 640, height: 340 } });
  await stranger.close();
});

test("every view is accessible, breaks nothing and asks nobody else", async () => {
  for (const path of views) {
    const page = await open(path);
    assert.deepEqual(await serious(page), [], path);
    assert.deepEqual(page.wrong, [], path);
    const elsewhere = page.asked.filter((url) => !url.startsWith(daemon.address));
    assert.deepEqual(elsewhere, [], path);
    await page.close();
  }
});

test("every view is accessible in the dark", async () => {
  const dark = await browser.newContext({ colorScheme: "dark", storageState: await context.storageState() });
  for (const path of views) {
    const page = await open(path, { context: dark });
    if (path === "/") await picture(page, "dashboard-dark");
    // A form and a note that are open show colours of their own.
    const correct = page.locator("a.correct").first();
    if (await correct.count()) {
      await correct.click();
      await page.locator("form.correction").waitFor();
    }
    assert.deepEqual(await serious(page), [], path);
    await page.close();
  }
  await dark.close();
});

test("pictures", async () => {
  const page = await open("/");
  await picture(page, "dashboard");
  await page.locator("#time").scrollIntoViewIfNeeded();
  await page.evaluate(() => document.querySelector("#time").scrollIntoView());
  await picture(page, "time");
  for (const [path, name] of [
    ["/evidence?verdict=none", "evidence"], ["/documents", "documents"], ["/shifts?window=60", "shifts"],
    ["/health", "pipeline"],
  ]) {
    await page.goto(daemon.address + path);
    // No more of the page than there is something on.
    const bottom = await page.locator("footer").last().evaluate((footer) => footer.getBoundingClientRect().bottom);
    await picture(page, name, { clip: { x: 0, y: 0, width: 1100, height: Math.min(900, bottom + 10) } });
  }
  await page.close();
});

test("who moved is told, in the page and for programs", async () => {
  const page = await open("/shifts?window=60");
  const rows = await page.locator("#shifts tbody tr").allTextContents();
  assert.equal(rows.length, 1, rows.join("; "));
  assert.match(rows[0], /^Kazakhstan.*away/);
  const before = await page.locator("#shifts .degree").evaluate((degree) => getComputedStyle(degree, "::before").content);
  assert.equal(before, "none", "its arrow is in its words");
  const told = await page.evaluate(async () => (await fetch("/api/v1/shifts?window=60")).json());
  assert.deepEqual(told.rows.map(({ who }) => who), ["KAZ"]);
  await page.close();
});

test("filters stand in the address, and the address makes the page", async () => {
  const page = await open("/");
  const before = await page.locator("#ranking tbody tr").count();
  assert.ok(before > 3, `${before} actors`);
  await page.selectOption("#f-target", { label: "Ukraine" });
  await page.waitForURL(/target=UKR/);
  await page.goto(`${daemon.address}/`);
  await page.fill("#f-words", "silos");
  await page.click("form.filters button");
  await page.waitForURL(/words=silos/);
  assert.doesNotMatch(page.url(), /voice=|from=|holders=/, "only what says something");
  let narrowed = before;
  for (const end = Date.now() + 5000; narrowed === before && Date.now() < end;) {
    narrowed = await page.locator("#ranking tbody tr").count();
  }
  assert.ok(narrowed > 0 && narrowed < before, `${narrowed} of ${before}`);
  await page.locator("#ranking tbody th a").first().click();
  await page.waitForURL(/who=/);
  assert.equal(await page.locator("#ranking tbody tr").count(), 1);
  await page.reload();
  assert.equal(await page.inputValue("#f-words"), "silos");
  await page.close();
});

test("a verdict on what is not there any more is not kept, and what is there is shown", async () => {
  const page = await open("/evidence");
  await page.keyboard.press("j");
  const first = await page.evaluate(() => document.activeElement.id);
  // As on a page of before its document came again.
  const carried = `#${first} .verdicts input[name=passage]`;
  await page.evaluate((carried) => { document.querySelector(carried).value = "another"; }, carried);
  await page.keyboard.press("r");
  await page.waitForFunction(() => document.querySelector("#live").textContent.includes("load the page again"));
  await page.waitForFunction((carried) => document.querySelector(carried).value !== "another", carried);
  assert.equal(await page.locator(`#${first}.rejected`).count(), 0);
  await page.locator(`#${first}`).focus();
  await page.keyboard.press("r");
  await page.waitForSelector(`#${first}.rejected`);
  await page.keyboard.press("x");
  await page.waitForSelector(`#${first}.open`);
  await page.close();
});

test("keys walk the feed, and a verdict sticks and moves the figures", async () => {
  const page = await open("/evidence");
  const chosen = () => page.evaluate(() => document.activeElement.id);
  await page.keyboard.press("j");
  const first = await chosen();
  assert.match(first, /^p\d+$/);
  await page.keyboard.press("j");
  assert.notEqual(await chosen(), first);
  await page.keyboard.press("k");
  assert.equal(await chosen(), first);
  const figures = () => page.evaluate(async () => JSON.stringify((await (await fetch("/api/v1/figures?actors=500")).json()).actors));
  const before = await figures();
  await page.keyboard.press("r");
  await page.waitForSelector(`#${first}.rejected`);
  assert.notEqual(await figures(), before, "it feeds back");
  assert.equal(await chosen(), first, "the place is kept");
  await page.reload();
  await page.waitForSelector(`#${first}.rejected`);
  await page.locator(`#${first}`).focus();
  await page.keyboard.press("a");
  await page.waitForSelector(`#${first}.accepted`);
  await picture(page, "verdict");
  await page.keyboard.press("x");
  await page.waitForSelector(`#${first}.open`);
  assert.equal(await figures(), before, "taken back");
  await page.keyboard.press("?");
  assert.ok(await page.locator("#help").isVisible());
  await page.keyboard.press("Escape");
  await page.focus("#f-words");
  await page.keyboard.type("arxj");
  assert.equal(await page.inputValue("#f-words"), "arxj", "who types is not steered");
  assert.deepEqual(page.wrong, []);
  await page.close();
});

test("Accept, Reject and Undo are pressed with the keyboard and the mouse alike, and stick", async () => {
  const page = await open("/evidence");
  const first = await page.locator(".passage").first().getAttribute("id");
  const passage = page.locator(`#${first}`);
  const held = async (verdict) => {
    await page.waitForSelector(`#${first}.${verdict}`);
    await page.reload();
    await page.waitForSelector(`#${first}.${verdict}`);
  };
  for (const [press, verdict] of [["Accept", "accepted"], ["Reject", "rejected"], ["Undo", "open"]]) {
    await passage.getByRole("button", { name: press }).focus();
    await page.keyboard.press("Enter");
    await page.waitForSelector(`#${first}.${verdict}`);
    await page.waitForFunction((press) => document.activeElement.textContent.startsWith(press), press);
    await held(verdict);
  }
  for (const [press, verdict] of [["Reject", "rejected"], ["Accept", "accepted"], ["Undo", "open"]]) {
    await passage.getByRole("button", { name: press }).click();
    await held(verdict);
  }
  assert.deepEqual(page.wrong, []);
  await page.close();
});

const figures = (page) => page.evaluate(async () => JSON.stringify((await (await fetch("/api/v1/figures?actors=500")).json()).actors));

test("a passage is given to another holder with the keyboard alone, and given back", async () => {
  const page = await open("/evidence?who=SRB");
  const before = await figures(page);
  await page.keyboard.press("j");
  const first = await page.evaluate(() => document.activeElement.id);
  const isAsked = () => page.waitForFunction(() => document.activeElement.name === "holder");
  await page.keyboard.press("c");
  await isAsked();
  assert.equal(await page.locator("form.correction").count(), 1, "the form of this passage and no other");
  await page.waitForSelector("#actors option", { state: "attached" });
  await page.keyboard.press("Escape");
  assert.equal(await page.evaluate(() => document.activeElement.id), first, "Escape leaves the form");
  assert.ok(!(await page.locator("form.correction").isVisible()));
  await page.keyboard.press("c");
  await isAsked();
  await page.keyboard.type("Poland");
  await page.keyboard.press("Tab");
  await page.keyboard.press("ControlOrMeta+a");
  await page.keyboard.type("7");
  await page.keyboard.press("Enter");
  // The browser itself knows what a score can be.
  assert.ok(await page.locator(`#${first} input[name=score]`).evaluate((field) => !field.validity.valid));
  await page.keyboard.press("ControlOrMeta+a");
  await page.keyboard.type("-0.5");
  assert.deepEqual(await serious(page), []);
  await picture(page, "correct");
  await page.keyboard.press("Enter");
  await page.waitForFunction(() => document.querySelector("#live").textContent === "Correction kept.");
  assert.notEqual(await figures(page), before, "figures follow");
  await page.goto(`${daemon.address}/evidence?who=POL`);
  const moved = page.locator(`#${first}`);
  assert.match(await moved.locator(".badges").textContent(), /moved by a person, was Serbia/);
  assert.match(await moved.locator(".badges").textContent(), /corrected, was/);
  await page.goto(`${daemon.address}/corrections`);
  assert.match(await page.textContent("tbody"), /Serbia toward Russia\s*Poland stands there/);
  assert.deepEqual(await serious(page), []);
  const button = await page.getByRole("button", { name: "Take back" }).first().boundingBox();
  assert.ok(button.height < 40, "what a button says stands on one line");
  await picture(page, "corrections", { clip: { x: 0, y: 0, width: 1100, height: 390 } });
  await page.goto(`${daemon.address}/evidence?who=POL`);
  await moved.getByRole("link", { name: "Correct" }).click();
  await moved.getByRole("button", { name: "Take back" }).click();
  await page.waitForFunction(() => document.querySelector("#live").textContent === "Correction taken back.");
  // It is no passage of theirs any more.
  await moved.waitFor({ state: "detached" });
  assert.equal(await figures(page), before);
  assert.deepEqual(page.wrong, []);
  await page.close();
});

test("a refused correction says why, where it was typed", async () => {
  const page = await open("/evidence");
  const passage = page.locator(".passage").first();
  await passage.getByRole("link", { name: "Correct" }).click();
  await passage.getByRole("button", { name: "Keep" }).click();
  await passage.locator(".complaint").waitFor();
  assert.match(await passage.locator(".complaint").textContent(), /nothing was changed/);
  await page.close();
});

test("who types before the form is there judges nothing", async () => {
  const page = await open("/evidence");
  let answer, seen;
  const asked = new Promise((done) => { seen = done; });
  // Waited for: what is asked before it stands would never be seen.
  await page.route((url) => url.pathname.endsWith("/correction") && url.search, (route) => {
    answer = () => route.continue();
    seen();
  });
  await page.keyboard.press("j");
  await page.keyboard.press("c");
  await asked;
  const sent = page.asked.length;
  await page.keyboard.type("arx");
  await answer();
  await page.waitForFunction(() => document.activeElement.name === "holder");
  assert.deepEqual(page.asked.slice(sent).filter((url) => url.endsWith("/correction")), []);
  await page.close();
});

test("a form of a passage that is there no more is not opened", async () => {
  const page = await open("/evidence");
  const link = page.locator("a.correct").first();
  await link.evaluate((link) => { link.href = link.href.replace(/passage=[0-9a-f]+/, "passage=another"); });
  await link.click();
  await page.waitForFunction(() => document.querySelector("#live").textContent.includes("load the page again"));
  assert.equal(await page.locator("form.correction").count(), 0);
  await page.waitForFunction(() => !document.querySelector("a.correct").href.includes("another"));
  await page.close();
});

test("a correction in a tab of its own is sent by the browser, and leads back", async () => {
  const page = await open("/evidence?who=SRB");
  const first = await page.locator(".passage").first().getAttribute("id");
  await page.goto(await page.locator("a.correct").first().evaluate((link) => link.href));
  assert.deepEqual(await serious(page), []);
  await page.keyboard.press("j");
  await page.keyboard.press("c");
  await page.waitForFunction(() => document.activeElement.name === "holder");
  await page.fill("form.correction input[name=score]", "0.25");
  await page.keyboard.press("Enter");
  await page.waitForURL(`${daemon.address}/evidence?who=SRB#${first}`);
  await page.waitForSelector(`#${first} .badge:text("corrected, was")`);
  await page.goto(await page.locator(`#${first} a.correct`).evaluate((link) => link.href));
  await page.getByRole("button", { name: "Take back" }).click();
  await page.waitForURL(`${daemon.address}/evidence?who=SRB#${first}`);
  assert.equal(await page.locator(`#${first} .badge:text("corrected, was")`).count(), 0);
  await page.close();
});

test("a document that arrives is seen without a reload, and focus stays", async () => {
  const page = await open("/documents");
  await page.focus("#f-words");
  const fresh = { title: "A title that is fresh", text: "Mongolia condemned Russia on Monday.", published: "2024-12-30" };
  await daemon.drop("fresh.json", JSON.stringify(fresh));
  await page.waitForFunction(() => document.querySelector("#documents").textContent.includes("A title that is fresh"), null, { timeout: 180_000 });
  assert.equal(await page.evaluate(() => document.activeElement.id), "f-words");
  assert.match(await page.textContent("#live"), /new document/);
  await page.close();
});

test("a document shows its passages to those who point, tab and tap", async () => {
  const path = views.at(-1);
  const page = await open(path);
  const evidence = page.locator(".text .evidence").first();
  const note = evidence.locator(".note");
  assert.ok(!(await note.isVisible()), "it is hidden until it is wanted");
  // Words of the passage itself, for the middle of its box may lie between two lines.
  await evidence.locator("mark").first().hover();
  assert.ok(await note.isVisible(), "pointed at");
  await page.mouse.move(0, 0);
  assert.ok(!(await note.isVisible()), "pointed elsewhere");
  await evidence.focus();
  await page.evaluate(() => scrollTo(0, 60));
  assert.ok(await note.isVisible(), "in focus");
  await picture(page, "document");
  assert.deepEqual(await serious(page), []);
  assert.deepEqual(page.wrong, []);
  await page.close();
  const phone = await browser.newContext({ viewport: { width: 390, height: 780 }, hasTouch: true, isMobile: true, storageState: await context.storageState() });
  const touched = await open(path, { context: phone });
  const passage = touched.locator(".text .evidence").first();
  await passage.locator("mark").first().tap();
  assert.ok(await passage.locator(".note").isVisible(), "tapped");
  const { left, right } = await passage.locator(".note").evaluate((note) => note.getBoundingClientRect());
  assert.ok(left >= 0 && right <= 390, `the note is seen whole: ${left} to ${right}`);
  await picture(touched, "document-phone");
  await touched.locator("h1").tap();
  assert.ok(!(await passage.locator(".note").isVisible()), "tapped elsewhere");
  await phone.close();
});

test("what documents say runs nothing and fetches nothing", async () => {
  for (const path of ["/?words=pwned", "/evidence?words=pwned", "/documents?words=pwned"]) {
    const page = await open(path);
    assert.ok((await page.textContent("main")).includes("window.pwned"), `${path} shows it as text`);
    assert.equal(await page.evaluate(() => window.pwned), undefined);
    assert.deepEqual(page.asked.filter((url) => !url.startsWith(daemon.address)), []);
    await page.close();
  }
  const page = await open("/documents?words=pwned");
  await page.locator("#documents tbody th a").first().click();
  await page.waitForSelector(".text");
  assert.ok((await page.textContent(".text")).includes(HOSTILE.slice(0, 20)));
  assert.equal(await page.evaluate(() => window.pwned), undefined);
  assert.deepEqual(page.wrong, []);
  await page.close();
});

test("who leaves for another server does not say from where", async () => {
  const told = [];
  const elsewhere = createServer((asked, answer) => {
    // Its own page asks for an icon, and says so.
    if (asked.url === "/") told.push(asked.headers);
    answer.end("elsewhere");
  });
  await new Promise((listens) => elsewhere.listen(0, "127.0.0.1", listens));
  const address = `http://127.0.0.1:${elsewhere.address().port}/`;
  for (const path of views) {
    const page = await open(path);
    await page.evaluate((address) => {
      const link = document.createElement("a");
      link.href = address;
      document.body.append(link);
      link.click();
    }, address);
    await page.waitForURL(address);
    await page.close();
  }
  elsewhere.close();
  assert.ok(told.length >= views.length);
  for (const { referer, origin } of told) assert.deepEqual([referer, origin], [undefined, undefined]);
});

test("a file in quarantine is tried again, and comes out as a result", async () => {
  const text = "Uruguay condemned Russia over the retried shipment.";
  await daemon.drop("late.txt", " ");
  const page = await open("/health");
  await becomesTrue(page, async () => {
    const files = await (await fetch("/api/v1/quarantine")).json();
    return files.rows.some(({ file }) => file === "late.txt");
  });
  await page.reload();
  // Put right, as an engineer would, and tried again.
  await daemon.mend("late.txt", `Tried again\n\n${text}\n`);
  const file = page.locator(".quarantine li", { hasText: "late.txt" });
  await file.locator("button").click();
  await page.waitForFunction(() => document.querySelector("#live").textContent.includes("back in the inbox"));
  await becomesTrue(page, async () => {
    const { rows } = await (await fetch("/api/v1/documents?words=retried+shipment")).json();
    return rows.length === 1 && rows[0].title === "Tried again";
  });
  const { rows } = await page.evaluate(async () => (await fetch("/api/v1/evidence?words=retried+shipment&holders=all")).json());
  assert.ok(rows.some((row) => row.name === "Uruguay" && row.text.includes(text)), JSON.stringify(rows));
  await page.reload();
  assert.equal(await file.count(), 0, "it is in quarantine no more");
  await page.close();
});

test("the pipeline's page says what waits and how fast it goes", async () => {
  const page = await open("/health");
  assert.match(await page.textContent("#health"), /documents a second/);
  assert.match(await page.textContent("#health"), /in news/);
  await page.close();
});

test("what is below the first view is there whole: in focus, to be found and on paper", async () => {
  const page = await open("/");
  const last = page.locator("#evidence .passage").last();
  await last.focus();
  const cut = await last.evaluate((passage) => {
    const { outlineWidth, outlineOffset } = getComputedStyle(passage);
    const [frame, section] = [passage, passage.closest("section")].map((element) => element.getBoundingClientRect());
    const around = parseFloat(outlineWidth) + parseFloat(outlineOffset);
    return [section.left - frame.left + around, frame.right - section.right + around, frame.bottom - section.bottom + around];
  });
  assert.ok(cut.every((pixels) => pixels <= 0), `its frame is cut off by ${cut}`);
  await page.goto(`${daemon.address}/#shifts`);
  const top = await page.locator("#shifts").evaluate((section) => section.getBoundingClientRect().top);
  assert.ok(top >= 0 && top < 900, `who follows a link sees it, and not ${top} pixels off`);
  await page.emulateMedia({ media: "print" });
  assert.equal(await page.locator("#health").evaluate((section) => getComputedStyle(section).contentVisibility), "visible");
  await page.close();
});

test("those who are not shown are a click away", async () => {
  const page = await open("/?actors=2");
  assert.equal(await page.locator("#ranking tbody tr").count(), 2);
  const more = page.locator("#ranking a.more-actors");
  const others = Number((await more.textContent()).match(/\d+/)[0]);
  await more.click();
  await page.waitForURL(/actors=\d+#ranking/);
  assert.equal(await page.locator("#ranking tbody tr").count(), 2 + others);
  await page.close();
});

test("without a script everything can be read", async () => {
  const plain = await browser.newContext({ javaScriptEnabled: false, storageState: await context.storageState() });
  for (const path of views) {
    const page = await open(path, { context: plain });
    assert.ok(await page.locator("h1").isVisible(), path);
    assert.equal(await page.locator("button.scripted:visible").count(), 0, "no button that does nothing");
    await page.close();
  }
  const page = await open("/", { context: plain });
  await page.fill("#f-words", "grain");
  await page.click("form.filters button");
  assert.match(page.url(), /words=grain/);
  await page.goto(`${daemon.address}/evidence`);
  const first = await page.locator(".passage").first().getAttribute("id");
  const passage = page.locator(`#${first}`);
  for (const [press, verdict] of [["Accept", "accepted"], ["Undo", "open"]]) {
    await passage.getByRole("button", { name: press }).click();
    await page.waitForSelector(`#${first}.${verdict}`);
    assert.equal(page.url(), `${daemon.address}/evidence#${first}`);
  }
  for (const path of ["/evidence", views.at(-1)]) {
    await page.goto(daemon.address + path);
    const first = await page.locator(".passage").first().getAttribute("id");
    const passage = page.locator(`#${first}`);
    const corrected = page.locator(`#${first} .badge:text("corrected, was")`);
    await passage.getByRole("link", { name: "Correct" }).click();
    await passage.locator("input[name=score]").fill("0.125");
    await passage.getByRole("button", { name: "Keep" }).click();
    await page.waitForURL(`${daemon.address}${path}#${first}`);
    await corrected.waitFor();
    await passage.getByRole("link", { name: "Correct" }).click();
    await passage.getByRole("button", { name: "Take back" }).click();
    await page.waitForURL(`${daemon.address}${path}#${first}`);
    assert.equal(await corrected.count(), 0);
  }
  const stranger = await browser.newContext({ javaScriptEnabled: false });
  const login = await open("/", { context: stranger });
  await login.fill("#key", new URL(daemon.login).hash.slice(1));
  await login.click("button");
  await login.locator("#ranking").waitFor();
  assert.equal(await login.locator("#ranking").count(), 1, "the form logs in");
  await stranger.close();
  await plain.close();
});

test("a phone's width and 200% need no sideways scrolling", async () => {
  for (const [name, width, height] of [["phone", 360, 740], ["zoomed", 550, 450]]) {
    const small = await browser.newContext({ viewport: { width, height }, storageState: await context.storageState() });
    for (const path of views) {
      const page = await open(path, { context: small });
      const wide = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
      assert.ok(wide <= 0, `${path} is ${wide} pixels too wide at ${width}`);
      if (path === "/") {
        await picture(page, `dashboard-${name}`);
        const lines = await page.locator("#ranking tbody th a", { hasText: "Switzerland" }).evaluate((link) => link.getClientRects().length);
        assert.equal(lines, 1, "a name is not broken within a word");
      }
      await page.close();
    }
    await small.close();
  }
});

test("with the keyboard alone one reaches the content, filters and verdicts", async () => {
  const page = await open("/");
  await page.keyboard.press("Tab");
  assert.equal(await page.evaluate(() => document.activeElement.textContent), "Skip to the content");
  await page.keyboard.press("Enter");
  await page.waitForURL(/#main$/);
  const seen = new Set();
  for (let step = 0; step < 140 && !seen.has("Reject"); step += 1) {
    await page.keyboard.press("Tab");
    const where = await page.evaluate(() => {
      const focus = document.activeElement;
      const outline = getComputedStyle(focus).outlineStyle;
      return [focus.id || focus.firstChild?.textContent || focus.tagName, outline];
    });
    seen.add(where[0].trim());
    assert.notEqual(where[1], "none", `${where[0]} shows no focus`);
  }
  for (const wanted of ["f-target", "f-words", "Reject"]) assert.ok(seen.has(wanted), `${wanted} in ${[...seen]}`);
  await page.close();
});

test("who wants no motion gets none", async () => {
  const still = await browser.newContext({ reducedMotion: "reduce", storageState: await context.storageState() });
  const page = await open("/evidence", { context: still });
  await page.evaluate(() => {
    window.moves = [];
    Element.prototype.scrollIntoView = (options) => window.moves.push(options.behavior);
  });
  await page.keyboard.press("j");
  assert.deepEqual(await page.evaluate(() => window.moves), ["auto"]);
  await still.close();
});
